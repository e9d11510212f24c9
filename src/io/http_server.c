// libmicrohttpd under the loop: its epoll descriptor is watched, its timeout is a timer, requests suspend their
// connection. Knows no Lua. MHD_DAEMON_INFO_EPOLL_FD is Linux only; elsewhere MHD_get_fdset would take its place.
#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "io/loop.h"

enum { STREAM_BLOCK = 64 * 1024, POOL_MIN = 128 * 1024, BACKLOG = 256 };

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_server_options options;
	void (*on_request)(void *arg, struct http_exchange *exchange);
	void *arg;
	struct watch watch;
	struct timer timer;
	struct http_exchange *exchanges; // whose connection is alive
	uint16_t port;
};

enum state {
	STATE_NEW,      // the request line was read
	STATE_READING,  // the body arrives
	STATE_WAITING,  // complete: it is the consumer's turn
	STATE_ANSWERED, // the response waits to be queued
	STATE_SENDING,  // libmicrohttpd has the response
	STATE_DROPPED   // to be closed without an answer, or closed
};

struct http_exchange {
	struct http_server *server; // NULL once the connection let go of it
	struct MHD_Connection *connection;
	struct http_message message;
	enum state state;
	bool held;      // the consumer has it
	bool suspended; // libmicrohttpd sleeps on the connection
	bool gone, ended, complete;
	struct MHD_Response *response;
	int status;
	struct buf out;     // streamed bytes
	size_t out_at;      // of which so many are sent
	struct watch watch; // on the client's socket while suspended: libmicrohttpd does not look then
	void (*changed)(void *arg);
	void *changed_arg;
	struct http_exchange *next, *prev;
};

// ---- the daemon's turn

static void server_on_timer(struct timer *timer);

static void server_run(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		timer_start(&s->timer, (double)ms / 1e3, server_on_timer);
	else
		timer_stop(&s->timer);
}

static void server_on_timer(struct timer *timer)
{
	server_run((struct http_server *)(void *)((char *)timer - offsetof(struct http_server, timer)));
}

static void server_on_epoll(struct watch *watch, short revents)
{
	(void)revents;
	server_run((struct http_server *)(void *)((char *)watch - offsetof(struct http_server, watch)));
}

// ---- exchanges: life and sleep

static void exchange_destroy(struct http_exchange *x)
{
	buf_free(&x->message.method);
	buf_free(&x->message.target);
	buf_free(&x->message.head);
	buf_free(&x->message.body);
	buf_free(&x->out);
	free(x);
}

static void exchange_changed(struct http_exchange *x)
{
	if (x->changed != NULL)
		x->changed(x->changed_arg);
}

static void exchange_resume(struct http_exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	watch_stop(&x->watch);
	MHD_resume_connection(x->connection);
	timer_start(&x->server->timer, 0, server_on_timer); // a resumed connection moves only in MHD_run
}

static void exchange_set_gone(struct http_exchange *x)
{
	x->gone = true;
	if (x->state == STATE_WAITING)
		x->state = STATE_DROPPED;
	exchange_resume(x);
	exchange_changed(x);
}

static void exchange_on_peer(struct watch *watch, short revents)
{
	struct http_exchange *x = (struct http_exchange *)(void *)((char *)watch - offsetof(struct http_exchange, watch));
	char byte;
	ssize_t n = recv(watch->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)revents;
	if (n > 0)
		watch_stop(watch); // the next request, already: it can wait, and a leave can no longer be seen
	else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		exchange_set_gone(x);
}

static void exchange_suspend(struct http_exchange *x)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	MHD_suspend_connection(x->connection);
	x->suspended = true;
	if (info != NULL)
		watch_start(&x->watch, info->connect_fd, POLLIN, exchange_on_peer);
}

