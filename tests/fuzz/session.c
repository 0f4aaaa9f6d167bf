/* SPDX-License-Identifier: ISC */
/* Fuzzes a session: the real handshake and relay, over a socketpair or two pipes, with a client, an
 * upstream and a clock that the input controls. Checks the bytes that each side receives, and
 * the record.
 *
 * Input: five bytes of settings (see take_settings()), the length of the script (one byte), the
 * length of the client's bytes (two), then the script, the client's bytes, and those of upstream. A
 * byte of the script is one action (world.h). After the script, both sides send the rest, end their
 * direction, and receive everything. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "net/route.h"
#include "parse.h"
#include "policy/users.h"
#include "world.h"

/* The system calls of these sources are simulated. */
#define clock_gettime(clock, now)               world_clock(now)
#define close(fd)                               world_close(fd)
#define connect(fd, to, len)                    ((void)(to), world_connect(fd))
#define getsockopt(fd, level, name, value, len) world_getsockopt(fd, level, value, len)
#define ioctl(fd, request, value)               world_ioctl(fd, value)
#define ppoll(fds, count, left, mask)           world_ppoll(fds, count, left)
#define read(fd, bytes, len)                    world_read(fd, bytes, len)
#define recv(fd, bytes, len, flags)             world_read(fd, bytes, len)
#define send(fd, bytes, len, flags)             world_write(fd, bytes, len)
#define setsockopt(fd, level, name, value, len) ((void)(fd), (void)(value))
#define shutdown(fd, how)                       world_shutdown(fd, how)
#define write(fd, bytes, len)                   world_write(fd, bytes, len)
#include "net/clock.c"
#include "net/endpoint.c"
#include "net/relay.c"
#include "net/wait.c"
#include "stdsocks/confine.c"
#include "stdsocks/destination.c"
#include "stdsocks/handshake.c"
#include "stdsocks/message.c"
#include "stdsocks/outcome.c"
#include "stdsocks/reply.c"
#include "stdsocks/serve_bind.c"
#include "stdsocks/serve_connect.c"
#include "stdsocks/serve_relay.c"
#include "stdsocks/serve_resolve.c"
#include "stdsocks/session.c"
#include "stdsocks/slots.c"
#define title_relaying write_title
static bool write_title(const struct record *record);
#include "record/title.c"
#undef title_relaying
#include "text/annotate.h"

/* A part of every password that is checked. It may not appear in any output, nor as hex. */
#define SECRET     "pw!!"
#define SECRET_HEX "70 77 21 21"

/* The values of given.resolved with which a lookup is ended by a signal, or by the client. */
enum { STOPPED = 255, GONE = 247 };

/* The settings of this session, from the input. */
static struct {
	struct settings settings;
	struct login login;
	struct client client;
	_Alignas(struct rule) char rules[RULES_MEMORY(256)];
	char users[64 + USERS_PADDING];
	uint8_t dialled, resolved, times;
	bool is_local, sandbox_fails, refuses_service;
	bool traces, has_dialled, is_relaying;
	bool is_looking_up; /* a lookup has sockets */
	bool is_asking;     /* the socket for routes is open */
	bool secret_counts; /* SECRET occurs in the password and nowhere else in the input */
	struct rule_context context;
	char title[512];  /* the memory for titles */
	int64_t title_us; /* the time of the last title; 0 before the relay */
} given;

static bool has_secret(const void *bytes, size_t len)
{
	return memmem(bytes, len, SECRET, strlen(SECRET)) ||
		memmem(bytes, len, SECRET_HEX, strlen(SECRET_HEX));
}

/* -- Simulations of functions that the session calls. */

void trace_message(
	const char *sender, enum socks5_message message, const uint8_t *bytes, size_t len)
{
	static char text[ANNOTATE_MAX];
	struct writer w = writer_on(text, sizeof text);
	annotate_message(&w, message, bytes, len);
	INVARIANT(!w.full && sender[0]);
	INVARIANT(!given.secret_counts || !has_secret(text, w.len));
}

