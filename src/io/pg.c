// libpq over the loop. With pg_uri.c the only file that sees libpq-fe.h. Knows nothing of Lua or of pages of rows.
//
// libpq may change its socket at any step, so no watch outlives a step: each wait registers the socket anew.
#include "io/pg.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redact.h"
#include "base/thread.h"
#include "io/loop.h"
#include "io/pg_uri.h"
#include "io/resolve.h"

enum { KEYWORDS_MAX = 96, SQLSTATE_LEN = 5 };

enum state {
	CLOSED,
	RESOLVING,
	CONNECTING,
	IDLE,
	BUSY, // results are to be read
	COPYING_IN,
	COPYING_OUT
};

struct pg {
	PGconn *conn;
	enum state state;
	struct watch watch;
	short events;
	void (*ready)(void *ctx);
	void *ctx;
	// Until the connection attempt begins:
	struct pg_uri *uri;
	struct resolve *resolve; // of those of its hosts that need it, in their order
	bool resolved;
	bool insecure, away, forced; // away: a host is another machine; forced: TLS is, by us
	// While a statement runs:
	bool lost, pipeline;
	int64_t stirred;  // when the socket was last ready
	size_t answered;  // statements of the pipeline that are done
	struct err first; // its first error
	char *chunk;      // libpq's memory of the last COPY chunk
	char name[64], application[64], where[PG_WHERE_SIZE], why[128];
};

struct pg *pg_new(void)
{
	struct pg *pg = calloc(1, sizeof *pg);

	if (pg != NULL) {
		snprintf(pg->name, sizeof pg->name, "postgres");
		snprintf(pg->why, sizeof pg->why, "never opened");
	}
	return pg;
}

static void forget_uri(struct pg *pg)
{
	pg_uri_free(pg->uri);
	pg->uri = NULL;
	resolve_free(pg->resolve);
	pg->resolve = NULL;
}

static void drop_chunk(struct pg *pg)
{
	if (pg->chunk != NULL)
		PQfreemem(pg->chunk);
	pg->chunk = NULL;
}

static void close_now(struct pg *pg, const char *why)
{
	if (pg->state == CLOSED)
		return;
	watch_stop(&pg->watch);
	pg->ready = NULL;
	forget_uri(pg);
	drop_chunk(pg);
	PQfinish(pg->conn); // never blocks: the socket is non-blocking, and the farewell is sent as far as it goes
	pg->conn = NULL;
	pg->state = CLOSED;
	snprintf(pg->why, sizeof pg->why, "%s", why);
}

void pg_free(struct pg *pg)
{
	if (pg == NULL)
		return;
	pg_discard(pg, "closed");
	free(pg);
}

static void *cancel_main(void *arg)
{
	PGcancel *cancel = arg;
	char ignored[256];

	PQcancel(cancel, ignored, sizeof ignored); // best effort: the connection is gone either way
	PQfreeCancel(cancel);
	return NULL;
}

static void request_cancel(struct pg *pg)
{
	PGcancel *cancel = PQgetCancel(pg->conn);

	if (cancel != NULL && !thread_run(cancel_main, cancel))
		PQfreeCancel(cancel);
}

void pg_discard(struct pg *pg, const char *why)
{
	if (pg->state >= BUSY && !pg->lost)
		request_cancel(pg);
	close_now(pg, why);
}

bool pg_is_open(const struct pg *pg)
{
	return pg->state >= IDLE;
}

bool pg_is_idle(const struct pg *pg)
{
	return pg->state == IDLE;
}

bool pg_is_exposed(const struct pg *pg)
{
	return pg_is_open(pg) && !PQsslInUse(pg->conn) && PQhostaddr(pg->conn) != NULL &&
		   !pg_uri_is_local(PQhostaddr(pg->conn));
}

int pg_backend(const struct pg *pg)
{
	return pg_is_open(pg) ? PQbackendPID(pg->conn) : 0;
}

int64_t pg_stirred(const struct pg *pg)
{
	return pg->stirred;
}

const char *pg_name(const struct pg *pg)
{
	return pg->name;
}

const char *pg_where(const struct pg *pg)
{
	return pg->where;
}