// The connection lets go: answered in full, broken or closed.
static void exchange_detach(struct http_exchange *x)
{
	struct http_server *s = x->server;

	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		s->exchanges = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	watch_stop(&x->watch);
	if (x->response != NULL)
		MHD_destroy_response(x->response);
	x->response = NULL;
	x->server = NULL;
	x->connection = NULL;
	x->suspended = false;
	if (!x->held)
		exchange_destroy(x);
}

// ---- libmicrohttpd's callbacks

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct http_server *s = arg;
	struct http_exchange *x = calloc(1, sizeof *x);

	if (x == NULL || !buf_puts(&x->message.target, uri)) {
		free(x);
		return NULL;
	}
	x->server = s;
	x->connection = connection;
	x->next = s->exchanges;
	if (x->next != NULL)
		x->next->prev = x;
	s->exchanges = x;
	return x;
}

static void on_completed(
	void *arg, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code)
{
	struct http_exchange *x = *request;

	(void)arg, (void)connection;
	*request = NULL;
	if (x == NULL)
		return;
	x->state = STATE_DROPPED;
	if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		x->gone = true;
	exchange_changed(x);
	exchange_detach(x);
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct buf *head = arg;

	(void)kind;
	return buf_printf(head, "%s: %s\r\n", name, value != NULL ? value : "") ? MHD_YES : MHD_NO;
}

static void read_remote(struct http_exchange *x)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct http_message *m = &x->message;

	if (info == NULL || info->client_addr == NULL)
		return;
	if (info->client_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)info->client_addr;
		m->remote_port = ntohs(v6->sin6_port);
		inet_ntop(AF_INET6, &v6->sin6_addr, m->remote, sizeof m->remote);
	} else if (info->client_addr->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)info->client_addr;
		m->remote_port = ntohs(v4->sin_port);
		inet_ntop(AF_INET, &v4->sin_addr, m->remote, sizeof m->remote);
	}
}

static enum MHD_Result refuse_head(struct http_exchange *x)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Connection", "close");
	queued = MHD_queue_response(x->connection, (unsigned)x->server->options.max_head_status, response);
	MHD_destroy_response(response);
	x->state = STATE_SENDING;
	return queued;
}

static enum MHD_Result read_head(struct http_exchange *x, const char *method, const char *version)
{
	struct http_message *m = &x->message;
	size_t size;

	if (!buf_puts(&m->method, method) ||
		MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_header, &m->head) < 0)
		return MHD_NO;
	read_remote(x);
	size = m->method.len + m->target.len + strlen(version) + 4 + m->head.len + 2;
	if (size > x->server->options.max_head)
		return refuse_head(x);
	x->state = STATE_READING;
	return MHD_YES;
}

static enum MHD_Result read_body(struct http_exchange *x, const char *data, size_t *len)
{
	struct http_message *m = &x->message;
	size_t limit = x->server->options.max_body, n = *len;

	*len = 0;
	if (limit > 0 && m->body.len + n > limit)
		m->too_large = true;
	if (!m->too_large)
		return buf_put(&m->body, data, n) ? MHD_YES : MHD_NO;
	buf_free(&m->body); // the rest is read and forgotten, so that the client sees the answer and not a reset
	return MHD_YES;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *len, void **request)
{
	struct http_exchange *x = *request;
	enum MHD_Result queued;

	(void)arg, (void)url;
	if (x == NULL)
		return MHD_NO;
	if (x->state == STATE_NEW)
		return read_head(x, method, version);
	if (x->state == STATE_READING && *len > 0)
		return read_body(x, data, len);
	if (x->state == STATE_READING) {
		x->state = STATE_WAITING;
		x->held = true;
		exchange_suspend(x);
		x->server->on_request(x->server->arg, x);
		return MHD_YES;
	}
	if (x->state != STATE_ANSWERED)
		return MHD_NO;
	x->state = STATE_SENDING;
	queued = MHD_queue_response(connection, (unsigned)x->status, x->response);
	MHD_destroy_response(x->response); // libmicrohttpd keeps its own reference
	x->response = NULL;
	return queued;
}

// ---- answering

