// Finding and reading the proxy variables of the environment.
#include "io/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *setting(const char *scheme, const char **variable)
{
	static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	bool plain = strcmp(scheme, "http") == 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv(names[i]);
		bool fits = i >= 3 || (i == 0) == plain;

		if (fits && value != NULL && value[0] != '\0') {
			*variable = names[i];
			return value;
		}
	}
	return NULL;
}

// [scheme://][user[:password]@]host[:port][/…]: the host's beginning and end.
static const char *host_of(const char *value, const char **end)
{
	const char *scheme = strstr(value, "://"), *host = scheme != NULL ? scheme + 3 : value, *at;
	size_t len = strcspn(host, "/?#");

	for (at = host + len; at > host && at[-1] != '@';)
		at--;
	len -= (size_t)(at - host);
	if (at[0] == '[') {
		const char *close = memchr(at, ']', len);
		*end = close != NULL ? close + 1 : at; // no end: no host
	} else {
		const char *colon = memchr(at, ':', len);
		*end = colon != NULL ? colon : at + len;
	}
	return at;
}

bool proxy_is_this_machine(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		   (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

bool proxy_find(struct proxy *proxy, const char *scheme)
{
	const char *variable = NULL, *value = setting(scheme, &variable), *host, *end;
	unsigned long port = 1080;

	memset(proxy, 0, sizeof *proxy);
	if (value == NULL)
		return false;
	host = host_of(value, &end);
	if (end == host || (size_t)(end - host) >= sizeof proxy->host)
		return false;
	if (*end == ':')
		port = strtoul(end + 1, NULL, 10);
	else if (strncmp(value, "https:", 6) == 0)
		port = 443;
	if (port == 0 || port > UINT16_MAX)
		return false;
	memcpy(proxy->host, host, (size_t)(end - host));
	proxy->port = (uint16_t)port;
	proxy->variable = variable;
	snprintf(proxy->peer, sizeof proxy->peer, "%s:%u", proxy->host, (unsigned)proxy->port);
	return true;
}
