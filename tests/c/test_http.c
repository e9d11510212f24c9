// io/http against a raw peer on the same loop, which sends what no well-behaved server would.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/http.h"
#include "io/loop.h"

// Accepts one connection at a time, reads once, sends `say` and closes; NULL: stays silent.
static struct {
	int listener, client;
	struct watch accepting, reading;
	const char *say;
	size_t say_len;
	uint16_t port;
	int connections;
} peer;

static void peer_close_client(void)
{
	watch_stop(&peer.reading);
	if (peer.client >= 0)
		close(peer.client);
	peer.client = -1;
}

static void peer_on_read(struct watch *watch, short revents)
{
	char request[65536];
	ssize_t n = recv(watch->fd, request, sizeof request, 0);

	(void)revents;
	if (n > 0 && peer.say == NULL)
		return;
	if (n > 0) {
		size_t sent = 0;
		while (sent < peer.say_len && (n = send(watch->fd, peer.say + sent, peer.say_len - sent, MSG_NOSIGNAL)) > 0)
			sent += (size_t)n;
	}
	peer_close_client();
}

static void peer_on_accept(struct watch *watch, short revents)
{
	(void)revents;
	peer_close_client();
	peer.client = accept(watch->fd, NULL, NULL);
	peer.connections++;
	watch_start(&peer.reading, peer.client, POLLIN, peer_on_read);
}

static int peer_open(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	(void)state;
	memset(&peer, 0, sizeof peer);
	peer.client = -1;
	peer.listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(peer.listener, (struct sockaddr *)&address, len) != 0 || listen(peer.listener, 8) != 0)
		return -1;
	getsockname(peer.listener, (struct sockaddr *)&address, &len);
	peer.port = ntohs(address.sin_port);
	watch_start(&peer.accepting, peer.listener, POLLIN, peer_on_accept);
	return 0;
}

static int peer_shut(void **state)
{
	(void)state;
	peer_close_client();
	watch_stop(&peer.accepting);
	close(peer.listener);
	return 0;
}

static struct http_response response;

static void on_event(void *arg)
{
	*(int *)arg += 1;
}

// One GET to its end; the response is in `response`.
static void ask(const char *scheme, double connect_timeout, double idle_timeout, size_t max_body)
{
	char url[64];
	struct http_options options = {.name = "peer",
		.method = "GET",
		.url = url,
		.timeout = 20,
		.connect_timeout = connect_timeout,
		.idle_timeout = idle_timeout,
		.max_body = max_body};
	struct http_request *request;
	struct err err;
	int events = 0;

	snprintf(url, sizeof url, "%s://127.0.0.1:%u/", scheme, (unsigned)peer.port);
	http_response_free(&response);
	memset(&response, 0, sizeof response);
	request = http_start(&options, &response, on_event, &events, &err);
	assert_non_null(request);
	while (!response.ended)
		assert_true(loop_poll(10, &err));
	assert_int_equal(events, 1);
	http_stop(request);
}

static void answer(const char *text)
{
	peer.say = text;
	peer.say_len = strlen(text);
	ask("http", 5, 5, 0);
}

static void assert_failure(enum err_kind kind, const char *code, bool retryable)
{
	assert_string_equal(response.err.code, code);
	assert_int_equal(response.err.kind, kind);
	assert_int_equal(response.err.retryable, retryable);
	assert_non_null(strstr(response.err.message, "'peer'"));
}

static void whole_answers_pass(void **state)
{
	(void)state;
	answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
	assert_int_equal(response.err.kind, ERR_NONE);
	assert_string_equal(response.body.data, "body");
	answer("HTTP/1.0 404 Nope\r\n\r\nto the end");
	assert_int_equal(response.status, 404);
	assert_int_equal(response.version, 10);
	assert_string_equal(response.body.data, "to the end");
	answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
	assert_string_equal(response.body.data, "body");
}