int sandbox_enter_stage(unsigned stages, const char **ret_part)
{
	if (stages != SYSCALLS_RELAYING) { /* the stage of a single command */
		INVARIANT(!given.has_dialled && (stages & (stages - 1)) == 0);
		return 0;
	}
	INVARIANT(given.has_dialled && !given.is_looking_up && !given.is_asking);
	given.is_relaying = true;
	*ret_part = "seccomp";
	return given.sandbox_fails ? -EPERM : 0;
}

static bool is_own(const struct addr *a)
{
	return given.is_local && a->kind == ADDR_IPV4;
}

int route_type(const struct addr *to, const struct dial_source *source)
{
	INVARIANT(source && (to->kind == ADDR_IPV4 || to->kind == ADDR_IPV6));
	given.is_asking = true;
	return is_own(to) ? RTN_LOCAL : RTN_UNICAST;
}

void route_close(void)
{
	given.is_asking = false;
}

/* Returns true if the rules allow this session to connect to the address. */
static bool is_allowed(const struct addr *a)
{
	struct rule_context context = given.context;
	struct addr embedded;

	context.resolved = *a;
	for (unsigned n = 0; (embedded = special_embedded(a, n)).kind != ADDR_NONE; n++)
		context.routes[n] = is_own(&embedded) ? SPECIAL_ROUTE_LOCAL : SPECIAL_ROUTE_OTHER;
	return rules_evaluate(&given.settings.rules, &context, NULL).allowed == RULE_YES;
}

void trace_dns(const struct addr *server, const struct dns_query *query,
	const struct dns_answer *answer, int64_t elapsed_us)
{
	(void)server;
	(void)query;
	(void)answer;
	(void)elapsed_us;
	abort();
}

static void find_addresses(struct resolve *r, struct resolve_list *list)
{
	static const uint8_t public[4] = {8, 8, 8, 8}, private[4] = {10, 0, 0, 1},
			     six[16] = {0x26, 6};
	const unsigned choice = given.resolved % 8;
	const size_t count = (size_t)given.resolved / 8 * 2 + 1;

	for (size_t i = 0; i < count; i++)
		list->addrs[list->count++] = choice == 0 && i % 2 == 0
			? addr_of(ADDR_IPV6, six, 16, r->wanted.port)
			: addr_of(ADDR_IPV4, (i + choice) % 3 ? public : private, 4,
				  r->wanted.port);
}

/* A name is looked up if a rule may allow it, and an address if the rules do allow it. The lookup
 * ends with the status that the input says, or it is pending and ends later, with more addresses.
 */
void resolve_start(struct resolve *r, const struct addr *wanted, int64_t deadline_us,
	struct resolve_list *list, void (*observe)(const struct query_event *event))
{
	const unsigned status = given.resolved % 8;

	INVARIANT(deadline_us != INT64_MAX && list->count == 0 && !observe == !given.traces);
	INVARIANT(wanted->kind == ADDR_NAME ? addr_is_hostname(wanted) : is_allowed(wanted));
	*r = (struct resolve){.wanted = *wanted, .why = "by the input"};
	world.now_us += given.times & 0x10 ? 6000000 : 1;
	r->status = status > RESOLVE_DONE && status <= RESOLVE_FAILED ? status : RESOLVE_DONE;
	if (r->status != RESOLVE_DONE)
		return;
	if (wanted->kind == ADDR_NAME) {
		find_addresses(r, list);
		r->status = given.times & 0x40 ? RESOLVE_PENDING : RESOLVE_DONE;
		given.is_looking_up = r->status == RESOLVE_PENDING;
	} else {
		list->addrs[list->count++] = addr_of(ADDR_NAME, "a\nb", 3, 0);
	}
}