// ---- errors ----

static bool is_retryable(const char *sqlstate)
{
	static const char *const states[] = {"40001", "40P01", "53300", "57P01", "57P02", "57P03"};

	if (strncmp(sqlstate, "08", 2) == 0)
		return true;
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(sqlstate, states[i]) == 0)
			return true;
	return false;
}

// libpq's message as one line without its hints (they begin with a tab) and source locations.
static void flatten(char *out, size_t size, const char *text)
{
	size_t used = 0;

	out[0] = '\0';
	while (*text != '\0' && used + 1 < size) {
		size_t len = strcspn(text, "\n");
		if (len > 0 && text[0] != '\t' && strncmp(text, "LOCATION:", 9) != 0) {
			int n = snprintf(out + used, size - used, "%s%.*s", used > 0 ? "; " : "", (int)len, text);
			used = n < 0 ? used : (size_t)n < size - used ? used + (size_t)n : size - 1;
		}
		text += len + (text[len] == '\n');
	}
}

// The connection is gone: close it, and say what the server said last, else what libpq says.
static enum pg_step fail_lost(struct pg *pg, struct err *err)
{
	char cause[400];

	flatten(cause, sizeof cause, PQerrorMessage(pg->conn));
	if (pg->first.kind != ERR_NONE)
		*err = pg->first;
	else
		err_set_retryable(err, ERR_POSTGRES, "closed",
			"connection to '%s' was lost (%s; %s); connect again and repeat what was not committed", pg->name,
			cause[0] != '\0' ? cause : "no reason given", pg->where);
	pg->lost = true;
	close_now(pg, "it was lost");
	return PG_FAIL;
}

static bool refuse(struct pg *pg, struct err *err)
{
	if (pg->state == CLOSED) // nothing was sent
		return err_set_retryable(
			err, ERR_POSTGRES, "closed", "connection to '%s' is closed (%s); connect again", pg->name, pg->why);
	if (pg->state == IDLE)
		return err_set(err, ERR_USAGE, "idle", "nothing is under way on the connection to '%s'", pg->name);
	return err_set(err, ERR_USAGE, "busy",
		"connection to '%s' is busy (a statement or copy is under way); finish it first or use another connection",
		pg->name);
}

static const char *field(const PGresult *res, int code)
{
	const char *text = PQresultErrorField(res, code);

	return text != NULL ? text : "";
}

// Keep the first error of the exchange: what follows it are its echoes.
static void note_error(struct pg *pg, const PGresult *res)
{
	const char *state = field(res, PG_DIAG_SQLSTATE);
	const char *detail = field(res, PG_DIAG_MESSAGE_DETAIL), *hint = field(res, PG_DIAG_MESSAGE_HINT);
	const char *at = field(res, PG_DIAG_STATEMENT_POSITION);
	char flat[400], number[40] = "";

	if (pg->first.kind != ERR_NONE)
		return;
	if (strncmp(state, "23", 2) == 0) // the detail of a violated constraint quotes the row: people's data
		detail = "";
	flatten(flat, sizeof flat, *state != '\0' ? field(res, PG_DIAG_MESSAGE_PRIMARY) : PQresultErrorMessage(res));
	if (pg->pipeline)
		snprintf(number, sizeof number, "statement %zu of the pipeline: ", pg->answered + 1);
	err_set(&pg->first, ERR_POSTGRES, *state != '\0' ? state : "closed", "query on '%s' failed (%s%s%s%s%s%s)%s%s",
		pg->name, number, flat, *at != '\0' ? ", at character " : "", at, *detail != '\0' ? "; " : "", detail,
		*hint != '\0' ? "; " : "", hint);
	pg->first.retryable = *state == '\0' || is_retryable(state);
}

// ---- connecting ----

static void on_notice(void *arg, const char *message)
{
	const struct pg *pg = arg;
	char flat[400];

	flatten(flat, sizeof flat, message);
	log_printf(LOG_DEBUG, "postgres '%s' says: %s", pg->name, flat);
}

struct pairs {
	const char *keys[KEYWORDS_MAX + 1], *values[KEYWORDS_MAX + 1];
	size_t n;
};