static void cut_bodies_fail(void **state)
{
	(void)state;
	answer("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nbody");
	assert_failure(ERR_HTTP, "PARTIAL_FILE", true);
	answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n");
	assert_failure(ERR_HTTP, "PARTIAL_FILE", true);
	answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n44\r\nbody");
	assert_failure(ERR_HTTP, "PARTIAL_FILE", true);
	answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	assert_failure(ERR_HTTP, "PARTIAL_FILE", true);
	answer("HTTP/1.1 200 OK\r\n");
	assert_failure(ERR_HTTP, "PARTIAL_FILE", true);
	answer("");
	assert_failure(ERR_HTTP, "GOT_NOTHING", true);
}

static void interim_answers_are_passed_over(void **state)
{
	(void)state;
	answer("HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-A: no\r\n\r\n"
		   "HTTP/1.1 201 Created\r\nX-A: yes\r\nContent-Length: 1\r\n\r\n.");
	assert_int_equal(response.status, 201);
	assert_null(strstr(response.head.data, "no\r\n"));
	assert_non_null(strstr(response.head.data, "X-A: yes\r\n"));
}

static void other_protocols_are_refused(void **state)
{
	(void)state;
	answer("220 smtp.example ESMTP\r\n");
	assert_int_equal(response.err.kind, ERR_HTTP);
	assert_false(response.err.retryable);
	assert_int_equal(response.body.len, 0);
}

static void proxy_answers(const char *head)
{
	peer.say = head;
	peer.say_len = strlen(head);
	ask("https", 5, 5, 0);
}

static void a_proxy_in_the_way_is_named(void **state)
{
	char proxy[64];

	(void)state;
	setenv("http_proxy", "http://me:secret@127.0.0.1:1", 1);
	ask("http", 5, 5, 0);
	assert_failure(ERR_HTTP, "COULDNT_CONNECT", true);
	assert_string_equal(response.err.message,
		"cannot connect to the proxy for 'peer' (connection refused by 127.0.0.1:1); is http_proxy right?");
	setenv("http_proxy", "http://me:secret@proxy.invalid:3128", 1); // never for this machine
	answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(response.err.kind, ERR_NONE);
	setenv("http_proxy", "http://me:secret@127.0.0.1:1", 1);
	setenv("no_proxy", "127.0.0.1", 1);
	answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(response.err.kind, ERR_NONE);
	unsetenv("no_proxy");
	snprintf(proxy, sizeof proxy, "127.0.0.1:%u", (unsigned)peer.port);
	setenv("all_proxy", proxy, 1);
	proxy_answers("HTTP/1.1 403 Forbidden\r\n\r\n");
	assert_failure(ERR_HTTP, "PROXY", false);
	assert_non_null(strstr(response.err.message, "refuses the way to 'peer' (status 403); check all_proxy"));
	proxy_answers("HTTP/1.1 502 Bad Gateway\r\n\r\n");
	assert_failure(ERR_HTTP, "PROXY", true);
	unsetenv("all_proxy");
	unsetenv("http_proxy");
}

static void a_head_has_a_limit(void **state)
{
	struct buf text = {0};

	(void)state;
	assert_true(buf_puts(&text, "HTTP/1.1 200 OK\r\n"));
	for (int i = 0; i < 6000; i++)
		assert_true(buf_puts(&text, "X-Filler: 0123456789012345678901234567890123456789\r\n"));
	assert_true(buf_puts(&text, "\r\n"));
	answer(text.data);
	assert_failure(ERR_LIMIT, "head", false);
	buf_free(&text);
}

static void a_body_has_a_limit(void **state)
{
	(void)state;
	peer.say = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789x";
	peer.say_len = strlen(peer.say);
	ask("http", 5, 5, 11);
	assert_int_equal(response.err.kind, ERR_NONE);
	ask("http", 5, 5, 10);
	assert_failure(ERR_LIMIT, "body", false);
}

