// The HTTP client: one request over libcurl and the loop. Knows nothing of Lua, of retries or of what bodies mean.
#ifndef SYNCRUN_IO_HTTP_H
#define SYNCRUN_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct http_header {
	const char *name, *value;
	size_t name_len, value_len;
};

struct http_options {
	const char *name;   // whom messages speak of, "twenty"; NULL: host and port of the URL
	const char *method; // as sent: "GET", "PATCH"
	const char *url;    // absolute, http or https
	const struct http_header *headers;
	size_t nheaders;
	const char *user_agent; // NULL: none is sent, unless among the headers
	const char *body;       // NULL: none. Borrowed until the end or http_stop
	size_t body_len;
	double timeout;         // seconds for the whole exchange; 0: no limit; so for the next two
	double connect_timeout; // until a connection stands, TLS included
	double idle_timeout;    // without a byte in either direction; not counted while the reader is slow
	size_t max_body;        // bytes, decompressed; 0: no limit
	bool compress;          // offer gzip, deflate, br; the body arrives decompressed
	bool follow;            // follow redirects (at most 10, never from https to http); GET and HEAD without body only
	bool stream;            // hand the body over as it comes (http_resume)
};

struct http_response {
	int status;      // 200; 0 before there is one
	int version;     // 10, 11, 20; 0 when unknown
	struct buf head; // status line and header lines of the last answer, CR LF each
	struct buf body; // when streamed: what was not taken yet
	struct buf url;  // where it came from, after redirects
	double elapsed;  // seconds, once ended
	bool ended;
	struct err err; // once ended: ERR_NONE, or what went wrong
};

struct http_request;

// Called when a streamed body has new bytes (from inside libcurl: only note it; do not stop the request when it has not
// ended), and once at the end with response->ended set (then http_stop is legal).
typedef void http_event(void *arg);

// Start it. The response must stay put until http_stop; it is not cleared by http_stop. NULL with *err on refusal.
// Errors are of kind http (code = the name of libcurl's code, "COULDNT_CONNECT"), timeout (code "connect", "idle",
// "total"), limit (code "body" or "head") or usage. TLS is verified always; proxies and CA files come from the usual
// environment, and a proxy that is in the way is named. A body that is cut short is an error.
struct http_request *http_start(
	const struct http_options *options, struct http_response *response, http_event *event, void *arg, struct err *err);
// End it at whatever state and give its memory back. NULL is legal.
void http_stop(struct http_request *request);
// Streams: bytes of response->body were taken, more may come. May call `event` (bytes held back arrive at once).
void http_resume(struct http_request *request);

void http_response_free(struct http_response *response);
// RFC 9110 5.1 and 5.5: a token as name, no CR, LF or NUL in the value.
bool http_header_check(const struct http_header *header, struct err *err);
// The next "Name: value" line of a head between *at and end; status lines and lines without a colon are passed over.
// The pointers borrow from the head. False at its end.
bool http_head_next(const char **at, const char *end, struct http_header *out);
// An HTTP date (RFC 9110 5.6.7) as seconds since 1970, or -1.
int64_t http_date_parse(const char *text);

#endif