int resolve_wait(struct resolve *r, struct resolve_list *list)
{
	(void)r;
	(void)list;
	return given.resolved == STOPPED ? -ECANCELED : given.resolved == GONE ? -ENOTCONN : 0;
}

int resolve_wait_for_end(struct resolve *r, struct resolve_list *list)
{
	if (r->status == RESOLVE_PENDING) {
		find_addresses(r, list);
		r->status = RESOLVE_DONE;
	}
	return resolve_wait(r, list);
}

void resolve_stop(struct resolve *r)
{
	(void)r;
	given.is_looking_up = false;
}

void address_selection_sort(struct addr *addrs, size_t count, const struct dial_source *source)
{
	INVARIANT(addrs && count > 0 && source);
}

bool address_selection_has_route(
	const struct addr *addrs, size_t count, const struct dial_source *source)
{
	INVARIANT(addrs && count > 0 && source);
	return given.dialled & 2;
}

void dial_order(struct addr *addrs, size_t count)
{
	INVARIANT(addrs && count > 0 && count <= DIAL_MAX);
}

/* session_run() does not call these functions. */
int sandbox_start(unsigned stages, int checker_pid, const char **ret_part, int *ret_landlock_error)
{
	(void)stages;
	(void)checker_pid;
	(void)ret_part;
	(void)ret_landlock_error;
	abort();
}

int syscalls_deny_zygote(void)
{
	abort();
}

const char *privileges_leave_root(const char *user, bool net_admin)
{
	(void)user;
	(void)net_admin;
	abort();
}

/* UDP ASSOCIATE is not configured. */
enum record_end serve_udp(struct session *s, struct resolve_list *list)
{
	(void)s;
	(void)list;
	abort();
}

/* No connection is made to an address that the rules do not allow, or to this server. */
int dial(struct resolve_list *list, const struct dial_source *source,
	const struct dial_lookup *lookup, int64_t deadline_us, struct dial_ends *ret_ends)
{
	static const int errors[] = {ECANCELED, ECONNREFUSED, ENETUNREACH, ENOTCONN, ETIMEDOUT,
		EACCES, EADDRNOTAVAIL, EMFILE};

	INVARIANT(!given.has_dialled && source && deadline_us != INT64_MAX);
	INVARIANT(!given.settings.users); /* the passwords are erased by now */
	given.has_dialled = true;
	if (lookup->resolve && lookup->resolve->status == RESOLVE_PENDING) {
		const size_t before = list->count;
		find_addresses(lookup->resolve, list);
		lookup->permit(lookup->context, list, before);
		INVARIANT(list->count >= before);
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct addr *a = &list->addrs[i];
		INVARIANT(is_allowed(a));
		INVARIANT(a->port != given.client.local_port || !is_own(a));
	}
	world.now_us += given.times & 0x20 ? 6000000 : 1;
	if (given.dialled >= 0xf8)
		return -errors[given.dialled & 7];
	side_open(&world.upstream, true);
	ret_ends->remote = list->addrs[0];
	ret_ends->local =
		given.dialled & 1 ? list->addrs[0] : addr_of(ADDR_IPV4, "\x7f\0\0\1", 4, 4711);
	return world.upstream.in;
}

/* Checks that the rules allow each host from which BIND accepts a connection. */
static void check_hosts(const struct resolve_list *hosts)
{
	static const uint8_t unspecified[16];

	INVARIANT(hosts->count > 0 && hosts->count <= RESOLVE_MAX);
	INVARIANT(!given.has_dialled && !given.settings.users);
	for (size_t i = 0; i < hosts->count; i++) {
		const struct addr *a = &hosts->addrs[i];
		INVARIANT(is_allowed(a) && memcmp(a->bytes, unspecified, a->len) != 0);
	}
}

