#ifndef KAYA_TEST_GUARD_PEOPLE_H
#define KAYA_TEST_GUARD_PEOPLE_H

/* people: keys, a guard's rules that know them, and their signatures. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "guard.h"
#include "ssh_armor.h"
#include "ssh_sig.h"

enum person { ANN, ANN_AT_HOME, BOB, DORA, PUMP, EVE, PEOPLE };

static const char *const people_names[PEOPLE] = {
    "ann", "ann", "bob", "dora", "pump-7", NULL};

#define PEOPLE_TOPIC "plant/valve-1/set"

static const char people_rules[] =
    "actuator: valve-1\n"
    "allowed_signers: signers\n"
    "audit: guard.log\n"
    "roles:\n"
    "  - {name: operator, principals: [ann, dora]}\n"
    "  - {name: supervisor, principals: [bob, dora]}\n"
    "  - {name: interlock, principals: [\"pump-?\"]}\n"
    "protect:\n"
    "  - {name: valve, topics: [\"plant/valve-1/#\"],\n"
    "     safe_state: [close, \"0\"], request: operator,\n"
    "     approve: supervisor, permit: interlock, within: 30s}\n"
    "  - {name: pump, topics: [\"plant/pump/+\"],\n"
    "     request: operator, permit: interlock, within: 10s}\n";

static struct ssh_host_key *people_keys[PEOPLE];

static inline void
people_fault(const struct conf_fault *fault, void *arg)
{
	(void)arg;
	fail_msg("%s: %s", fault->err.where, fault->err.what);
}

static inline void
people_signers_fault(const struct err *fault, void *arg)
{
	(void)arg;
	fail_msg("%s: %s", fault->where, fault->what);
}

/* Everybody's line but eve's. */
static inline void
people_lines(struct buf *text)
{
	for (int i = 0; i < PEOPLE; i++) {
		char base64[256];

		if (people_names[i] == NULL)
			continue;
		str_base64_encode(ssh_host_key_blob(people_keys[i]), base64);
		buf_append_str(text, people_names[i]);
		buf_append_str(text, " ssh-ed25519 ");
		buf_append_str(text, base64);
		buf_append_str(text, "\n");
	}
}

static inline struct guard_rules *
people_read(void)
{
	struct guard_rules *rules = guard_rules_new(
	    "guard.yaml", span_of_str(people_rules), people_fault, NULL);
	struct buf lines;
	size_t lone_line;

	assert_non_null(rules);
	buf_init(&lines, 65536);
	people_lines(&lines);
	assert_int_equal(
	    guard_rules_take_signers(rules, "signers", buf_span(&lines),
		people_signers_fault, NULL, &lone_line),
	    0);
	buf_fini(&lines);
	return rules;
}

static inline int
people_set_up(void **state)
{
	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		people_keys[i] =
		    ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
		if (people_keys[i] == NULL)
			return -1;
	}
	return 0;
}

static inline int
people_tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < PEOPLE; i++)
		ssh_host_key_free(people_keys[i]);
	return 0;
}

/* A signature's text; good until the next one. */
static inline struct span
people_sign(enum person person, const char *namespace, struct span statement)
{
	static struct buf text = {.max = SSH_SIG_FILE_MAX};
	struct buf blob;

	buf_fini(&text);
	buf_init(&blob, SSH_SIG_BLOB_MAX);
	assert_int_equal(ssh_sig_sign(people_keys[person], namespace, statement,
			     &blob, NULL),
	    0);
	ssh_armor_close(buf_span(&blob), SSH_SIG_ARMOR, &text);
	assert_false(text.failed);
	buf_fini(&blob);
	return buf_span(&text);
}

#endif