static void pair_add(struct pairs *pairs, const char *key, const char *value)
{
	if (pairs->n < KEYWORDS_MAX) {
		pairs->keys[pairs->n] = key;
		pairs->values[pairs->n++] = value;
	}
}

static bool may_go_in_clear(const char *sslmode)
{
	return sslmode != NULL && (strcmp(sslmode, "prefer") == 0 || strcmp(sslmode, "allow") == 0);
}

// What a service file says is known only to a connection that has begun; nothing was sent on it yet.
static bool check_service(struct pg *pg, struct err *err)
{
	PQconninfoOption *used = pg_uri_given(pg->uri, "service") != NULL && !pg->insecure ? PQconninfo(pg->conn) : NULL;
	bool clear = false, away = false;

	for (const PQconninfoOption *o = used; o != NULL && o->keyword != NULL; o++) {
		clear = clear || (strcmp(o->keyword, "sslmode") == 0 && may_go_in_clear(o->val));
		away = away || (strncmp(o->keyword, "host", 4) == 0 && o->val != NULL && strcmp(o->val, "localhost") != 0 &&
						   !pg_uri_is_local(o->val));
	}
	PQconninfoFree(used);
	return !clear || !away ||
		   err_set(err, ERR_CONFIG, "tls",
			   "the service of '%s' is on another machine and has no sslmode; write sslmode=require, or disable, into "
			   "it",
			   pg->name);
}

static bool is_replaced(const struct pg *pg, const char *keyword, bool hosts)
{
	if (strcmp(keyword, "client_encoding") == 0 || (pg->forced && strcmp(keyword, "sslmode") == 0))
		return true;
	return hosts && (strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 || strcmp(keyword, "port") == 0);
}

// A network that went away without a word is noticed within about a minute, idle or sending, unless the URI says
// otherwise.
static void add_keepalives(const struct pg *pg, struct pairs *pairs)
{
	static const char *const limits[][2] = {{"keepalives_idle", "30"}, {"keepalives_interval", "10"},
		{"keepalives_count", "3"}, {"tcp_user_timeout", "60000"}}; // seconds, seconds, probes, milliseconds

	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
		if (pg_uri_given(pg->uri, limits[i][0]) == NULL)
			pair_add(pairs, limits[i][0], limits[i][1]);
}

// hosts: lists that replace the URI's own, or NULL.
static bool start_libpq(struct pg *pg, const struct buf *hosts, struct err *err)
{
	struct pairs pairs = {.n = 0};
	const char *keyword, *value;

	pg->forced = pg->away && !pg->insecure && may_go_in_clear(pg_uri_get(pg->uri, "sslmode"));
	for (size_t i = 0; pg_uri_option(pg->uri, i, &keyword, &value); i++)
		if (!is_replaced(pg, keyword, hosts != NULL))
			pair_add(&pairs, keyword, value);
	if (hosts != NULL) {
		pair_add(&pairs, "host", hosts[0].data);
		pair_add(&pairs, "hostaddr", hosts[1].data);
		pair_add(&pairs, "port", hosts[2].data);
	}
	if (pg->forced)
		pair_add(&pairs, "sslmode", "require");
	add_keepalives(pg, &pairs);
	pair_add(&pairs, "client_encoding", "UTF8");
	pair_add(&pairs, "fallback_application_name", pg->application);
	if (pg_uri_given(pg->uri, "gssencmode") == NULL)
		pair_add(&pairs, "gssencmode", "disable"); // Kerberos may look up names and tickets, blocking
	pg->conn = PQconnectStartParams(pairs.keys, pairs.values, 0);
	if (pg->conn == NULL)
		return err_no_memory(err);
	PQsetNoticeProcessor(pg->conn, on_notice, pg);
	PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE); // the one way to the SQLSTATE of a refused connection
	if (PQpass(pg->conn) != NULL)
		redact_add(PQpass(pg->conn), strlen(PQpass(pg->conn))); // it may be of a password or service file
	pg->state = CONNECTING;
	pg->events = POLLOUT;
	return check_service(pg, err);
}

