// The libcurl engine: one easy handle a request, driven by the loop's multi handle, whose cache keeps connections.
// It ends in a flag and a call of `event`; it knows no Lua and never stops a request from inside a curl callback.
#include "io/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "io/loop.h"
#include "io/proxy.h"

enum {
	HEAD_LIMIT = 256 * 1024,    // of an answer
	STREAM_UNREAD = 256 * 1024, // pause a stream that is this far ahead of its reader
	MAX_REDIRECTS = 10,
	BUFFER_SIZE = 64 * 1024,
};

struct http_request {
	CURL *easy;
	struct curl_slist *headers;
	struct http_response *response;
	http_event *event;
	void *arg;
	char name[160]; // in messages
	char peer[160]; // host:port
	struct proxy proxy;
	uint16_t tried_port; // of the last address that was connected to
	int socket_error;    // EMFILE or ENFILE when that kept us from a socket
	double timeout, idle_timeout;
	size_t max_body, received;
	bool stream, paused, added;
	bool head_complete;   // its empty line has come
	const char *overflow; // "body" or "head": our limit that ended the transfer
	struct timer idle;
	int64_t start_us, progress_us;
	curl_off_t down, up;
	char curl_error[CURL_ERROR_SIZE];
};

// ---- what went wrong

struct failure {
	CURLcode code;
	const char *name;
	bool retryable;
	const char *what; // the quoted name follows
	const char *advice;
};

static const struct failure failures[] = {
	{CURLE_COULDNT_RESOLVE_PROXY, "COULDNT_RESOLVE_PROXY", true, "cannot resolve the proxy for",
		"is http_proxy or https_proxy right?"},
	{CURLE_COULDNT_RESOLVE_HOST, "COULDNT_RESOLVE_HOST", true, "cannot resolve the host of",
		"is the name right and the network up?"},
	{CURLE_COULDNT_CONNECT, "COULDNT_CONNECT", true, "cannot connect to", "is the server up?"},
	{CURLE_PEER_FAILED_VERIFICATION, "PEER_FAILED_VERIFICATION", false, "cannot trust the certificate of",
		"for a private CA set SSL_CERT_FILE"},
	{CURLE_SSL_CACERT_BADFILE, "SSL_CACERT_BADFILE", false, "cannot read the CA certificates for",
		"check SSL_CERT_FILE and CURL_CA_BUNDLE"},
	{CURLE_SSL_CONNECT_ERROR, "SSL_CONNECT_ERROR", true, "cannot start TLS with",
		"does the server speak https on this port?"},
	{CURLE_GOT_NOTHING, "GOT_NOTHING", true, "no answer from", "the server closed the connection; try again"},
	{CURLE_SEND_ERROR, "SEND_ERROR", true, "cannot send to", "the connection broke; try again"},
	{CURLE_RECV_ERROR, "RECV_ERROR", true, "cannot read the answer of", "the connection broke; try again"},
	{CURLE_PARTIAL_FILE, "PARTIAL_FILE", true, "a cut-short answer from", "try again"},
	{CURLE_HTTP2, "HTTP2", true, "a broken HTTP/2 connection to", "try again"},
	{CURLE_HTTP2_STREAM, "HTTP2_STREAM", true, "a broken HTTP/2 stream from", "try again"},
	{CURLE_TOO_MANY_REDIRECTS, "TOO_MANY_REDIRECTS", false, "too many redirects from", "check the URL"},
	{CURLE_UNSUPPORTED_PROTOCOL, "UNSUPPORTED_PROTOCOL", false, "refused the protocol of a URL of",
		"only http and https are spoken, and a redirect from https to http is refused"},
	{CURLE_URL_MALFORMAT, "URL_MALFORMAT", false, "cannot parse the URL of", "check its spelling"},
	{CURLE_BAD_CONTENT_ENCODING, "BAD_CONTENT_ENCODING", false, "cannot decompress the answer of",
		"try without compress"},
	{CURLE_WEIRD_SERVER_REPLY, "WEIRD_SERVER_REPLY", false, "no HTTP answer from", "is the port right?"},
	{CURLE_PROXY, "PROXY", true, "the proxy refused the way to", "check the proxy"},
};
static const struct failure other_failure = {
	CURLE_OK, "OTHER", false, "a failed exchange with", "see the cause in brackets"};

static const struct failure *failure_find(CURLcode code)
{
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].code == code)
			return &failures[i];
	return &other_failure;
}

