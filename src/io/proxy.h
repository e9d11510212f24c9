// The proxy that the environment names, for messages: libcurl finds its way itself. Knows no request.
#ifndef SYNCRUN_IO_PROXY_H
#define SYNCRUN_IO_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct proxy {
	const char *variable; // that names it; NULL: none does
	char host[112];
	char peer[128]; // host:port
	uint16_t port;
};

// By libcurl's rules for URLs of this scheme ("http", "https"): http_proxy counts in lower case only; https_proxy,
// HTTPS_PROXY, all_proxy and ALL_PROXY follow. Without a port it is 1080, that of an https proxy 443. Whether no_proxy
// excepts a host is not looked at. False when none is named, or none that can be read.
bool proxy_find(struct proxy *proxy, const char *scheme);
// Is the host, "[...]" around an IPv6 address, this machine by its name or address?
bool proxy_is_this_machine(const char *host);

#endif