static bool put_item(struct buf *list, const char *item)
{
	return (list->data == NULL || buf_putc(list, ',')) && buf_puts(list, item);
}

static bool put_host(struct buf hosts[3], const struct pg_host *h, const char *address)
{
	return put_item(&hosts[0], h->host) && put_item(&hosts[1], address) &&
		   put_item(&hosts[2], h->port[0] != '\0' ? h->port : "5432");
}

// One entry for each address of each host, so that libpq tries them all. False when memory runs out.
static bool expand_hosts(struct pg *pg, struct buf lists[3])
{
	char address[PG_HOST_SIZE];
	size_t n, looked_up = 0;
	const struct pg_host *hosts = pg_uri_hosts(pg->uri, &n);

	for (size_t i = 0; i < n; i++) {
		if (!hosts[i].lookup && !put_host(lists, &hosts[i], ""))
			return false;
		for (size_t k = 0; hosts[i].lookup && resolve_address(pg->resolve, looked_up, k, address, sizeof address);
			 k++) {
			if (!put_host(lists, &hosts[i], address))
				return false;
			pg->away = pg->away || !pg_uri_is_local(address);
		}
		looked_up += hosts[i].lookup;
	}
	return true;
}

static bool fail_lookup(struct pg *pg, struct err *err)
{
	const char *problem = resolve_problem(pg->resolve, 0);

	err_set(err, ERR_POSTGRES, "connect",
		"cannot connect to '%s' (host name cannot be resolved: %s; %s); is the name right and the network up?",
		pg->name, problem != NULL ? problem : "it has no address", pg->where);
	err->retryable = resolve_may_succeed_later(pg->resolve, 0);
	return false;
}

static bool start_resolved(struct pg *pg, struct err *err)
{
	struct buf hosts[3] = {{0}};
	bool ok;

	if (!expand_hosts(pg, hosts))
		ok = err_no_memory(err);
	else if (hosts[0].data == NULL)
		ok = fail_lookup(pg, err);
	else
		ok = start_libpq(pg, hosts, err);
	for (int i = 0; i < 3; i++)
		buf_free(&hosts[i]);
	if (ok)
		forget_uri(pg);
	return ok;
}

static void on_resolved(void *ctx)
{
	struct pg *pg = ctx;
	void (*ready)(void *) = pg->ready;

	pg->resolved = true;
	pg->ready = NULL;
	if (ready != NULL)
		ready(pg->ctx);
}

static bool begin(struct pg *pg, const char *text, struct err *err)
{
	const char *names[PG_HOSTS_MAX];
	const struct pg_host *hosts;
	size_t nhosts, n = 0;

	pg->uri = pg_uri_parse(text, pg->name, err);
	if (pg->uri == NULL)
		return false;
	snprintf(pg->where, sizeof pg->where, "%s", pg_uri_where(pg->uri));
	pg->away = pg_uri_leads_away(pg->uri);
	hosts = pg_uri_hosts(pg->uri, &nhosts);
	for (size_t i = 0; i < nhosts; i++)
		if (hosts[i].lookup)
			names[n++] = hosts[i].host;
	if (n > 0) {
		pg->resolve = resolve_start(names, n, on_resolved, pg, err);
		return pg->resolve != NULL;
	}
	if (!start_libpq(pg, NULL, err))
		return false;
	forget_uri(pg);
	return true;
}

bool pg_connect(struct pg *pg, const struct pg_options *options, struct err *err)
{
	if (pg->state != CLOSED)
		return refuse(pg, err);
	snprintf(pg->name, sizeof pg->name, "%s", options->name);
	snprintf(pg->application, sizeof pg->application, "%s", options->application_name);
	pg->where[0] = '\0';
	pg->insecure = options->insecure;
	pg->resolved = pg->lost = pg->pipeline = false;
	err_clear(&pg->first);
	pg->state = RESOLVING;
	if (!begin(pg, options->uri, err)) {
		close_now(pg, "it could not be opened");
		return false;
	}
	return true;
}