static bool answer_is_due(struct http_exchange *x, struct err *err)
{
	if (x->gone || x->server == NULL)
		return err_set(err, ERR_HTTP, "gone", "cannot answer the request (the client has left)");
	if (x->state != STATE_WAITING)
		return err_set(err, ERR_USAGE, "answered", "cannot answer the request (it has been answered)");
	return true;
}

static bool status_check(int status, struct err *err)
{
	return (status >= 200 && status <= 599) ||
		   err_set(err, ERR_USAGE, "status", "cannot answer with the status '%d' (not of 200 to 599)", status);
}

static bool headers_check(const struct http_header *headers, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!http_header_check(&headers[i], err))
			return false;
	return true;
}

static bool is_ours(const char *name)
{
	return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0 ||
		   strcasecmp(name, "Date") == 0;
}

// Hand the response over: headers on, connection awake. Takes the response, which may be NULL (no memory).
static bool answer(struct http_exchange *x, int status, struct MHD_Response *response,
	const struct http_header *headers, size_t n, struct err *err)
{
	bool ok = response != NULL;

	for (size_t i = 0; i < n && ok; i++)
		ok = is_ours(headers[i].name) || headers[i].value_len == 0 ||
			 MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
	if (!ok) {
		if (response != NULL)
			MHD_destroy_response(response);
		return response == NULL ? err_no_memory(err)
								: err_set(err, ERR_USAGE, "header", "cannot answer (a header is not acceptable)");
	}
	x->response = response;
	x->status = status;
	x->state = STATE_ANSWERED;
	exchange_resume(x);
	return true;
}

bool http_exchange_reply(struct http_exchange *exchange, int status, const struct http_header *headers, size_t nheaders,
	const void *body, size_t len, struct err *err)
{
	struct MHD_Response *response;
	char nothing = 0;

	if (!answer_is_due(exchange, err) || !status_check(status, err) || !headers_check(headers, nheaders, err))
		return false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
	response = MHD_create_response_from_buffer(len, len > 0 ? (void *)body : &nothing, MHD_RESPMEM_MUST_COPY);
#pragma GCC diagnostic pop
	return answer(exchange, status, response, headers, nheaders, err);
}

static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct http_exchange *x = arg;
	size_t unsent = http_exchange_unsent(x), n = unsent < max ? unsent : max;

	(void)pos;
	if (n > 0) {
		memcpy(out, x->out.data + x->out_at, n);
		x->out_at += n;
		exchange_changed(x);
		return (ssize_t)n;
	}
	if (x->gone || (x->ended && !x->complete))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (x->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	exchange_suspend(x);
	return 0;
}

bool http_exchange_reply_stream(struct http_exchange *exchange, int status, const struct http_header *headers,
	size_t nheaders, int64_t length, struct err *err)
{
	struct MHD_Response *response;
	uint64_t size = length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)length;

	if (!answer_is_due(exchange, err) || !status_check(status, err) || !headers_check(headers, nheaders, err))
		return false;
	response = MHD_create_response_from_callback(size, STREAM_BLOCK, on_read, exchange, NULL);
	return answer(exchange, status, response, headers, nheaders, err);
}

bool http_exchange_write(struct http_exchange *exchange, const void *data, size_t len, struct err *err)
{
	if (exchange->gone || exchange->server == NULL)
		return err_set(err, ERR_HTTP, "gone", "cannot write the answer (the client has left)");
	if (exchange->ended || (exchange->state != STATE_ANSWERED && exchange->state != STATE_SENDING))
		return err_set(err, ERR_USAGE, "state", "cannot write the answer (it is not under way)");
	buf_shift(&exchange->out, exchange->out_at);
	exchange->out_at = 0;
	if (!buf_put(&exchange->out, data, len))
		return err_no_memory(err);
	if (exchange->state == STATE_SENDING)
		exchange_resume(exchange);
	return true;
}

size_t http_exchange_unsent(const struct http_exchange *exchange)
{
	return exchange->out.len - exchange->out_at;
}

