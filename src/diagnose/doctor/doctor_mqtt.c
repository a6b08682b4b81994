#include "doctor_private.h"

#include "clock.h"
#include "greeting.h"
#include "mqtt_trip.h"
#include "shell.h"
#include "str.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

enum mqtt_fact {
	MQTT_ACCEPTED,
	MQTT_ONLY_311,
	MQTT_WANTS_USER,
	MQTT_BAD_USER,
	MQTT_BAD_CLIENT_ID,
	MQTT_OTHER_LEVEL,
	MQTT_REFUSES,
	MQTT_NOT_MQTT,
	MQTT_TLS,
	MQTT_SILENT,
	MQTT_CLOSED
};

static const struct check_row rows[] = {
    {MQTT_ACCEPTED, FINDING_OK, ERR_NONE, NULL, "{levels} accepted", NULL,
	NULL},
    {MQTT_ONLY_311, FINDING_WARNING, ERR_NONE, "broker-level",
	"MQTT 3.1.1 accepted, 5.0 not",
	"the broker speaks MQTT 3.1.1 and not 5.0: it turns away who speaks "
	"5.0, with a word or without one",
	"have each client speak 3.1.1: mosquitto_sub -V mqttv311, kaya sub -V "
	"311; or put a broker there that speaks both (mosquitto from 1.6, "
	"RabbitMQ from 3.13)"},
    {MQTT_WANTS_USER, FINDING_FAULT, ERR_REFUSED, "broker-wants-user",
	"CONNACK {code} ({name}), no user name given",
	"the broker wants a user name and a password",
	"give them: kaya doctor -u USER -P PASSWORD {as_user}; to make one, at "
	"the broker: mosquitto_passwd /etc/mosquitto/passwd USER"},
    {MQTT_BAD_USER, FINDING_FAULT, ERR_REFUSED, "broker-bad-user",
	"CONNACK {code} ({name}) for user {user}",
	"the broker does not let user {user} in with this password: {cause}",
	"at the broker: mosquitto_passwd /etc/mosquitto/passwd {user} && "
	"systemctl reload mosquitto"},
    {MQTT_BAD_CLIENT_ID, FINDING_FAULT, ERR_REFUSED, "broker-client-id",
	"CONNACK {code} ({name}) for the client id {client_id}",
	"the broker, or the gateway before it, does not take the client id "
	"{client_id}: {cause}",
	"give the one that the device's own client has: kaya doctor "
	"--client-id ID {with_id}"},
    {MQTT_OTHER_LEVEL, FINDING_FAULT, ERR_FAILED, "broker-level",
	"CONNACK {code} ({name})",
	"the broker speaks neither MQTT 3.1.1 nor 5.0: it is from before 2014",
	"at the broker, put one of today in its place: apt install mosquitto "
	"&& systemctl restart mosquitto"},
    {MQTT_REFUSES, FINDING_FAULT, ERR_REFUSED, "broker-refuses",
	"CONNACK {code} ({name})", "the broker refuses: {cause}",
	"its log tells more, at the broker: journalctl -u mosquitto -n 20; "
	"where it does not say how to mend it: systemctl restart mosquitto"},
    {MQTT_NOT_MQTT, FINDING_FAULT, ERR_PROTOCOL, "not-mqtt",
	"{broker} answers, and not in MQTT: {what}",
	"what listens on {broker} at the server is no MQTT broker: {what}",
	"find the broker's port, at the server: ss -ltnp; then: kaya tunnel "
	"-b HOST:PORT {tunnel_to}"},
    {MQTT_TLS, FINDING_FAULT, ERR_FAILED, "broker-tls", "{broker} speaks TLS",
	"what listens on {broker} at the server speaks TLS, which is not "
	"needed inside SSH, and not what plain MQTT clients speak",
	"name its plain port (at the server: ss -ltnp): kaya tunnel -b "
	"HOST:PORT {tunnel_to}; or make one there: echo 'listener 1883 "
	"127.0.0.1' "
	">> /etc/mosquitto/conf.d/local.conf && systemctl restart mosquitto"},
    {MQTT_SILENT, FINDING_FAULT, ERR_TIMEOUT, "broker-silent",
	"{broker} says nothing within 10 s",
	"what listens on {broker} takes the connection and never answers",
	"at the server: systemctl restart mosquitto; where that is not what "
	"listens there, find the broker's port: ss -ltnp"},
    {MQTT_CLOSED, FINDING_FAULT, ERR_REFUSED, "broker-closed",
	"{broker} closes the connection without a CONNACK",
	"what listens on {broker} closes the connection when it sees MQTT: it "
	"is full (max_connections), or no broker",
	"its log tells which, at the broker: journalctl -u mosquitto -n 20; "
	"where it is full: sed -i 's/^max_connections .*/max_connections -1/' "
	"/etc/mosquitto/mosquitto.conf && systemctl restart mosquitto"},
};