// "FATAL:  28P01: password …": find the SQLSTATE that the verbose form puts there, and what follows it.
static const char *find_sqlstate(const char *text, char state[SQLSTATE_LEN + 1])
{
	for (const char *p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		size_t n = strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (n == SQLSTATE_LEN && strncmp(p + 3 + n, ": ", 2) == 0) {
			memcpy(state, p + 3, SQLSTATE_LEN);
			state[SQLSTATE_LEN] = '\0';
			return p + 3 + n + 2;
		}
	}
	return NULL;
}

static const char *connect_hint(const struct pg *pg, const char *state, const char *cause)
{
	if (strncmp(state, "28", 2) == 0)
		return "check the user and the password";
	if (strcmp(state, "3D000") == 0)
		return "check the name of the database";
	if (strcmp(state, "53300") == 0)
		return "the server has no connection left, try later";
	if (pg->forced && strstr(cause, "SSL was required") != NULL)
		return "to another machine TLS is needed: switch it on in the server, or, where the network between is "
			   "trusted, "
			   "set insecure = true for this system in the config file, or sslmode=disable in the URI";
	if (strstr(cause, "no password supplied") != NULL)
		return "give one in the URI (user:password@host), in PGPASSWORD or in ~/.pgpass";
	if (strstr(cause, "sslmode") != NULL || strstr(cause, "certificate") != NULL || strstr(cause, "SSL") != NULL)
		return "check sslmode and the certificates";
	return "is the server up and reachable from here?";
}

// Refused before the server was asked for anything: by what is set here, and so again at the next try.
static bool is_lasting(const char *cause)
{
	return strstr(cause, "certificate") != NULL || strstr(cause, "sslmode") != NULL ||
		   strstr(cause, "no password supplied") != NULL || strstr(cause, "SSL was required") != NULL;
}

static enum pg_step fail_connect(struct pg *pg, struct err *err)
{
	char text[800], masked[800], state[SQLSTATE_LEN + 1] = "";
	const char *cause = text, *prefix, *said;

	flatten(text, sizeof text, PQerrorMessage(pg->conn));
	prefix = strstr(text, " failed: ");
	if (prefix != NULL && strstr(prefix + 1, " failed: ") == NULL)
		cause = prefix + strlen(" failed: "); // one attempt: `where` names it already
	said = find_sqlstate(cause, state);
	redact_copy(masked, sizeof masked, said != NULL ? said : cause);
	if (isupper((unsigned char)masked[0]) && islower((unsigned char)masked[1]))
		masked[0] = (char)tolower((unsigned char)masked[0]);
	err_set(err, ERR_POSTGRES, state[0] != '\0' ? state : "connect", "cannot connect to '%s' (%.500s; %.250s); %s",
		pg->name, masked, pg->where, connect_hint(pg, state, masked));
	err->retryable = state[0] != '\0' ? is_retryable(state) : !is_lasting(masked);
	close_now(pg, "it could not be opened");
	return PG_FAIL;
}

static enum pg_step step_handshake(struct pg *pg, struct err *err)
{
	if (PQstatus(pg->conn) == CONNECTION_BAD)
		return fail_connect(pg, err);
	if (PQstatus(pg->conn) != CONNECTION_OK)
		return PG_WAIT;
	if (PQsetnonblocking(pg->conn, 1) != 0)
		return fail_connect(pg, err);
	pg->state = IDLE;
	return PG_END;
}

enum pg_step pg_step_connect(struct pg *pg, struct err *err)
{
	if (pg->state == RESOLVING && !pg->resolved)
		return PG_WAIT;
	if (pg->state == RESOLVING && !start_resolved(pg, err)) {
		close_now(pg, "it could not be opened");
		return PG_FAIL;
	}
	if (pg->state == CONNECTING)
		return step_handshake(pg, err);
	refuse(pg, err);
	return PG_FAIL;
}

// ---- waiting ----

static void poll_handshake(struct pg *pg)
{
	PostgresPollingStatusType status = PQconnectPoll(pg->conn);

	pg->events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
}