int listen_for(
	const struct resolve_list *hosts, const struct dial_source *source, struct addr *ret_here)
{
	check_hosts(hosts);
	INVARIANT(source && !world.is_listening);
	if (given.dialled > 0xf8)
		return -(given.dialled & 1 ? EADDRNOTAVAIL : ENETUNREACH);
	world.is_listening = true;
	world.has_no_inbound = given.dialled == 0xf8;
	world.inbound = INBOUND_NONE;
	*ret_here = hosts->addrs[0];
	ret_here->port = 4711;
	return WORLD_LISTENING;
}

int listen_accept(int fd, const struct resolve_list *hosts, struct addr *ret_remote)
{
	check_hosts(hosts);
	INVARIANT(fd == WORLD_LISTENING && world.is_listening);
	const enum inbound inbound = world.inbound;
	world.inbound = INBOUND_NONE;
	if (inbound != INBOUND_EXPECTED)
		return inbound == INBOUND_OTHER ? -ECONNREFUSED : -EAGAIN;
	if (given.dialled == 0xf7)
		return -EMFILE;
	given.has_dialled = true;
	side_open(&world.upstream, true);
	*ret_remote = hosts->addrs[given.dialled % hosts->count];
	ret_remote->port = 20;
	return world.upstream.in;
}

/* Uses `room` bytes of memory for titles, which begin as one argument. */
static void use_title(size_t room)
{
	char *const argv[] = {given.title, NULL};

	memset(given.title, 'a', sizeof given.title - 1);
	given.title[room - 1] = '\0';
	title_use(argv);
}

static void check_title(void)
{
	const size_t len = strlen(given.title);

	INVARIANT(fuzz_is_harmless(given.title, len, false));
	INVARIANT(!given.secret_counts || !has_secret(given.title, len));
}

/* Checks that the pauses between titles are long enough. */
bool title_relaying(const struct record *record)
{
	INVARIANT(given.is_relaying);
	INVARIANT(!given.title_us || world.now_us - given.title_us >= TITLE_PAUSE_US);
	given.title_us = world.now_us;
	const bool is_lasting = write_title(record);
	check_title();
	return is_lasting;
}

/* -- Checks. */

/* The messages of the server; -1: not sent. */
enum { REJECTED = 0x100 }; /* any version 4 reply except 5A */
struct answers {
	int method, status, reply; /* reply: the last reply */
	unsigned replies;
	size_t len; /* of the messages; bytes of the upstream follow */
};

/* Returns true if there is a second reply, which is sent when the inbound connection arrives. */
static bool is_bind(void)
{
	return given.settings.config.commands & COMMAND_BIND &&
		given.context.command == SOCKS5_BIND;
}

/* Returns true if all replies report success. */
static bool is_served(const struct answers *answers)
{
	return answers->reply == 0 && answers->replies == (is_bind() ? 2 : 1);
}

/* Returns true if the request is RESOLVE or RESOLVE_PTR. */
static bool is_resolve(void)
{
	return given.settings.config.commands & COMMAND_RESOLVE &&
		(given.context.command == SOCKS5_RESOLVE ||
			given.context.command == SOCKS5_RESOLVE_PTR);
}

/* Returns true if the first byte selects version 4. This is so even if service is refused. */
static bool is_version_4(const struct side *client)
{
	return (given.settings.config.versions & CONFIG_VERSION_4 || given.refuses_service) &&
		client->len > 0 && client->bytes[0] == SOCKS4_VERSION;
}

/* read_reply4() and read_reply5() return the reply, or -1 if there is none. A version 4 refusal has
 * no version 5 code. */
static int read_reply4(struct reader *r)
{
	INVARIANT(reader_u8(r) == 0);
	uint8_t code = reader_u8(r);
	reader_bytes(r, 6);
	if (r->ended)
		return -1;
	INVARIANT(code == SOCKS4_GRANTED || code == SOCKS4_REJECTED ||
		(code == SOCKS4_OTHER_USER && given.login.system_user));
	return code == SOCKS4_GRANTED ? 0 : REJECTED;
}