// Was it the proxy that was connected to? Where its port is the server's too, the error's own words tell, if any do.
static bool is_at_proxy(const struct http_request *r)
{
	const char *port = strrchr(r->peer, ':');

	if (r->proxy.variable == NULL || r->tried_port != r->proxy.port)
		return false;
	if (port == NULL || strtoul(port + 1, NULL, 10) != r->proxy.port)
		return true;
	return strstr(r->curl_error, r->proxy.host) != NULL || (getenv("no_proxy") == NULL && getenv("NO_PROXY") == NULL);
}

// The cause as one lower-case phrase: the system's word for a refused connection, else libcurl's own sentence.
static void cause_print(const struct http_request *r, CURLcode code, char *out, size_t size)
{
	long os_error = 0;

	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error != 0)
		snprintf(out, size, "%s by %s", strerror((int)os_error), is_at_proxy(r) ? r->proxy.peer : r->peer);
	else
		snprintf(out, size, "%s", r->curl_error[0] != '\0' ? r->curl_error : curl_easy_strerror(code));
	if (isupper((unsigned char)out[0]) && islower((unsigned char)out[1]))
		out[0] = (char)tolower((unsigned char)out[0]);
}

static bool fail_timeout(struct http_request *r, const char *code, double seconds)
{
	if (strcmp(code, "connect") == 0 && is_at_proxy(r))
		return err_set_retryable(&r->response->err, ERR_TIMEOUT, code,
			"cannot connect to the proxy for '%s' (no connection to %s within %.3g s); is %s right?", r->name,
			r->proxy.peer, seconds, r->proxy.variable);
	if (strcmp(code, "connect") == 0)
		return err_set_retryable(&r->response->err, ERR_TIMEOUT, code,
			"cannot connect to '%s' (no connection to %s within %.3g s); is the server up?", r->name, r->peer, seconds);
	if (strcmp(code, "idle") == 0)
		return err_set_retryable(&r->response->err, ERR_TIMEOUT, code,
			"no byte from '%s' (%s silent for %.3g s); raise idle_timeout if it needs longer", r->name, r->peer,
			seconds);
	return err_set_retryable(&r->response->err, ERR_TIMEOUT, code,
		"no complete answer from '%s' (%s took longer than %.3g s); raise timeout if it needs longer", r->name, r->peer,
		seconds);
}

static bool is_connected(const struct http_request *r)
{
	curl_off_t us = 0;

	curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0;
}

// What a proxy did: true when it is to blame, and said.
static bool fail_proxy(struct http_request *r, CURLcode code, const char *cause)
{
	struct err *err = &r->response->err;
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	if (code == CURLE_COULDNT_CONNECT && is_at_proxy(r))
		return !err_set_retryable(err, ERR_HTTP, "COULDNT_CONNECT",
			"cannot connect to the proxy for '%s' (%s); is %s right?", r->name, cause, r->proxy.variable);
	if (status < 300 || r->proxy.variable == NULL)
		return false;
	err_set(err, ERR_HTTP, "PROXY",
		"the proxy %s refuses the way to '%s' (status %ld); check %s, or except the host by "
		"no_proxy",
		r->proxy.peer, r->name, status, r->proxy.variable);
	err->retryable = status >= 500;
	return true;
}

static void fail_curl(struct http_request *r, CURLcode code)
{
	const struct failure *f = failure_find(code);
	struct err *err = &r->response->err;
	double elapsed = r->response->elapsed;
	char cause[CURL_ERROR_SIZE + 64];

	if (code == CURLE_OPERATION_TIMEDOUT) {
		bool total = r->timeout > 0 && elapsed + 0.002 >= r->timeout;
		fail_timeout(r, total || is_connected(r) ? "total" : "connect", elapsed);
		return;
	}
	if (code == CURLE_OUT_OF_MEMORY) {
		err_no_memory(err);
		return;
	}
	if (code == CURLE_COULDNT_CONNECT && r->socket_error != 0) {
		err_set(err, ERR_HTTP, f->name, "%s '%s' (%s); allow more open files (ulimit -n)", f->what, r->name,
			strerror(r->socket_error));
		return;
	}
	cause_print(r, code, cause, sizeof cause);
	if (fail_proxy(r, code, cause))
		return;
	if (f->retryable)
		err_set_retryable(err, ERR_HTTP, f->name, "%s '%s' (%s); %s", f->what, r->name, cause, f->advice);
	else
		err_set(err, ERR_HTTP, f->name, "%s '%s' (%s); %s", f->what, r->name, cause, f->advice);
}