static void on_socket(struct watch *watch, short revents)
{
	struct pg *pg = (struct pg *)(void *)((char *)watch - offsetof(struct pg, watch));
	void (*ready)(void *) = pg->ready;

	watch_stop(watch); // before libpq may close the socket
	pg->ready = NULL;
	pg->stirred = clock_mono_us();
	if (pg->state == CONNECTING)
		poll_handshake(pg);
	else if ((revents & ~POLLOUT) != 0 && PQconsumeInput(pg->conn) == 0)
		pg->lost = true;
	if (ready != NULL)
		ready(pg->ctx);
}

void pg_wait(struct pg *pg, void (*ready)(void *ctx), void *ctx)
{
	pg->ready = ready;
	pg->ctx = ctx;
	if (pg->state != RESOLVING)
		watch_start(&pg->watch, PQsocket(pg->conn), pg->events, on_socket);
}

// Nothing to read yet. Both directions are waited for while output is left: a server that cannot write does not read.
static enum pg_step would_block(struct pg *pg, struct err *err)
{
	int left = pg->lost ? -1 : PQflush(pg->conn);

	if (left < 0 || PQsocket(pg->conn) < 0)
		return fail_lost(pg, err);
	pg->events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN);
	return PG_WAIT;
}

// ---- statements ----

static bool sent(struct pg *pg, bool ok, struct err *err)
{
	if (!ok) {
		fail_lost(pg, err);
		return false;
	}
	pg->state = BUSY;
	return true;
}

static bool begin_statement(struct pg *pg, struct err *err)
{
	if (pg->state != IDLE)
		return refuse(pg, err);
	err_clear(&pg->first);
	pg->pipeline = false;
	pg->answered = 0;
	pg->stirred = 0;
	return true;
}

struct args { // libpq's parallel arrays, in one block
	const char **values;
	Oid *types;
	int *lengths, *formats;
};

static bool args_fill(struct args *a, const struct pg_statement *st, struct err *err)
{
	size_t n = st->nparams;
	char *block;

	if (n > 65535)
		return err_set(err, ERR_USAGE, NULL, "a statement takes at most 65535 parameters (%zu given)", n);
	block = calloc(n + 1, sizeof *a->values + sizeof *a->types + sizeof *a->lengths + sizeof *a->formats);
	if (block == NULL)
		return err_no_memory(err);
	a->values = (const char **)(void *)block;
	a->types = (Oid *)(void *)(a->values + n + 1);
	a->lengths = (int *)(void *)(a->types + n + 1);
	a->formats = a->lengths + n + 1;
	for (size_t i = 0; i < n; i++) {
		a->values[i] = st->params[i].data;
		a->types[i] = st->params[i].type;
		a->lengths[i] = (int)st->params[i].len;
		a->formats[i] = st->params[i].binary;
	}
	return true;
}

static bool send_one(struct pg *pg, const struct pg_statement *st, bool *ok, struct err *err)
{
	struct args a = {0};

	for (size_t i = 0; i < st->nparams; i++)
		if (st->params[i].len > INT_MAX)
			return err_set(err, ERR_LIMIT, NULL, "parameter %zu is too long (%zu bytes)", i + 1, st->params[i].len);
	if (!args_fill(&a, st, err))
		return false;
	*ok = PQsendQueryParams(pg->conn, st->sql, (int)st->nparams, a.types, a.values, a.lengths, a.formats, 0);
	free(a.values);
	return true;
}

bool pg_send_query(struct pg *pg, const struct pg_statement *st, bool singly, struct err *err)
{
	bool ok;

	if (!begin_statement(pg, err) || !send_one(pg, st, &ok, err))
		return false;
	if (ok && singly)
		ok = PQsetSingleRowMode(pg->conn) == 1;
	return sent(pg, ok, err);
}

bool pg_send_script(struct pg *pg, const char *sql, struct err *err)
{
	return begin_statement(pg, err) && sent(pg, PQsendQuery(pg->conn, sql) == 1, err);
}

bool pg_send_pipeline(struct pg *pg, const struct pg_statement *sts, size_t n, struct err *err)
{
	bool ok;

	if (!begin_statement(pg, err))
		return false;
	pg->pipeline = true;
	ok = PQenterPipelineMode(pg->conn) == 1;
	for (size_t i = 0; ok && i < n; i++)
		if (!send_one(pg, &sts[i], &ok, err)) {
			close_now(pg, "a pipeline could not be sent"); // half of it is in libpq's hands
			return false;
		}
	return sent(pg, ok && PQpipelineSync(pg->conn) == 1, err);
}