enum message_fact {
	MESSAGE_BACK,
	MESSAGE_NO_SUBSCRIBE,
	MESSAGE_NO_PUBLISH,
	MESSAGE_LOST,
	MESSAGE_ENDED,
	MESSAGE_CLOSED
};

#define ANOTHER_TOPIC                                                          \
	"try a topic that the user may use: kaya doctor -t TOPIC {to_topic}; " \
	"or {permit}"

static const struct check_row message_rows[] = {
    {MESSAGE_BACK, FINDING_OK, ERR_NONE, NULL,
	"a message at QoS 1 came back in {ms} ms", NULL, NULL},
    {MESSAGE_NO_SUBSCRIBE, FINDING_FAULT, ERR_REFUSED, "may-not-subscribe",
	"SUBACK {code} ({name}) for {topic}",
	"the broker does not let this client subscribe to {topic}: {cause}",
	ANOTHER_TOPIC},
    {MESSAGE_NO_PUBLISH, FINDING_FAULT, ERR_REFUSED, "may-not-publish",
	"PUBACK {code} ({name}) for {topic}",
	"the broker does not let this client publish to {topic}: {cause}",
	ANOTHER_TOPIC},
    {MESSAGE_LOST, FINDING_FAULT, ERR_REFUSED, "message-lost",
	"the broker took the message and did not give it back within 10 s",
	"the broker's access rules let this client publish to {topic} or "
	"subscribe to it, not both, and tell no client",
	ANOTHER_TOPIC},
    {MESSAGE_ENDED, FINDING_FAULT, ERR_REFUSED, "message-closed",
	"DISCONNECT {code} ({name})",
	"the broker ended the connection when the message was sent: {cause}",
	"its log tells more, at the broker: journalctl -u mosquitto -n 20"},
    {MESSAGE_CLOSED, FINDING_FAULT, ERR_REFUSED, "message-closed",
	"the broker closed the connection",
	"the broker ended the connection when the message was sent",
	"its log tells why, at the broker: journalctl -u mosquitto -n 20"},
};

/* ---- a conversation over a channel ---- */

enum talk { TALK_STATE, TALK_SILENT, TALK_CLOSED };

/* Until the trip has left `from`; what it sends goes out on the way. */
static enum talk
talk(ssh_channel channel, struct mqtt_trip *trip, enum mqtt_trip_state until)
{
	uint64_t give_up = clock_monotonic_ms() + DOCTOR_ANSWER_MS, now;
	uint8_t bytes[4096];

	while (trip->state < until) {
		struct span out = buf_span(&trip->out);
		int got;

		if (out.len > 0 && ssh_channel_write(channel, out.data,
				       (uint32_t)out.len) != (int)out.len)
			return TALK_CLOSED;
		buf_consume(&trip->out, out.len);
		now = clock_monotonic_ms();
		if (now >= give_up)
			return TALK_SILENT;
		/* When time is up: 0 in libssh 0.10, SSH_AGAIN since 0.11. */
		got = ssh_channel_read_timeout(
		    channel, bytes, sizeof bytes, 0, (int)(give_up - now));
		if (got > 0)
			mqtt_trip_feed(trip, span_of(bytes, (size_t)got));
		else if ((got < 0 && got != SSH_AGAIN) ||
			 ssh_channel_is_eof(channel))
			return TALK_CLOSED;
	}
	return TALK_STATE;
}