static void fail_overflow(struct http_request *r)
{
	if (strcmp(r->overflow, "memory") == 0)
		err_no_memory(&r->response->err);
	else if (strcmp(r->overflow, "head") == 0)
		err_set(&r->response->err, ERR_LIMIT, "head", "the answer of '%s' is refused (its headers exceed %d bytes)",
			r->name, HEAD_LIMIT);
	else
		err_set(&r->response->err, ERR_LIMIT, "body",
			"the answer of '%s' is refused (its body exceeds %zu bytes); raise max_body or ask for less", r->name,
			r->max_body);
}

// ---- the end

static void request_end(struct http_request *r)
{
	timer_stop(&r->idle);
	r->response->ended = true;
	r->event(r->arg);
}

static void read_info(struct http_request *r)
{
	long status = 0, version = 0;
	char *url = NULL;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(r->easy, CURLINFO_EFFECTIVE_URL, &url);
	r->response->status = (int)status;
	r->response->version = version == CURL_HTTP_VERSION_1_0   ? 10
						   : version == CURL_HTTP_VERSION_1_1 ? 11
						   : version == CURL_HTTP_VERSION_2_0 ? 20
															  : 0;
	buf_clear(&r->response->url);
	if (url != NULL && !buf_puts(&r->response->url, url))
		r->overflow = "memory";
}

static void on_transfer_done(void *easy, int curl_code)
{
	struct http_request *r = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
	r->response->elapsed = (double)(clock_mono_us() - r->start_us) / 1e6;
	read_info(r);
	if (curl_code == CURLE_OK && !r->head_complete) // libcurl takes a head that is cut short for a whole answer
		curl_code = CURLE_PARTIAL_FILE;
	if (r->overflow != NULL)
		fail_overflow(r);
	else if (curl_code != CURLE_OK)
		fail_curl(r, (CURLcode)curl_code);
	request_end(r);
}

static void on_idle(struct timer *timer)
{
	struct http_request *r = (struct http_request *)(void *)((char *)timer - offsetof(struct http_request, idle));
	double quiet;

	if (r->paused || !is_connected(r)) // a slow reader is no fault of the server; connecting has its own limit
		r->progress_us = clock_mono_us();
	quiet = (double)(clock_mono_us() - r->progress_us) / 1e6;
	if (quiet < r->idle_timeout) {
		timer_start(timer, r->idle_timeout - quiet, on_idle);
		return;
	}
	r->response->elapsed = (double)(clock_mono_us() - r->start_us) / 1e6;
	fail_timeout(r, "idle", r->idle_timeout);
	request_end(r);
}

// ---- curl's callbacks

// Curl hands over whole lines; a new status line begins a new answer (100 Continue, a redirect that is followed).
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	struct buf *head = &r->response->head;

	r->progress_us = clock_mono_us();
	if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		buf_clear(head);
		r->head_complete = false;
	}
	if (n > 0 && (data[0] == '\r' || data[0] == '\n'))
		r->head_complete = true;
	if (head->len + size * n > HEAD_LIMIT)
		r->overflow = "head";
	else if (!buf_put(head, data, size * n))
		r->overflow = "memory";
	return r->overflow == NULL ? size * n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	struct http_response *response = r->response;

	r->progress_us = clock_mono_us();
	if (r->stream && response->body.len >= STREAM_UNREAD) {
		r->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	r->received += size * n;
	if (r->max_body > 0 && r->received > r->max_body)
		r->overflow = "body";
	else if (!buf_put(&response->body, data, size * n))
		r->overflow = "memory";
	if (r->overflow != NULL)
		return 0; // anything but the length ends the transfer
	if (r->stream) {
		if (response->status == 0)
			read_info(r);
		r->event(r->arg);
	}
	return size * n;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct http_request *r = arg;

	(void)down_total, (void)up_total;
	if (down != r->down || up != r->up)
		r->progress_us = clock_mono_us();
	r->down = down;
	r->up = up;
	return 0;
}

// ---- the start

static bool is_token(const char *text, size_t len)
{
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x7f || (!isalnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)))
			return false;
	}
	return true;
}

bool http_header_check(const struct http_header *header, struct err *err)
{
	if (!is_token(header->name, header->name_len))
		return err_set(err, ERR_USAGE, "header", "cannot send a header (its name is not an HTTP token)");
	for (size_t i = 0; i < header->value_len; i++)
		if (header->value[i] == '\r' || header->value[i] == '\n' || header->value[i] == '\0')
			return err_set(err, ERR_USAGE, "header",
				"cannot send the header '%.*s' (its value holds a line break or NUL)",
				header->name_len > 64 ? 64 : (int)header->name_len, header->name);
	return true;
}