static enum pg_step finish(struct pg *pg, struct err *err)
{
	if (PQstatus(pg->conn) != CONNECTION_OK)
		return fail_lost(pg, err);
	pg->state = IDLE;
	if (pg->first.kind == ERR_NONE)
		return PG_END;
	*err = pg->first;
	return PG_FAIL;
}

static enum pg_step finish_pipeline(struct pg *pg, struct err *err)
{
	if (PQexitPipelineMode(pg->conn) != 1)
		return fail_lost(pg, err);
	return finish(pg, err);
}

// After an error of this severity the server hangs up.
static bool is_fatal(const PGresult *res)
{
	const char *severity = field(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

static bool is_item(ExecStatusType status)
{
	switch (status) {
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
		return true;
	default:
		return false;
	}
}

// A result that is no item. PG_WAIT here means: handled, look for the next.
static enum pg_step digest(struct pg *pg, const PGresult *res, struct err *err)
{
	if (PQresultStatus(res) == PGRES_PIPELINE_SYNC)
		return finish_pipeline(pg, err);
	if (PQresultStatus(res) == PGRES_PIPELINE_ABORTED)
		return PG_WAIT;
	note_error(pg, res);
	return is_fatal(res) ? fail_lost(pg, err) : PG_WAIT;
}

static enum pg_step take_result(struct pg *pg, PGresult *res, struct pg_result **out, struct err *err)
{
	ExecStatusType status = PQresultStatus(res);
	enum pg_step step;

	if (is_item(status)) {
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
			pg->state = status == PGRES_COPY_IN ? COPYING_IN : COPYING_OUT;
		*out = (struct pg_result *)res;
		return PG_ITEM;
	}
	step = digest(pg, res, err);
	PQclear(res);
	return step;
}

enum pg_step pg_step_result(struct pg *pg, struct pg_result **out, struct err *err)
{
	*out = NULL;
	if (pg->state != BUSY) {
		refuse(pg, err);
		return PG_FAIL;
	}
	for (;;) {
		PGresult *res;
		enum pg_step step;

		if (PQisBusy(pg->conn))
			return would_block(pg, err);
		res = PQgetResult(pg->conn);
		if (res == NULL && (!pg->pipeline || pg->lost || PQstatus(pg->conn) != CONNECTION_OK))
			return finish(pg, err);
		if (res == NULL) {
			pg->answered++;
			continue;
		}
		step = take_result(pg, res, out, err);
		if (step != PG_WAIT)
			return step;
	}
}

// ---- copy ----

// What follows the last chunk: the command's tag, or the error that ended it.
static enum pg_step read_tail(struct pg *pg, struct err *err)
{
	struct pg_result *res;
	enum pg_step step;

	while ((step = pg_step_result(pg, &res, err)) == PG_ITEM)
		pg_result_free(res);
	return step;
}

enum pg_step pg_step_copy_out(struct pg *pg, const char **data, size_t *len, struct err *err)
{
	int n;

	drop_chunk(pg);
	if (pg->state != COPYING_OUT)
		return read_tail(pg, err);
	n = PQgetCopyData(pg->conn, &pg->chunk, 1);
	if (n > 0) {
		*data = pg->chunk;
		*len = (size_t)n;
		return PG_ITEM;
	}
	if (n == 0)
		return would_block(pg, err);
	if (n < -1)
		return fail_lost(pg, err);
	pg->state = BUSY;
	return read_tail(pg, err);
}

enum pg_step pg_step_copy_in(struct pg *pg, const char *data, size_t len, bool *taken, struct err *err)
{
	int left;

	if (pg->state != COPYING_IN) {
		refuse(pg, err);
		return PG_FAIL;
	}
	left = pg->lost ? -1 : *taken ? 1 : PQputCopyData(pg->conn, data, (int)len);
	if (left < 0)
		return fail_lost(pg, err);
	if (left > 0) {
		*taken = true;
		left = PQflush(pg->conn);
		if (left == 0)
			return PG_END;
	}
	if (left < 0 || PQsocket(pg->conn) < 0)
		return fail_lost(pg, err);
	pg->events = POLLIN | POLLOUT;
	return PG_WAIT;
}

bool pg_end_copy_in(struct pg *pg, const char *reason, struct err *err)
{
	if (pg->state != COPYING_IN)
		return refuse(pg, err);
	return sent(pg, PQputCopyEnd(pg->conn, reason) == 1, err);
}

enum pg_step pg_step_skip(struct pg *pg, struct err *err)
{
	const char *data;
	size_t len;
	enum pg_step step;

	if (pg->state == IDLE)
		return PG_END;
	while ((step = pg_step_copy_out(pg, &data, &len, err)) == PG_ITEM)
		;
	return step;
}

// ---- results ----

static const PGresult *inner(const struct pg_result *res)
{
	return (const PGresult *)res;
}

enum pg_result_kind pg_result_kind(const struct pg_result *res)
{
	switch (PQresultStatus(inner(res))) {
	case PGRES_TUPLES_OK:
		return PG_ROWS;
	case PGRES_SINGLE_TUPLE:
		return PG_ROW;
	case PGRES_COPY_IN:
		return PG_COPY_IN;
	case PGRES_COPY_OUT:
		return PG_COPY_OUT;
	default:
		return PG_COMMAND;
	}
}

size_t pg_result_rows(const struct pg_result *res)
{
	return (size_t)PQntuples(inner(res));
}

size_t pg_result_columns(const struct pg_result *res)
{
	return (size_t)PQnfields(inner(res));
}

const char *pg_result_column(const struct pg_result *res, size_t c)
{
	return PQfname(inner(res), (int)c);
}

uint32_t pg_result_type(const struct pg_result *res, size_t c)
{
	return PQftype(inner(res), (int)c);
}

const char *pg_result_text(const struct pg_result *res, size_t r, size_t c, size_t *len)
{
	if (PQgetisnull(inner(res), (int)r, (int)c))
		return NULL;
	*len = (size_t)PQgetlength(inner(res), (int)r, (int)c);
	return PQgetvalue(inner(res), (int)r, (int)c);
}

// libpq's readers of the tag take a PGresult that is not const, though they only read.
static PGresult *unconst(const struct pg_result *res)
{
	union {
		const struct pg_result *from;
		PGresult *to;
	} cast = {.from = res};

	return cast.to;
}

int64_t pg_result_affected(const struct pg_result *res)
{
	const char *text = PQcmdTuples(unconst(res));

	return text[0] != '\0' ? strtoll(text, NULL, 10) : -1;
}

void pg_result_command(const struct pg_result *res, char *out, size_t size)
{
	const char *tag = PQcmdStatus(unconst(res));

	snprintf(out, size, "%.*s", (int)strcspn(tag, " "), tag);
}

void pg_result_free(struct pg_result *res)
{
	PQclear((PGresult *)res);
}

bool pg_bytea_append(struct buf *out, const char *text)
{
	size_t len;
	unsigned char *bytes = PQunescapeBytea((const unsigned char *)text, &len);
	bool ok = bytes != NULL && buf_put(out, bytes, len);

	PQfreemem(bytes);
	return ok;
}

// ---- literals ----

bool pg_literal(struct pg *pg, const char *text, size_t len, struct buf *out, struct err *err)
{
	char *literal;
	bool ok;

	if (!pg_is_open(pg))
		return refuse(pg, err);
	if (memchr(text, '\0', len) != NULL)
		return err_set(err, ERR_USAGE, "literal", "a text with a NUL byte is no literal of '%s'", pg->name);
	literal = PQescapeLiteral(pg->conn, text, len);
	if (literal == NULL)
		return err_set(err, ERR_USAGE, "literal", "a text that is not UTF-8 is no literal of '%s'", pg->name);
	ok = buf_puts(out, literal) || err_no_memory(err);
	PQfreemem(literal);
	return ok;
}