static ssh_channel
new_channel(struct doctor *doctor)
{
	ssh_channel channel = ssh_channel_new(doctor->link->session);

	if (channel != NULL &&
	    ssh_channel_open_forward(channel, doctor->broker_host,
		doctor->options->broker_port, "127.0.0.1", 0) != SSH_OK) {
		ssh_channel_free(channel);
		channel = NULL;
	}
	return channel;
}

/* With a number behind it; the message is known again by the same. */
#define CLIENT_ID "kaya-doctor-"

static void
begin_trip(
    const struct doctor *doctor, struct mqtt_trip *trip, enum mqtt_level level)
{
	const struct doctor_options *options = doctor->options;
	unsigned long long random = 0;
	char payload[40], topic[64];

	(void)!getrandom(&random, sizeof random, 0);
	snprintf(
	    payload, sizeof payload, "%s%llx", CLIENT_ID, random & 0xffffffff);
	snprintf(topic, sizeof topic, "kaya/doctor/%llx", random & 0xffffffff);
	mqtt_trip_init(trip, level,
	    &(struct mqtt_trip_words){.client_id = options->client_id != NULL
						       ? options->client_id
						       : payload,
		.user = options->broker_user,
		.password = options->broker_password,
		.topic = options->topic != NULL ? options->topic : topic,
		.payload = payload});
}

/* ---- mqtt ---- */

static const char *
what_it_is(const struct mqtt_trip *trip)
{
	static const char *const names[] = {
	    [GREETING_SSH] = "an SSH server",
	    [GREETING_SSH_1] = "an SSH server",
	    [GREETING_HTTP] = "a web server",
	    [GREETING_TLS] = "a TLS server (the broker's TLS port?)",
	    [GREETING_MAIL] = "a mail or FTP server",
	};
	struct span line;
	enum greeting greeting =
	    greeting_read(buf_span(&trip->in), GREETING_IS_ALL, &line);

	if (greeting < sizeof names / sizeof names[0] &&
	    names[greeting] != NULL)
		return names[greeting];
	return "something else";
}

/* CONNACK's codes: 3.1.1 section 3.2.2.3, 5.0 section 3.2.2.2. */
static const struct {
	enum mqtt_level level;
	uint8_t code;
	enum mqtt_fact fact;
} refusals[] = {
    {MQTT_311, 1, MQTT_OTHER_LEVEL},
    {MQTT_311, 2, MQTT_BAD_CLIENT_ID},
    {MQTT_311, 4, MQTT_BAD_USER},
    {MQTT_311, 5, MQTT_BAD_USER},
    {MQTT_50, MQTT_UNSUPPORTED_VERSION, MQTT_OTHER_LEVEL},
    {MQTT_50, MQTT_CLIENT_ID_NOT_VALID, MQTT_BAD_CLIENT_ID},
    {MQTT_50, MQTT_BAD_USER_NAME_OR_PASSWORD, MQTT_BAD_USER},
    {MQTT_50, MQTT_NOT_AUTHORIZED, MQTT_BAD_USER},
};

static enum mqtt_fact
fact_of(enum talk said, const struct mqtt_trip *trip, const char *user)
{
	enum mqtt_fact fact = MQTT_REFUSES;

	if (trip->state == MQTT_TRIP_NOT_MQTT)
		return MQTT_NOT_MQTT;
	if (trip->state == MQTT_TRIP_ACCEPTED)
		return MQTT_ACCEPTED;
	if (said == TALK_SILENT)
		return MQTT_SILENT;
	if (said == TALK_CLOSED)
		return MQTT_CLOSED;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (refusals[i].level == trip->level &&
		    refusals[i].code == trip->code)
			fact = refusals[i].fact;
	return fact == MQTT_BAD_USER && user == NULL ? MQTT_WANTS_USER : fact;
}