static bool has_header(const struct http_options *o, const char *name)
{
	for (size_t i = 0; i < o->nheaders; i++)
		if (strlen(name) == o->headers[i].name_len && curl_strnequal(name, o->headers[i].name, strlen(name)))
			return true;
	return false;
}

static bool header_append(struct http_request *r, const char *line)
{
	struct curl_slist *list = line != NULL ? curl_slist_append(r->headers, line) : NULL;

	if (list == NULL)
		return false;
	r->headers = list;
	return true;
}

static bool build_headers(struct http_request *r, const struct http_options *o, struct err *err)
{
	struct buf line = {0};
	bool ok = true;

	for (size_t i = 0; i < o->nheaders && ok; i++) {
		const struct http_header *h = &o->headers[i];
		if (!http_header_check(h, err)) {
			buf_free(&line);
			return false;
		}
		buf_clear(&line);
		ok = buf_put(&line, h->name, h->name_len) && // "Name;" is curl's spelling of an empty value
			 (h->value_len == 0 ? buf_puts(&line, ";")
								: buf_puts(&line, ": ") && buf_put(&line, h->value, h->value_len)) &&
			 header_append(r, line.data);
	}
	buf_free(&line);
	if (ok && !has_header(o, "Expect")) // curl would wait a second for 100 Continue before larger bodies
		ok = header_append(r, "Expect:");
	if (ok && o->body != NULL && !has_header(o, "Content-Type")) // curl would claim a form
		ok = header_append(r, "Content-Type:");
	return ok || err_no_memory(err);
}

// A proxy elsewhere cannot reach this machine's servers, but would read what is meant for them.
static void find_proxy(struct http_request *r, const char *scheme, const char *host)
{
	if (!proxy_find(&r->proxy, scheme) || !proxy_is_this_machine(host) || proxy_is_this_machine(r->proxy.host))
		return;
	curl_easy_setopt(r->easy, CURLOPT_PROXY, "");
	r->proxy.variable = NULL;
}

// Host and port for messages; the rest of a URL may hold secrets and is never shown.
static bool name_peer(struct http_request *r, const struct http_options *o, struct err *err)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *scheme = NULL;
	CURLUcode rc = u == NULL ? CURLUE_OUT_OF_MEMORY : curl_url_set(u, CURLUPART_URL, o->url, CURLU_NON_SUPPORT_SCHEME);
	bool ok = rc == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
			  curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK;

	if (ok && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		ok = err_set(err, ERR_USAGE, "url", "cannot ask a URL of '%s' (its scheme is '%.16s'); use http or https",
			o->name != NULL ? o->name : host, scheme);
	else if (!ok)
		err_set(err, ERR_USAGE, "url", "cannot parse the URL of '%s' (%s); give scheme, host and path",
			o->name != NULL ? o->name : "http", rc != CURLUE_OK ? curl_url_strerror(rc) : "no host or no scheme");
	if (ok)
		find_proxy(r, scheme, host);
	if (ok && curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		snprintf(r->peer, sizeof r->peer, "%s:%s", host, port);
	snprintf(r->name, sizeof r->name, "%s", o->name != NULL ? o->name : r->peer);
	curl_free(host);
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(u);
	return ok;
}

// Make the socket as libcurl would, and note where it leads.
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_request *r = arg;
	struct sockaddr_in6 to = {0}; // the port lies where sockaddr_in has it
	curl_socket_t fd;

	(void)purpose;
	if (address->addrlen >= sizeof(struct sockaddr_in) && address->addrlen <= sizeof to) {
		memcpy(&to, &address->addr, address->addrlen);
		r->tried_port = ntohs(to.sin6_port);
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		r->socket_error = errno;
	return fd;
}

static bool set_method(CURL *easy, const struct http_options *o)
{
	bool plain = o->body == NULL;
	CURLcode rc = CURLE_OK;

	if (plain && strcmp(o->method, "GET") == 0)
		rc = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	else if (plain && strcmp(o->method, "HEAD") == 0)
		rc = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, o->method);
	if (rc == CURLE_OK && (!plain || strcmp(o->method, "POST") == 0)) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
		rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, plain ? "" : o->body);
	}
	return rc == CURLE_OK;
}

static bool set_redirects(CURL *easy, const struct http_options *o)
{
	bool safe = o->body == NULL && (strcmp(o->method, "GET") == 0 || strcmp(o->method, "HEAD") == 0);
	const char *allowed = curl_strnequal(o->url, "https:", 6) ? "https" : "http,https";

	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, o->follow && safe ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, allowed) == CURLE_OK;
}