void http_exchange_finish(struct http_exchange *exchange, bool complete)
{
	if (exchange->ended)
		return;
	exchange->ended = true;
	exchange->complete = complete;
	exchange_resume(exchange);
}

void http_exchange_drop(struct http_exchange *exchange)
{
	if (exchange->state == STATE_WAITING) {
		exchange->state = STATE_DROPPED;
		exchange_resume(exchange);
	} else {
		http_exchange_finish(exchange, false);
	}
}

const struct http_message *http_exchange_message(const struct http_exchange *exchange)
{
	return &exchange->message;
}

bool http_exchange_is_gone(const struct http_exchange *exchange)
{
	return exchange->gone || exchange->server == NULL;
}

void http_exchange_on_change(struct http_exchange *exchange, void (*fn)(void *arg), void *arg)
{
	exchange->changed = fn;
	exchange->changed_arg = arg;
}

void http_exchange_free(struct http_exchange *exchange)
{
	if (exchange == NULL)
		return;
	exchange->changed = NULL;
	exchange->held = false;
	if (exchange->server == NULL)
		exchange_destroy(exchange);
	else
		http_exchange_drop(exchange);
}

// ---- the server

static bool address_parse(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof *v4;
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	*len = sizeof *v6;
	return true;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;

	getsockname(fd, (struct sockaddr *)&address, &len);
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

// A listening socket of our own, since libmicrohttpd does not say why it cannot have one.
static int listen_open(const struct http_server_options *o, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = 0;
	int fd, yes = 1;

	if (!address_parse(o->host, o->port, &address, &len)) {
		err_set(
			err, ERR_USAGE, "host", "cannot listen on '%s' (not a numeric address); give one as 127.0.0.1", o->host);
		return -1;
	}
	fd = socket(address.ss_family, SOCK_STREAM, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
		bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, BACKLOG) == 0 &&
		fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	err_set(err, ERR_HTTP, "LISTEN", "cannot listen on '%s:%u' (%s); is the port taken?", o->host, (unsigned)o->port,
		strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct MHD_Daemon *daemon_start(struct http_server *s, int fd)
{
	size_t pool = s->options.max_head * 4 > POOL_MIN ? s->options.max_head * 4 : POOL_MIN;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

	return MHD_start_daemon(flags, 0, NULL, NULL, on_access, s, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool, MHD_OPTION_CONNECTION_TIMEOUT, s->options.idle_timeout,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, // the host ignores it
		MHD_OPTION_END);
}

struct http_server *http_server_start(const struct http_server_options *options,
	void (*on_request)(void *arg, struct http_exchange *exchange), void *arg, struct err *err)
{
	struct http_server *s = calloc(1, sizeof *s);
	const union MHD_DaemonInfo *info;
	int fd;

	if (s == NULL) {
		err_no_memory(err);
		return NULL;
	}
	s->options = *options;
	s->options.host = NULL; // borrowed, and not needed any more
	s->on_request = on_request;
	s->arg = arg;
	fd = listen_open(options, err);
	s->port = fd >= 0 ? bound_port(fd) : 0;
	s->daemon = fd >= 0 ? daemon_start(s, fd) : NULL;
	info = s->daemon != NULL ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info == NULL) {
		if (fd >= 0) // libmicrohttpd has closed the socket
			err_set(err, ERR_INTERNAL, NULL, "cannot start the HTTP server (libmicrohttpd refused)");
		http_server_stop(s);
		return NULL;
	}
	watch_start(&s->watch, info->epoll_fd, POLLIN, server_on_epoll);
	return s;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_stop(struct http_server *server)
{
	if (server == NULL)
		return;
	for (struct http_exchange *x = server->exchanges; x != NULL; x = x->next)
		exchange_set_gone(x); // "You must explicitly resume all connections before stopping the daemon."
	watch_stop(&server->watch);
	timer_stop(&server->timer);
	if (server->daemon != NULL)
		MHD_stop_daemon(server->daemon);
	free(server);
}
