#include "guard_post_private.h"

#include "clock.h"

void
guard_post_note_last(struct guard_post *post,
    const struct guard_command *command, const char *word,
    enum guard_cause cause)
{
	json_decref(post->last);
	post->last_ms = clock_boot_ms();
	post->last = json_pack("{s:s, s:s#, s:s, s:s, s:s, s:s}", "id",
	    command->id, "topic", buf_span(&command->topic).data,
	    (int)buf_len(&command->topic), "outcome", word, "cause",
	    guard_cause_name(cause), "first", command->by[0], "second",
	    command->by[1]);
}

static json_t *
rule_of(const struct guard_rule *rule)
{
	json_t *topics = json_array();

	for (size_t i = 0; i < rule->topic_count; i++)
		json_array_append_new(topics, json_string(rule->topics[i]));
	return json_pack("{s:s, s:o}", "name", rule->name, "topics", topics);
}

json_t *
guard_post_status(struct guard_post *post)
{
	const struct guard_rules *rules = post->files.rules;
	json_t *protects = json_array(), *last = NULL;
	const struct guard_command *command;
	json_int_t issued = 0, waiting = 0;
	size_t at = 0;

	while ((command = guard_next(post->guard, &at)) != NULL) {
		issued += command->state == GUARD_ISSUED;
		waiting += command->state != GUARD_ISSUED;
	}
	for (size_t i = 0; i < rules->rule_count; i++)
		json_array_append_new(protects, rule_of(&rules->rules[i]));
	if (post->last != NULL) {
		last = json_copy(post->last);
		json_object_set_new(last, "ago_ms",
		    json_integer(
			(json_int_t)(clock_boot_ms() - post->last_ms)));
	}
	return json_pack("{s:s, s:b, s:b, s:I, s:I, s:o, s:o?}", "actuator",
	    guard_post_name(post), "connected", guard_mqtt_is_open(post->mqtt),
	    "files_are_sound", post->files.is_sound, "unsigned", issued,
	    "waiting", waiting, "protect", protects, "last", last);
}