static int read_reply5(struct reader *r)
{
	INVARIANT(reader_u8(r) == SOCKS5_VERSION || r->ended);
	uint8_t reply = reader_u8(r);
	INVARIANT(reader_u8(r) == 0 || r->ended);
	uint8_t atyp = reader_u8(r);
	bool is_name = atyp == SOCKS5_DOMAINNAME && is_resolve();
	INVARIANT(r->ended || atyp == SOCKS5_IPV4 || atyp == SOCKS5_IPV6 || is_name);
	reader_bytes(r, (is_name ? reader_u8(r) : atyp == SOCKS5_IPV6 ? 16 : 4) + 2);
	if (r->ended)
		return -1;
	INVARIANT(reply <= SOCKS5_ATYP_NOT_SUPPORTED);
	return reply;
}

/* Reads the replies. No bytes may follow a failure. */
static void read_replies(struct reader *r, bool is_4, struct answers *answers)
{
	do {
		int reply = is_4 ? read_reply4(r) : read_reply5(r);
		if (reply < 0)
			return;
		INVARIANT(reply == 0 || r->at == r->len);
		answers->reply = reply;
		answers->replies++;
		answers->len = r->at;
	} while (is_bind() && answers->reply == 0 && answers->replies < 2);
}

/* Version 5 has a method and perhaps a status before the replies. */
static struct answers read_answers(const struct side *client)
{
	struct answers answers = {-1, -1, -1, 0, 0};
	struct reader r = reader_of(client->got, client->got_len);
	const bool is_4 = is_version_4(client);

	if (!is_4) {
		INVARIANT(reader_u8(&r) == SOCKS5_VERSION || r.ended);
		uint8_t method = reader_u8(&r);
		if (r.ended)
			return answers;
		answers.method = method;
		INVARIANT(method == SOCKS5_NO_ACCEPTABLE_METHODS ||
			method == SOCKS5_NO_AUTHENTICATION_REQUIRED ||
			method == SOCKS5_USERNAME_PASSWORD);
	}
	if (answers.method == SOCKS5_USERNAME_PASSWORD) {
		INVARIANT(reader_u8(&r) == SOCKS5_LOGIN_VERSION || r.ended);
		uint8_t status = reader_u8(&r);
		answers.status = r.ended ? -1 : status;
	}
	if (answers.method == SOCKS5_NO_ACCEPTABLE_METHODS || answers.status > 0)
		INVARIANT(r.at == r.len);
	else
		read_replies(&r, is_4, &answers);
	return answers;
}

/* Reads a request into given.context. Returns its length, or 0 if it is none. */
static size_t read_request(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	const struct outcome o = parse(message, bytes, len);

	if (o.verdict != PARSE_DONE)
		return 0;
	given.context.command = o.command;
	given.context.requested = addr_from_literal(&o.dst);
	return o.used;
}

/* Reads the client's messages, and the request into given.context. Returns the length up to the end
 * of the request, or 0 if there is none. */
static size_t read_messages(const struct side *client, enum socks5_method method)
{
	struct socks5_methods methods;
	struct socks5_login login = {0};
	size_t used, at = 0;
	static char user[UINT8_MAX + 1];

	if (is_version_4(client))
		return read_request(SOCKS4_REQUEST, client->bytes, client->len);
	if (socks5_parse_methods(client->bytes, client->len, &used, &methods) != PARSE_DONE)
		return 0;
	at = used;
	const bool is_login = socks5_parse_login(client->bytes + at, client->len - at, &used,
				      &login) == PARSE_DONE;
	if (is_login) /* whether the server has chosen that method or not */
		given.secret_counts = has_secret(login.password, login.password_len) &&
			!has_secret(client->bytes, at) && !has_secret(login.name, login.name_len) &&
			!has_secret(client->bytes + at + used, client->len - at - used) &&
			!has_secret(world.upstream.bytes, world.upstream.len);
	if (method == SOCKS5_USERNAME_PASSWORD) {
		if (!is_login)
			return 0;
		at += used;
		memcpy(user, login.name, login.name_len);
		user[login.name_len] = '\0';
		given.context.user = user;
	}
	used = read_request(SOCKS5_REQUEST, client->bytes + at, client->len - at);
	return used > 0 ? at + used : 0;
}