/* Whether what closed on a CONNECT answers a ClientHello. */
static bool
speaks_tls(struct doctor *doctor)
{
	struct span hello = greeting_tls_hello(), line;
	ssh_channel channel = new_channel(doctor);
	bool does = false;
	uint8_t bytes[64];
	int got;

	if (channel == NULL)
		return false;
	if (ssh_channel_write(channel, hello.data, (uint32_t)hello.len) > 0) {
		got = ssh_channel_read_timeout(
		    channel, bytes, sizeof bytes, 0, DOCTOR_TCP_MS);
		does = got > 0 && greeting_read(span_of(bytes, (size_t)got),
				      GREETING_IS_ALL, &line) == GREETING_TLS;
	}
	ssh_channel_free(channel);
	return does;
}

static void
tell(const struct doctor *doctor, struct findings *findings,
    enum mqtt_fact fact, const struct mqtt_trip *trip, const char *levels)
{
	const struct mqtt_reason *reason = mqtt_trip_reason(trip);
	const char *client_id = doctor->options->client_id;
	char code[24], as_user[2 * DOCTOR_COMMAND];
	char with_id[2 * DOCTOR_COMMAND];

	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "-u", as_user, sizeof as_user);
	doctor_repeat(
	    doctor, DOCTOR_REPEAT_ALL, "--client-id", with_id, sizeof with_id);
	snprintf(code, sizeof code, trip->level == MQTT_50 ? "0x%02x" : "%u",
	    trip->code);
	const struct check_word words[] = {
	    {"levels", levels},
	    {"code", code},
	    {"name", reason != NULL ? reason->name : "unknown"},
	    {"cause", reason != NULL ? reason->cause : "nobody knows why"},
	    {"user", doctor->options->broker_user},
	    {"client_id", client_id != NULL ? client_id : CLIENT_ID "..."},
	    {"with_id", with_id},
	    {"broker", doctor->broker},
	    {"what", what_it_is(trip)},
	    {"as_user", as_user},
	    {"dest", doctor->words},
	    {"tunnel_to", doctor->tunnel_to},
	    {"again", doctor->again},
	    {0},
	};
	doctor_tell(findings, "mqtt", DOCTOR_ROWS(rows), (int)fact, words);
}

/*
 * 3.1.1 on the channel that is open, then 5.0 on another; the message goes by
 * the later one that was accepted, as 5.0 says why it refuses.
 */
enum check_next
doctor_mqtt(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	const char *user = doctor->options->broker_user;
	struct mqtt_trip old, new;
	ssh_channel second;
	enum mqtt_fact fact, newer = MQTT_CLOSED;
	enum talk said;

	begin_trip(doctor, &old, MQTT_311);
	said = talk(doctor->channel, &old, MQTT_TRIP_ACCEPTED);
	fact = fact_of(said, &old, user);
	if (fact == MQTT_CLOSED && speaks_tls(doctor))
		fact = MQTT_TLS;
	begin_trip(doctor, &new, MQTT_50);
	second =
	    fact == MQTT_NOT_MQTT || fact == MQTT_SILENT || fact == MQTT_TLS
		? NULL
		: new_channel(doctor);
	if (second != NULL) {
		said = talk(second, &new, MQTT_TRIP_ACCEPTED);
		newer = fact_of(said, &new, user);
	}
	if (newer == MQTT_ACCEPTED)
		tell(doctor, findings, MQTT_ACCEPTED, &new,
		    fact == MQTT_ACCEPTED ? "MQTT 3.1.1 and 5.0" : "MQTT 5.0");
	else if (fact == MQTT_ACCEPTED && second != NULL &&
		 (newer == MQTT_CLOSED || newer == MQTT_OTHER_LEVEL))
		tell(doctor, findings, MQTT_ONLY_311, &new, "");
	else if (fact == MQTT_ACCEPTED)
		tell(doctor, findings, fact, &old, "MQTT 3.1.1");
	else
		tell(doctor, findings, fact, &old, "");
	if (newer == MQTT_ACCEPTED) {
		ssh_channel_free(doctor->channel);
		doctor->channel = second;
		fact = MQTT_ACCEPTED;
		mqtt_trip_fini(&old);
		doctor->trip = new;
	} else {
		if (second != NULL)
			ssh_channel_free(second);
		mqtt_trip_fini(&new);
		doctor->trip = old;
	}
	return fact == MQTT_ACCEPTED ? CHECK_GO_ON : CHECK_STOP;
}

