// The proxy variables as libcurl reads them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/proxy.h"

static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

static int clear(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
	return 0;
}

static void assert_proxy(const char *scheme, const char *variable, const char *peer)
{
	struct proxy proxy;

	assert_true(proxy_find(&proxy, scheme));
	assert_string_equal(proxy.variable, variable);
	assert_string_equal(proxy.peer, peer);
}

static void test_variables(void **state)
{
	struct proxy proxy;

	(void)state;
	assert_false(proxy_find(&proxy, "http"));
	assert_null(proxy.variable);
	setenv("HTTP_PROXY", "a:1", 1); // a CGI's header, to libcurl
	setenv("https_proxy", "", 1);
	assert_false(proxy_find(&proxy, "http"));
	setenv("ALL_PROXY", "all:1", 1);
	assert_proxy("http", "ALL_PROXY", "all:1");
	setenv("http_proxy", "plain:2", 1);
	assert_proxy("http", "http_proxy", "plain:2");
	assert_proxy("https", "ALL_PROXY", "all:1");
	setenv("HTTPS_PROXY", "upper:3", 1);
	assert_proxy("https", "HTTPS_PROXY", "upper:3");
	setenv("https_proxy", "lower:4", 1);
	assert_proxy("https", "https_proxy", "lower:4");
}

static void test_forms(void **state)
{
	static const char *const forms[][2] = {
		{"http://proxy.example:3128", "proxy.example:3128"},
		{"proxy.example", "proxy.example:1080"},
		{"https://proxy.example/", "proxy.example:443"},
		{"http://me:p@ss:w@proxy.example:8080/path?q#f", "proxy.example:8080"},
		{"http://[::1]:9", "[::1]:9"},
		{"[::1]", "[::1]:1080"},
		{"socks5h://127.0.0.1:9", "127.0.0.1:9"},
	};
	static const char *const bad[] = {"http://", "http://me@:80", ":80", "p:0", "p:65536", "p:x", "http://[", "@"};
	struct proxy proxy;
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		setenv("http_proxy", forms[i][0], 1);
		assert_proxy("http", "http_proxy", forms[i][1]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		setenv("http_proxy", bad[i], 1);
		assert_false(proxy_find(&proxy, "http"));
	}
	for (size_t i = 0; i < sizeof longest; i++)
		longest[i] = i + 1 < sizeof longest ? 'x' : '\0';
	setenv("http_proxy", longest, 1);
	assert_false(proxy_find(&proxy, "http"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_variables, clear),
		cmocka_unit_test_setup(test_forms, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