/* The method that the server must choose, unless no method is acceptable. If service is refused, it
 * prefers the method that leads to a request, because a reply is more specific. */
static enum socks5_method method_of(const struct side *client, bool is_refused)
{
	struct socks5_methods methods;
	size_t used;
	if (socks5_parse_methods(client->bytes, client->len, &used, &methods) != PARSE_DONE)
		return SOCKS5_NO_ACCEPTABLE_METHODS;
	bool password = socks5_offers(&methods, SOCKS5_USERNAME_PASSWORD),
	     none = socks5_offers(&methods, SOCKS5_NO_AUTHENTICATION_REQUIRED);
	if (is_refused ? !none : password && given.settings.config.auth & CONFIG_AUTH_PASSWORD)
		return SOCKS5_USERNAME_PASSWORD;
	return SOCKS5_NO_AUTHENTICATION_REQUIRED;
}

/* Compares the reason of the end with the messages of the server. */
static void check_end(const struct record *r, const struct answers *answers)
{
	switch (r->end) {
	case RECORD_CLOSED:
		INVARIANT(is_served(answers));
		/* The error of a side may be undetected only if the other side has closed. */
		INVARIANT(!world.client.broken || world.upstream.gone);
		INVARIANT(!world.upstream.broken || world.client.gone);
		INVARIANT(!world.client.was_reset && !world.upstream.was_reset);
		break;
	case RECORD_RESET:
	case RECORD_VANISHED:
		INVARIANT(is_served(answers) && r->error != 0);
		INVARIANT(world.client.was_reset || world.upstream.was_reset);
		break;
	case RECORD_IDLE_TIMEOUT:
	case RECORD_HALF_CLOSED_TIMEOUT:
	case RECORD_LIFETIME:
		INVARIANT(is_served(answers));
		INVARIANT(world.client.was_reset && world.upstream.was_reset);
		break;
	case RECORD_TERMINATED:
		INVARIANT(world.stopped || given.dialled == 0xf8 || given.resolved == STOPPED);
		break;
	case RECORD_REFUSED:
		INVARIANT(answers->reply > 0);
		break;
	case RECORD_NOT_SOCKS5:
	case RECORD_NO_METHOD:
		INVARIANT(answers->method == SOCKS5_NO_ACCEPTABLE_METHODS);
		break;
	case RECORD_LOGIN_FAILED:
		INVARIANT(answers->status > 0 || r->closed_by == RECORD_CLIENT);
		INVARIANT(answers->reply == -1);
		break;
	case RECORD_CLIENT_GONE:
	case RECORD_HANDSHAKE_TIMEOUT:
		INVARIANT((answers->reply == -1 && r->reply == RECORD_NONE) ||
			(is_bind() && answers->reply == 0 && answers->replies == 1));
		break;
	case RECORD_FAILED:
		INVARIANT(answers->method >= 0 || answers->reply >= 0 || world.has_failed);
		break;
	default:
		INVARIANT(!"unknown reason of the end");
	}
}

/* Checks that each side has received the other's bytes in order, from the first byte and without
 * gaps. It has received all of them if the reason is RECORD_CLOSED and it has not closed both
 * directions. */
