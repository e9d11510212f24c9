// The HTTP/1.1 server: libmicrohttpd without threads, driven by the loop. Knows nothing of Lua or of what is served.
//
// A complete request becomes an exchange, whose connection then waits until it is answered, at any later time.
#ifndef SYNCRUN_IO_HTTP_SERVER_H
#define SYNCRUN_IO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/http.h"

struct http_server;
struct http_exchange;

struct http_server_options {
	const char *host;      // "127.0.0.1", "::1", "0.0.0.0", "localhost": only this address is bound
	uint16_t port;         // 0: any free one
	size_t max_body;       // bytes of a request's body; beyond it the body is discarded and too_large set; 0: no limit
	size_t max_head;       // bytes of request line and headers
	int max_head_status;   // answered, with no body and a close, when the head is larger: 431
	unsigned idle_timeout; // whole seconds after which a quiet connection is closed; 0: never
};

struct http_message {                      // of the client
	struct buf method, target, head, body; // target: the raw path and query; head: "Name: value" lines
	char remote[64];                       // the client's address
	uint16_t remote_port;
	bool too_large;
};

// Listen. on_request is called from the loop with each complete request, whose exchange is then the callee's to answer
// and to free; it must not stop the server from inside. NULL with *err (kind http) when the address is not to be had.
struct http_server *http_server_start(const struct http_server_options *options,
	void (*on_request)(void *arg, struct http_exchange *exchange), void *arg, struct err *err);
uint16_t http_server_port(const struct http_server *server);
// Close every connection and the port. Exchanges under way are gone; they still want http_exchange_free. NULL is legal.
void http_server_stop(struct http_server *server);

const struct http_message *http_exchange_message(const struct http_exchange *exchange);
// Answer. Headers are checked (http_header_check) and end in NUL; Content-Length, Transfer-Encoding and Date are set
// here. The body is copied. False with kind usage (a bad header, a second answer), or code "gone" when the client left.
bool http_exchange_reply(struct http_exchange *exchange, int status, const struct http_header *headers, size_t nheaders,
	const void *body, size_t len, struct err *err);
// Answer with a body that follows by http_exchange_write; length < 0: unknown, sent in chunks.
bool http_exchange_reply_stream(struct http_exchange *exchange, int status, const struct http_header *headers,
	size_t nheaders, int64_t length, struct err *err);
bool http_exchange_write(struct http_exchange *exchange, const void *data, size_t len, struct err *err);
// Bytes written and not yet sent: wait for the change callback while there are many.
size_t http_exchange_unsent(const struct http_exchange *exchange);
// End a streamed body. complete false: break the connection, so that the client sees a cut body.
void http_exchange_finish(struct http_exchange *exchange, bool complete);
// Close the connection without an answer.
void http_exchange_drop(struct http_exchange *exchange);
// The client left, or the server was stopped.
bool http_exchange_is_gone(const struct http_exchange *exchange);
// Call fn when bytes were sent or the client left. One at a time; NULL fn: no more.
void http_exchange_on_change(struct http_exchange *exchange, void (*fn)(void *arg), void *arg);
// Give it back; what was not answered or not finished is dropped. NULL is legal.
void http_exchange_free(struct http_exchange *exchange);

#endif
