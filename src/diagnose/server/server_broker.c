#include "server_private.h"

#include "clock.h"
#include "mqtt_trip.h"
#include "str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* server_broker: who may come in by the brokers' listeners. */

enum { ANSWER_MS = 2000, MQTT_PORT = 1883, MQTT_TLS_PORT = 8883 };

enum broker_fact {
	BROKER_OPEN_TO_ALL,
	BROKER_TLS_OPEN,
	BROKER_PLAIN,
	BROKER_TLS,
	BROKER_UNKNOWN_OUTSIDE,
	BROKER_LOOPBACK,
	BROKER_LOOPBACK_ANONYMOUS,
	BROKER_STOPPED,
	BROKER_NONE,
	BROKER_UNREAD
};

#define TO_LOOPBACK "{mend}"

static const struct check_row rows[] = {
    {BROKER_OPEN_TO_ALL, FINDING_FAULT, ERR_FAILED, "broker-open-to-all",
	"{address}: lets everybody in from the network, without a password, "
	"without TLS",
	"whoever reaches {address} reads and writes every topic, past all SSH: "
	"it answered a CONNECT without a user name with \"accepted\"{at}",
	TO_LOOPBACK},
    {BROKER_TLS_OPEN, FINDING_WARNING, ERR_NONE, "broker-tls-open",
	"{address}: TLS, and everybody is let in",
	"the listener has TLS, but asks neither for a certificate of the "
	"client nor for a password{at}: whoever reaches it reads and writes "
	"every topic",
	TO_LOOPBACK},
    {BROKER_PLAIN, FINDING_WARNING, ERR_NONE, "broker-plain",
	"{address}: from the network, with a password, without TLS",
	"the listener asks for a password, which clients send in the clear: "
	"who is on the way has it, and reads all messages{at}",
	TO_LOOPBACK},
    {BROKER_UNKNOWN_OUTSIDE, FINDING_WARNING, ERR_NONE, "broker-outside",
	"{address}: listens to the network, and says nothing to MQTT",
	"{program} listens on {address} for the network; whether it asks for "
	"a password cannot be seen from here{at}",
	TO_LOOPBACK},
    {BROKER_TLS, FINDING_OK, ERR_NONE, NULL,
	"{address}: from the network, with TLS{at}", NULL, NULL},
    {BROKER_LOOPBACK, FINDING_OK, ERR_NONE, NULL,
	"{address}: this machine alone, with a password{at}", NULL, NULL},
    {BROKER_LOOPBACK_ANONYMOUS, FINDING_OK, ERR_NONE, NULL,
	"{address}: this machine alone, without a password{at}", NULL, NULL},
    {BROKER_STOPPED, FINDING_FAULT, ERR_UNREACHABLE, "broker-stopped",
	"mosquitto is installed, and does not run",
	"no broker runs here: every forward to it fails with \"connect "
	"failed\"",
	"systemctl start mosquitto; if it ends at once: mosquitto -c "
	"{path} -v"},
    {BROKER_NONE, FINDING_NOT_KNOWN, ERR_NONE, "no-broker",
	"no MQTT broker listens on this machine", NULL, NULL},
    {BROKER_UNREAD, FINDING_NOT_KNOWN, ERR_NONE, "broker-file",
	"{file} cannot be read by this user: only what listens is seen", NULL,
	NULL},
};

/* ---- a CONNECT without a user name ---- */

static int
connect_to(const struct system_listener *listener)
{
	struct sockaddr_in v4 = {
	    .sin_family = AF_INET, .sin_port = htons(listener->port)};
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(listener->port)};
	const struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
	bool all = system_scope_of(listener) == SYSTEM_ALL;
	int fd = socket(
	    listener->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	memcpy(&v4.sin_addr, listener->address, 4);
	memcpy(&v6.sin6_addr, listener->address, 16);
	if (all) {
		v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		v6.sin6_addr = in6addr_loopback;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd,
		listener->v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		listener->v6 ? sizeof v6 : sizeof v4) == 0)
		return fd;
	close(fd);
	return -1;
}