static void check_bytes(const struct record *r, const struct answers *answers, size_t request_len)
{
	const struct side *client = &world.client, *upstream = &world.upstream;
	const size_t relayed = is_served(answers) ? client->got_len - answers->len : 0;

	INVARIANT(upstream->got_len == 0 || is_served(answers));
	INVARIANT(r->up == upstream->got_len && r->down == relayed);
	INVARIANT(relayed <= upstream->sent);
	INVARIANT(answers->reply != 0 || (request_len > 0 && r->up + request_len <= client->sent));
	INVARIANT(upstream->got_len == 0 ||
		memcmp(upstream->got, client->bytes + request_len, upstream->got_len) == 0);
	INVARIANT(
		relayed == 0 || memcmp(client->got + answers->len, upstream->bytes, relayed) == 0);
	INVARIANT(!is_resolve() || relayed == 0);
	if (r->end != RECORD_CLOSED || is_resolve())
		return;
	INVARIANT(upstream->gone || r->up + request_len == client->sent);
	INVARIANT(client->gone || relayed == upstream->sent);
}

static void check_record(const struct record *r, const struct answers *answers)
{
	static char text[RECORD_FIELDS_MAX];

	INVARIANT(answers->reply == REJECTED ? r->reply > 0 : r->reply == answers->reply);
	INVARIANT(r->closed_by <= RECORD_STDSOCKS && r->total_us >= 0);
	INVARIANT(!is_resolve() || !given.has_dialled);
	INVARIANT(!world.is_listening || !given.has_dialled); /* one inbound connection at most */
	INVARIANT(!is_served(answers) || is_resolve() || (given.has_dialled && given.is_relaying));
	for (int fields = 0; fields < 2; fields++) {
		struct writer w = writer_on(text, sizeof text);
		if (fields)
			record_put_fields(&w, r);
		else
			record_put_message(&w, r);
		INVARIANT(!w.full && fuzz_is_harmless(text, w.len, fields));
		INVARIANT(!given.secret_counts || !has_secret(text, w.len));
	}
	check_end(r, answers);
}

/* -- Input. */

static void take_rules(unsigned choice)
{
	static const char *const texts[][2] = {{NULL, NULL}, {"allow to any", NULL},
		{"deny to private", "allow user any to any"},
		{"deny to 8.8.8.8", "allow to .example.com,public at any"}};
	struct rules *rules = &given.settings.rules;
	struct writer problem = writer_on(NULL, 0);
	struct words words;

	*rules = rules_on(given.rules, sizeof given.rules);
	for (size_t i = 0; i < 2 && texts[choice % 4][i]; i++) {
		const char *text = texts[choice % 4][i];
		const struct words_line line = {
			.text = text, .len = strlen(text), .location = "input", .number = i + 1};
		INVARIANT(words_split(&line, &words, &problem));
		INVARIANT(rules_add(rules, &line, &words, &problem));
	}
	if (rules->count == 0)
		rules_add_built_in(rules);
}

/* The bits of `who`, from the lowest: the kind of client (2), its address is public, auth (2), the
 * rules (2), RESOLVE is configured. The bits of `odd`: IPv4 destinations are this host, the sandbox
 * fails, best-effort, BIND is configured, lookups and connecting take long (2), timers (2). */
static void take_settings(uint8_t who, uint8_t odd)
{
	static const char users[] = "alice:" SECRET "secret\nbob:x\n";
	struct config *c = &given.settings.config;

	*c = config_default();
	c->auth = who >> 3 & 3 ? who >> 3 & 3 : CONFIG_AUTH_NONE;
	c->passwords = CONFIG_USERS;
	take_rules(who >> 5);
	memcpy(given.users, users, sizeof users - 1);
	given.settings.users = c->auth & CONFIG_AUTH_PASSWORD ? given.users : NULL;
	given.settings.users_len = given.settings.users ? sizeof users - 1 : 0;
	given.client = (struct client){.kind = CLIENT_INET, .uid = -1, .local_port = 1080};
	given.client.remote =
		addr_of(ADDR_IPV4, who & 4 ? "\x08\x08\x04\x04" : "\x0a\0\0\x07", 4, 9);
	if (who & 3) {
		given.client = (struct client){.kind = who & 2 ? CLIENT_UNIX : CLIENT_STDIO,
			.uid = (who & 3) == 3 ? 1000 : -1};
		given.context.client_kind = who & 2 ? RULE_CLIENT_UNIX : RULE_CLIENT_STDIO;
	} else {
		given.context.client_kind = RULE_CLIENT_IP;
	}
	given.context.client = given.client.remote;
	given.context.uid = given.client.uid;
	given.login = (struct login){
		.settings = &given.settings, .system_user = given.client.uid >= 0 ? "www" : NULL};
	given.context.user = given.login.system_user;
	c->commands |= who & 0x80 ? COMMAND_RESOLVE : 0;
	c->commands |= odd & 8 ? COMMAND_BIND : 0;
	given.is_local = odd & 1;
	given.sandbox_fails = odd & 2;
	c->sandbox_best_effort = odd & 4;
	given.times = odd;
	c->idle_us = odd & 0x40 ? CONFIG_NEVER_US : c->idle_us;
	c->half_closed_us = odd & 0x40 ? CONFIG_NEVER_US : c->half_closed_us;
	c->lifetime_us = odd & 0x80 ? 60000000 : CONFIG_NEVER_US;
}

