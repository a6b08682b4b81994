/*
 * Any bytes as mosquitto's acl_file, and behind a zero byte lines with an
 * identity, a client id and a topic.  Verdicts are held against a second
 * judge that goes through the lines one by one, as mosquitto does, with every
 * name put into its pattern as text.
 */

#include "fuzz.h"

#include "mqtt_frame.h"
#include "mqtt_topic.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 4096 };

/* ---- the second judge: its own reading of the lines ---- */

struct judge {
	const struct policy_who *who;
	struct span topic;
	bool writes;
	struct span file;
};

/* Words of a line that is known to be sound. */
struct line {
	char word[16], access[16];
	const char *rest; /* the topic or the user's name */
	char room[TEXT_MAX];
};

static const char *
skip_blanks(const char *text)
{
	while (*text == ' ')
		text++;
	return text;
}

static const char *
copy_word(const char *from, char *word, size_t size)
{
	size_t len = strcspn(from, " ");

	snprintf(word, size, "%.*s", (int)len, from);
	return from + len + (from[len] == ' ');
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
read_line(struct span text, struct line *line)
{
	const char *at;
	size_t len = text.len;

	while (len > 0 && is_blank((char)text.data[len - 1]))
		len--;
	if (len == 0 || text.data[0] == '#' || len >= sizeof line->room)
		return false;
	memcpy(line->room, text.data, len);
	line->room[len] = '\0';
	at = copy_word(skip_blanks(line->room), line->word, sizeof line->word);
	line->access[0] = '\0';
	line->rest = at;
	if (strcmp(line->word, "user") != 0) {
		char access[16];
		const char *rest =
		    copy_word(skip_blanks(at), access, sizeof access);

		while (is_blank(*rest))
			rest++;
		line->rest = skip_blanks(at);
		if (*rest != '\0') {
			snprintf(
			    line->access, sizeof line->access, "%s", access);
			line->rest = rest;
		}
	}
	while (is_blank(*line->rest))
		line->rest++;
	return true;
}

/* %u and %c replaced; false where it does not fit. */
static bool
expand(const struct judge *j, const char *from, char *text)
{
	size_t len = 0;

	while (*from != '\0') {
		struct span part = span_of(from, 1);

		if (from[0] == '%' && (from[1] == 'u' || from[1] == 'c'))
			part = *++from == 'u' ? j->who->names.identity
					      : j->who->client_id;
		from++;
		if (len + part.len >= TEXT_MAX)
			return false;
		if (part.len > 0)
			memcpy(text + len, part.data, part.len);
		len += part.len;
	}
	text[len] = '\0';
	return true;
}

enum found { FOUND_NOTHING, FOUND_PERMIT, FOUND_DENY };

static enum found
judge_line(const struct judge *j, const struct line *line)
{
	char text[TEXT_MAX];
	const char *filter = line->rest;

	if (strcmp(line->word, "pattern") == 0) {
		if (strstr(filter, "%c") != NULL && j->who->client_id.len == 0)
			return FOUND_NOTHING;
		MUST(expand(j, filter, text));
		filter = text;
		if ((filter[0] == '$') != (j->topic.data[0] == '$'))
			return FOUND_NOTHING;
	}
	if (filter[0] == '\0' ||
	    !mqtt_topic_matches(span_of_str(filter), j->topic))
		return FOUND_NOTHING;
	if (strcmp(line->access, "deny") == 0)
		return FOUND_DENY;
	if (strcmp(line->access, j->writes ? "read" : "write") == 0)
		return FOUND_NOTHING;
	return FOUND_PERMIT;
}

/* The lines of one kind: deny where one denies, else permit where one does. */
static enum found
judge_lines(const struct judge *j, const char *word)
{
	struct span left = j->file;
	enum found found = FOUND_NOTHING;
	bool is_mine = false;
	struct line line;

	while (left.len > 0) {
		if (!read_line(take_line(&left), &line))
			continue;
		if (strcmp(line.word, "user") == 0)
			is_mine = span_is(j->who->names.identity, line.rest);
		else if (strcmp(line.word, word) == 0 &&
			 (is_mine || strcmp(word, "pattern") == 0)) {
			enum found one = judge_line(j, &line);

			if (one > found)
				found = one;
		}
	}
	return found;
}

static bool
begins(struct span text, const char *with)
{
	return text.len >= strlen(with) &&
	       memcmp(text.data, with, strlen(with)) == 0;
}

static bool
judge(const struct judge *j)
{
	enum found found;

	if (begins(j->topic, "$share") ||
	    (j->writes && begins(j->topic, "$SYS") &&
		!mqtt_topic_matches(
		    span_of_str("$SYS/broker/connection/+/state"), j->topic)))
		return false;
	found = judge_lines(j, "topic");
	if (found != FOUND_NOTHING)
		return found == FOUND_PERMIT;
	if (j->who->client_id.len > 0 &&
	    (memchr(j->who->client_id.data, '+', j->who->client_id.len) !=
		    NULL ||
		memchr(j->who->client_id.data, '#', j->who->client_id.len) !=
		    NULL))
		return false;
	return judge_lines(j, "pattern") == FOUND_PERMIT;
}

/* ---- both asked ---- */

static bool
is_short(struct span file)
{
	while (file.len > 0)
		if (take_line(&file).len > 400)
			return false;
	return true;
}

static void
use(const struct policy *policy, struct span file, struct span in)
{
	struct span identity = take_line(&in), id = take_line(&in);
	struct span topic = take_line(&in);
	struct policy_check check = {
	    .policy = policy, .on_finding = on_finding};
	struct policy_who who;
	struct policy_message message = {.topic = topic};
	struct judge j = {.who = &who, .topic = topic, .file = file};

	MUST(policy_check(&check) >= 0);
	policy_who_init(&who, policy, identity, (struct span){0});
	policy_client_id(&who, id, NULL, NULL);
	if (id.len > 15 || !is_short(file) || who.names.identity.len == 0 ||
	    mqtt_topic_check_name(topic, MQTT_RULE_TOPIC_TEXT) !=
		MQTT_RULE_NONE)
		return;
	MUST(
	    (policy_deliver(&who, topic, NULL) == POLICY_ALLOWED) == judge(&j));
	j.writes = true;
	MUST((policy_publish(&who, &message, NULL) == POLICY_ALLOWED) ==
	     judge(&j));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size == 0 ? NULL : memchr(data, 0, size);
	size_t len = zero == NULL ? size : (size_t)(zero - data), faults = 0;
	struct policy_source source = {.file = "fuzz",
	    .bytes = span_of(data, len),
	    .format = POLICY_ACL,
	    .on_fault = on_fault,
	    .arg = &faults};
	struct policy *policy = policy_new(&source);

	MUST((policy == NULL) == (faults > 0));
	len += zero != NULL;
	if (policy != NULL)
		use(policy, source.bytes, span_of(data + len, size - len));
	policy_free(policy);
	return 0;
}