static bool set_trust(CURL *easy)
{
	const char *file = getenv("CURL_CA_BUNDLE"), *dir = getenv("SSL_CERT_DIR");

	if (file == NULL || file[0] == '\0')
		file = getenv("SSL_CERT_FILE");
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); // at least
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	return (file == NULL || file[0] == '\0' || curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK) &&
		   (dir == NULL || dir[0] == '\0' || curl_easy_setopt(easy, CURLOPT_CAPATH, dir) == CURLE_OK);
}

static long milliseconds(double seconds)
{
	if (seconds <= 0)
		return 0;
	return seconds < 0.001 ? 1 : seconds > 1e6 ? 1000000000L : (long)(seconds * 1000);
}

static void set_callbacks(struct http_request *r)
{
	curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(r->easy, CURLOPT_XFERINFODATA, r);
	curl_easy_setopt(r->easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETDATA, r);
}

static bool set_options(struct http_request *r, const struct http_options *o, struct err *err)
{
	CURL *easy = r->easy;
	bool ok;

	set_callbacks(r);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(o->timeout));
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(o->connect_timeout));
	ok = curl_easy_setopt(easy, CURLOPT_URL, o->url) == CURLE_OK &&
		 curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK && set_method(easy, o) &&
		 set_redirects(easy, o) && set_trust(easy);
	if (ok && o->user_agent != NULL)
		ok = curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent) == CURLE_OK;
	if (ok && o->compress)
		ok = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK;
	return ok || err_no_memory(err);
}

static bool request_add(struct http_request *r, struct err *err)
{
	CURLMcode rc;

	loop_on_transfer_done(on_transfer_done);
	r->start_us = r->progress_us = clock_mono_us();
	rc = curl_multi_add_handle(loop_curl_multi(), r->easy);
	if (rc != CURLM_OK)
		return err_set(
			err, ERR_INTERNAL, NULL, "cannot start a request to '%s' (%s)", r->name, curl_multi_strerror(rc));
	r->added = true;
	if (r->idle_timeout > 0)
		timer_start(&r->idle, r->idle_timeout, on_idle);
	return true;
}

struct http_request *http_start(
	const struct http_options *options, struct http_response *response, http_event *event, void *arg, struct err *err)
{
	struct http_request *r;

	if (!is_token(options->method, strlen(options->method))) {
		err_set(err, ERR_USAGE, "method", "cannot send a request (its method is not an HTTP token)");
		return NULL;
	}
	r = calloc(1, sizeof *r);
	if (r == NULL || (r->easy = curl_easy_init()) == NULL) {
		free(r);
		err_no_memory(err);
		return NULL;
	}
	r->response = response;
	r->event = event;
	r->arg = arg;
	r->timeout = options->timeout;
	r->idle_timeout = options->idle_timeout;
	r->max_body = options->max_body;
	r->stream = options->stream;
	if (name_peer(r, options, err) && build_headers(r, options, err) && set_options(r, options, err) &&
		request_add(r, err))
		return r;
	http_stop(r);
	return NULL;
}

void http_stop(struct http_request *request)
{
	if (request == NULL)
		return;
	timer_stop(&request->idle);
	if (request->added)
		curl_multi_remove_handle(loop_curl_multi(), request->easy);
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	free(request);
}

void http_resume(struct http_request *request)
{
	if (request == NULL || !request->paused)
		return;
	request->paused = false;
	request->progress_us = clock_mono_us();
	curl_easy_pause(request->easy, CURLPAUSE_CONT);
}

void http_response_free(struct http_response *response)
{
	buf_free(&response->head);
	buf_free(&response->body);
	buf_free(&response->url);
}

bool http_head_next(const char **at, const char *end, struct http_header *out)
{
	while (*at < end) {
		const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line)), *colon;
		*at = stop != NULL ? stop + 1 : end;
		stop = stop != NULL ? stop : end;
		colon = memchr(line, ':', (size_t)(stop - line));
		if (colon == NULL || colon == line)
			continue;
		out->name = line;
		out->name_len = (size_t)(colon - line);
		for (line = colon + 1; line < stop && (*line == ' ' || *line == '\t');)
			line++;
		while (stop > line && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
			stop--;
		out->value = line;
		out->value_len = (size_t)(stop - line);
		return true;
	}
	return false;
}

int64_t http_date_parse(const char *text)
{
	return (int64_t)curl_getdate(text, NULL);
}