static void silence_times_out(void **state)
{
	(void)state;
	ask("http", 5, 0.05, 0);
	assert_failure(ERR_TIMEOUT, "idle", true);
	ask("https", 0.05, 5, 0); // TLS is part of connecting
	assert_failure(ERR_TIMEOUT, "connect", true);
}

static void tls_to_a_plain_server_is_said(void **state)
{
	(void)state;
	peer.say = "HTTP/1.1 400 Bad Request\r\n\r\n";
	peer.say_len = strlen(peer.say);
	ask("https", 5, 5, 0);
	assert_failure(ERR_HTTP, "SSL_CONNECT_ERROR", true);
}

static void a_request_can_be_stopped_at_any_time(void **state)
{
	char url[64];
	struct http_options options = {.method = "GET", .url = url, .idle_timeout = 5};
	unsigned before = loop_active();

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)peer.port);
	for (int turns = 0; turns < 5; turns++) {
		struct http_response stopped = {0};
		struct err err;
		int events = 0;
		struct http_request *request = http_start(&options, &stopped, on_event, &events, &err);
		assert_non_null(request);
		for (int i = 0; i < turns; i++)
			assert_true(loop_poll(0.005, &err));
		http_stop(request);
		assert_true(loop_poll(0, &err));
		assert_int_equal(events, 0);
		http_response_free(&stopped);
	}
	peer_close_client();
	assert_int_equal(loop_active(), before);
	http_stop(NULL);
}

static void heads_are_taken_apart(void **state)
{
	const char text[] = "HTTP/1.1 200 OK\r\nA: 1\r\nb:2 \r\n: none\r\nc\r\nD:\r\nE: x: y\n";
	const char *at = text;
	struct http_header h;
	char seen[128] = "";

	(void)state;
	while (http_head_next(&at, text + sizeof text - 1, &h)) {
		size_t len = strlen(seen);
		snprintf(seen + len, sizeof seen - len, "%.*s=%.*s|", (int)h.name_len, h.name, (int)h.value_len, h.value);
	}
	assert_string_equal(seen, "A=1|b=2|D=|E=x: y|");
}

static bool is_legal(const char *name, const char *value, size_t value_len)
{
	struct http_header h = {name, value, strlen(name), value_len};

	return http_header_check(&h, NULL);
}

static void header_injection_is_refused(void **state)
{
	(void)state;
	assert_true(is_legal("X-A", "b", 1));
	assert_true(is_legal("X-A", "\xc3\xa9", 2));
	assert_false(is_legal("", "b", 1));
	assert_false(is_legal("X A", "b", 1));
	assert_false(is_legal("X:A", "b", 1));
	assert_false(is_legal("X\r\nB", "b", 1));
	assert_false(is_legal("X-A", "b\r\nC: d", 7));
	assert_false(is_legal("X-A", "b\nc", 3));
	assert_false(is_legal("X-A", "b\0c", 3));
}

static void dates_are_parsed(void **state)
{
	(void)state;
	assert_int_equal(http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	assert_int_equal(http_date_parse("soon"), -1);
}

static int open_all(void **state)
{
	static const char *const proxies[] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++)
		unsetenv(proxies[i]);
	return loop_open(&err) ? 0 : -1;
}

static int close_all(void **state)
{
	(void)state;
	http_response_free(&response);
	loop_close();
	return 0;
}

#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, peer_open, peer_shut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PEER(whole_answers_pass),
		WITH_PEER(cut_bodies_fail),
		WITH_PEER(interim_answers_are_passed_over),
		WITH_PEER(other_protocols_are_refused),
		WITH_PEER(a_proxy_in_the_way_is_named),
		WITH_PEER(a_head_has_a_limit),
		WITH_PEER(a_body_has_a_limit),
		WITH_PEER(silence_times_out),
		WITH_PEER(tls_to_a_plain_server_is_said),
		WITH_PEER(a_request_can_be_stopped_at_any_time),
		cmocka_unit_test(heads_are_taken_apart),
		cmocka_unit_test(header_injection_is_refused),
		cmocka_unit_test(dates_are_parsed),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