enum server_anonymous
server_try_anonymous(const struct system_listener *listener)
{
	const struct mqtt_trip_words words = {
	    .client_id = "kaya-doctor", .topic = "", .payload = ""};
	enum server_anonymous result = SERVER_ANONYMOUS_NOT_MQTT;
	int fd = connect_to(listener);
	struct mqtt_trip trip;
	const uint64_t until_ms = clock_monotonic_ms() + 2 * ANSWER_MS;
	uint8_t bytes[256];
	struct span out;
	ssize_t got;

	if (fd < 0)
		return SERVER_ANONYMOUS_NO_WAY;
	mqtt_trip_init(&trip, MQTT_311, &words);
	out = buf_span(&trip.out);
	if (send(fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len)
		/* What listens there may be anybody's, and send bit by bit. */
		while (trip.state == MQTT_TRIP_CONNECTING &&
		       clock_monotonic_ms() < until_ms &&
		       (got = recv(fd, bytes, sizeof bytes, 0)) > 0)
			mqtt_trip_feed(&trip, span_of(bytes, (size_t)got));
	if (trip.state == MQTT_TRIP_ACCEPTED)
		result = SERVER_ANONYMOUS_IN;
	else if (trip.state == MQTT_TRIP_REFUSED)
		result = SERVER_ANONYMOUS_OUT;
	mqtt_trip_fini(&trip);
	close(fd);
	return result;
}

/* ---- which listener of the file a socket is ---- */

static bool
is_known_port(const struct server *server, uint16_t port)
{
	if (port == MQTT_PORT || port == MQTT_TLS_PORT)
		return true;
	for (size_t i = 0; i < server->broker.listener_count; i++)
		if (server->broker.listeners[i].port == port)
			return true;
	return false;
}

bool
server_is_broker(
    const struct server *server, const struct system_listener *listener)
{
	static const char *const names[] = {
	    "mosquitto", "nanomq", "vernemq", "hivemq"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(listener->program, names[i]) == 0)
			return true;
	/* Whose socket it is only root sees, and others brokers' names vary. */
	return strcmp(listener->program, "sshd") != 0 &&
	       strcmp(listener->program, "kayad") != 0 &&
	       strcmp(listener->program, "ssh") != 0 &&
	       strcmp(listener->program, "kaya") != 0 &&
	       is_known_port(server, listener->port);
}

/* Whether an address in the file is the socket's; a name may be any. */
enum likeness { LIKE_NOT, LIKE_PERHAPS, LIKE_SURELY };

static enum likeness
is_like(
    const struct mosquitto_listener *line, const struct system_listener *socket)
{
	static const uint8_t all[16];
	uint8_t bytes[16] = {0};
	const int family = socket->v6 ? AF_INET6 : AF_INET;

	if (line->address[0] == '\0')
		return memcmp(socket->address, all, sizeof all) == 0
			   ? LIKE_SURELY
			   : LIKE_NOT;
	if (inet_pton(family, line->address, bytes) == 1)
		return memcmp(socket->address, bytes, sizeof bytes) == 0
			   ? LIKE_SURELY
			   : LIKE_NOT;
	return inet_pton(
		   socket->v6 ? AF_INET : AF_INET6, line->address, bytes) == 1
		   ? LIKE_NOT
		   : LIKE_PERHAPS;
}

static const struct mosquitto_listener *
find_line(const struct server *server, const struct system_listener *listener)
{
	const struct mosquitto_listener *found = NULL;
	enum likeness best = LIKE_NOT;

	for (size_t i = 0; i < server->broker.listener_count; i++) {
		const struct mosquitto_listener *line =
		    &server->broker.listeners[i];
		enum likeness like = line->port == listener->port
					 ? is_like(line, listener)
					 : LIKE_NOT;

		if (like > best) {
			best = like;
			found = line;
		}
	}
	return found;
}

/* Another line has it listen on loopback already: twice it would not start. */
static bool
is_at_loopback_too(
    const struct server *server, const struct mosquitto_listener *line)
{
	for (size_t i = 0; i < server->broker.listener_count; i++) {
		const struct mosquitto_listener *other =
		    &server->broker.listeners[i];

		if (other != line && other->port == line->port &&
		    (strncmp(other->address, "127.", 4) == 0 ||
			strcmp(other->address, "localhost") == 0))
			return true;
	}
	return false;
}

/* The command that leaves the listener to this machine. */
static void
put_mend(const struct server *server, const struct mosquitto_listener *line,
    const struct system_listener *listener, char *text, size_t size)
{
	const char *restart = "systemctl restart mosquitto";
	char path[CHECK_TYPED_SIZE];

	if (line == NULL || strcmp(listener->program, "mosquitto") != 0 ||
	    is_at_loopback_too(server, line))
		snprintf(text, size,
		    "have it listen on 127.0.0.1:%u alone, in the "
		    "configuration of %s; until then: nft add table inet "
		    "kaya; nft 'add chain inet kaya input { type filter hook "
		    "input priority 0; }'; nft add rule inet kaya input "
		    "iifname != lo tcp dport %u drop",
		    listener->port,
		    listener->program[0] != '\0' ? listener->program
						 : "the broker",
		    listener->port);
	else
		snprintf(text, size,
		    "sed -i '%zus/.*/listener %u 127.0.0.1/%s' %s && %s",
		    line->line, listener->port,
		    line->is_default ? "; /^bind_address/d" : "",
		    check_typed(line->file, path, sizeof path), restart);
}

/* ---- telling ---- */

static void
tell(struct server *server, enum broker_fact fact,
    const struct system_listener *listener,
    const struct mosquitto_listener *line)
{
	char address[80] = "", at[PATH_MAX + 40] = "", shown[PATH_MAX];
	char mend[CHECK_TYPED_SIZE + 600] = "", path[CHECK_TYPED_SIZE];

	if (line != NULL)
		snprintf(at, sizeof at, " (%s:%zu)",
		    str_escape(span_of_str(line->file), shown, sizeof shown),
		    line->line);
	if (listener != NULL) {
		system_text(listener, address, sizeof address);
		put_mend(server, line, listener, mend, sizeof mend);
	}
	const struct check_word words[] = {
	    {"address", address},
	    {"program", listener != NULL && listener->program[0] != '\0'
			    ? listener->program
			    : "a program"},
	    {"at", at},
	    {"mend", mend},
	    {"file", str_escape(span_of_str(server->broker_file), shown,
			 sizeof shown)},
	    {"path", check_typed(server->broker_file, path, sizeof path)},
	    {0},
	};
	server_tell(server, "broker", SERVER_ROWS(rows), (int)fact, words);
}

static enum broker_fact
judge_outside(const struct server *server,
    const struct mosquitto_listener *line, enum server_anonymous anonymous)
{
	const struct mosquitto_access *access;

	if (anonymous == SERVER_ANONYMOUS_IN)
		return BROKER_OPEN_TO_ALL;
	if (anonymous == SERVER_ANONYMOUS_OUT)
		return BROKER_PLAIN;
	if (line == NULL || !server->has_broker_file)
		return BROKER_UNKNOWN_OUTSIDE;
	access = mosquitto_conf_access(&server->broker, line);
	if (line->tls && !line->wants_certificate &&
	    access->anonymous == ANONYMOUS_YES)
		return BROKER_TLS_OPEN;
	if (line->tls)
		return BROKER_TLS;
	return BROKER_UNKNOWN_OUTSIDE;
}

static void
look_at(struct server *server, const struct system_listener *listener)
{
	const struct mosquitto_listener *line = find_line(server, listener);
	enum server_anonymous anonymous = server_try_anonymous(listener);
	enum broker_fact fact;

	if (system_scope_of(listener) != SYSTEM_LOOPBACK)
		fact = judge_outside(server, line, anonymous);
	else if (anonymous == SERVER_ANONYMOUS_IN)
		fact = BROKER_LOOPBACK_ANONYMOUS;
	else
		fact = BROKER_LOOPBACK;
	tell(server, fact, listener, line);
}

static void
read_files(struct server *server)
{
	const struct system_process *mosquitto =
	    system_find(&server->system, "mosquitto");

	snprintf(server->broker_file, sizeof server->broker_file, "%s",
	    "/etc/mosquitto/mosquitto.conf");
	if (mosquitto != NULL && mosquitto->config[0] != '\0')
		snprintf(server->broker_file, sizeof server->broker_file, "%s",
		    mosquitto->config);
	server->has_broker_file =
	    mosquitto_conf_read(&server->broker, server->broker_file);
}

/* Those for the network first: the worst fault of all is told first. */
enum side { OUTSIDE, INSIDE };

static size_t
look_at_all(struct server *server, enum side side)
{
	size_t count = 0;

	for (size_t i = 0; i < server->system.listener_count; i++) {
		const struct system_listener *one =
		    &server->system.listeners[i];

		if (!server_is_broker(server, one) ||
		    (system_scope_of(one) == SYSTEM_LOOPBACK) !=
			(side == INSIDE))
			continue;
		look_at(server, one);
		count++;
	}
	return count;
}

enum check_next
server_broker(void *arg, struct findings *findings)
{
	struct server *server = arg;
	size_t count;

	read_files(server);
	count = look_at_all(server, OUTSIDE);
	count += look_at_all(server, INSIDE);
	if (!server->has_broker_file && access(server->broker_file, F_OK) == 0)
		tell(server, BROKER_UNREAD, NULL, NULL);
	if (count > 0)
		return CHECK_GO_ON;
	/* A gateway's private broker listens on no port. */
	if (system_find(&server->system, "mosquitto") == NULL &&
	    access("/usr/sbin/mosquitto", X_OK) == 0 &&
	    server->has_broker_file &&
	    system_find(&server->system, "kayad") == NULL)
		tell(server, BROKER_STOPPED, NULL, NULL);
	else
		tell(server, BROKER_NONE, NULL, NULL);
	return CHECK_GO_ON;
}