/* ---- message ---- */

/*
 * How the topic is permitted, where that is done.  In mosquitto's acl_file
 * what stands before the first user is for those who give no name.
 */
static void
put_permit(
    const struct doctor *doctor, const char *topic, char *text, size_t size)
{
	static const char file[] =
	    "\"$(grep -rhs ^acl_file /etc/mosquitto | cut -d' ' -f2-)\" && "
	    "systemctl reload mosquitto";
	const char *user = doctor->options->broker_user;
	char typed[CHECK_TYPED_SIZE];

	if (doctor_is_gateway(doctor))
		snprintf(text, size,
		    "at the gateway, see what its policy says: kaya policy "
		    "test /var/lib/kayad/policy.yaml NAME subscribe %s; "
		    "there, under publish and subscribe of a role that NAME "
		    "has: %s",
		    check_typed(topic, typed, sizeof typed), topic);
	else if (!shell_is_literal(topic) ||
		 (user != NULL && !shell_is_literal(user)))
		snprintf(text, size,
		    "at the broker, in its acl_file: topic readwrite %s",
		    topic);
	else if (user == NULL)
		snprintf(text, size,
		    "at the broker: sed -i '1i topic readwrite %s' %s", topic,
		    file);
	else
		snprintf(text, size,
		    "at the broker: printf '\\nuser %s\\ntopic readwrite "
		    "%s\\n' >> %s",
		    user, topic, file);
}

enum check_next
doctor_message(void *arg, struct findings *findings)
{
	static const char farewell[] = {(char)(MQTT_DISCONNECT << 4), 0};
	struct doctor *doctor = arg;
	struct mqtt_trip *trip = &doctor->trip;
	const struct mqtt_reason *reason;
	enum message_fact fact = MESSAGE_BACK;
	char ms[24], code[8], to_topic[2 * DOCTOR_COMMAND];
	char permit[FINDING_TEXT];
	struct timespec sent, back;
	enum talk said;

	mqtt_trip_send(trip);
	said = talk(doctor->channel, trip, MQTT_TRIP_PUBLISHING);
	clock_gettime(CLOCK_MONOTONIC, &sent);
	if (said == TALK_STATE && !mqtt_trip_is_over(trip))
		said = talk(doctor->channel, trip, MQTT_TRIP_BACK);
	clock_gettime(CLOCK_MONOTONIC, &back);
	snprintf(ms, sizeof ms, "%.1f",
	    (double)(back.tv_sec - sent.tv_sec) * 1e3 +
		(double)(back.tv_nsec - sent.tv_nsec) / 1e6);
	if (trip->state == MQTT_TRIP_NO_SUBSCRIBE)
		fact = MESSAGE_NO_SUBSCRIBE;
	else if (trip->state == MQTT_TRIP_NO_PUBLISH)
		fact = MESSAGE_NO_PUBLISH;
	else if (trip->state == MQTT_TRIP_ENDED)
		fact = MESSAGE_ENDED;
	else if (trip->state != MQTT_TRIP_BACK)
		fact = said == TALK_SILENT ? MESSAGE_LOST : MESSAGE_CLOSED;
	reason = mqtt_trip_reason(trip);
	snprintf(code, sizeof code, "0x%02x", trip->code);
	doctor_repeat(
	    doctor, DOCTOR_REPEAT_ALL, "-t", to_topic, sizeof to_topic);
	put_permit(doctor, trip->topic, permit, sizeof permit);
	const struct check_word words[] = {
	    {"ms", ms},
	    {"code", code},
	    {"name", reason != NULL ? reason->name : "unknown"},
	    {"cause", reason != NULL ? reason->cause : "nobody knows why"},
	    {"topic", trip->topic},
	    {"to_topic", to_topic},
	    {"permit", permit},
	    {"dest", doctor->words},
	    {"tunnel_to", doctor->tunnel_to},
	    {"again", doctor->again},
	    {0},
	};
	doctor_tell(
	    findings, "message", DOCTOR_ROWS(message_rows), (int)fact, words);
	ssh_channel_write(doctor->channel, farewell, sizeof farewell);
	return CHECK_GO_ON;
}