/* Resets the static variables of the session's sources to those of a new process. */
static void forget(void)
{
	memset(&given, 0, sizeof given);
	memset(&world, 0, sizeof world);
	stopped = false;
	up.start = up.end = down.start = down.end = 0;
	memset(up.bytes, 0, WORLD_BYTES_MAX);
	memset(down.bytes, 0, WORLD_BYTES_MAX);
}

static void run(const struct session_input *input)
{
	struct record record;
	const struct side *client = &world.client;
	const enum socks5_method method = method_of(client, input->refusal.reason);
	const size_t request_len = read_messages(client, method);

	session_run(input, &record);
	check_title();
	const struct answers answers = read_answers(client);
	INVARIANT(!request_len || answers.method < 0 || answers.method == (int)method ||
		answers.method == SOCKS5_NO_ACCEPTABLE_METHODS);
	check_record(&record, &answers);
	check_bytes(&record, &answers, request_len);
	if (answers.status >= 0 && given.secret_counts)
		INVARIANT(!has_secret(up.bytes, WORLD_BYTES_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t windows[] = {SIZE_MAX, 1, 5, 100};
	struct reader in = reader_of(data, size);
	struct session_input input = {
		.settings = &given.settings, .login = &given.login, .client = &given.client};

	if (size > WORLD_BYTES_MAX)
		return 0;
	forget();
	const uint8_t who = reader_u8(&in), odd = reader_u8(&in);
	take_settings(who, odd);
	given.dialled = reader_u8(&in);
	given.resolved = reader_u8(&in);
	const uint8_t how = reader_u8(&in);
	input.trace = given.traces = how & 1;
	given.settings.config.versions |= how & 8 ? CONFIG_VERSION_4 : 0;
	given.refuses_service = (how & 6) == 6;
	input.refusal.reason = given.refuses_service ? "by the input" : NULL;
	use_title(how & 8 ? sizeof given.title : 30);
	world.client.window = windows[how >> 4 & 3];
	world.upstream.window = windows[how >> 6];
	const size_t script_len = reader_u8(&in), client_len = reader_u16(&in);
	const uint8_t *script = reader_bytes(&in, script_len);
	if (!script)
		return 0;
	world.script = script;
	world.script_end = script + script_len;
	world.client.bytes = data + in.at;
	world.client.len = client_len < in.len - in.at ? client_len : in.len - in.at;
	world.upstream.bytes = world.client.bytes + world.client.len;
	world.upstream.len = in.len - in.at - world.client.len;
	world.now_us = input.start_us = 1000000;

	side_open(&world.client, given.client.kind != CLIENT_STDIO);
	given.client.endpoint = (struct endpoint){.in = world.client.in,
		.out = world.client.out,
		.in_socket = world.client.is_socket,
		.out_socket = world.client.is_socket};
	run(&input);
	side_close(&world.client);
	side_close(&world.upstream);
	return 0;
}
