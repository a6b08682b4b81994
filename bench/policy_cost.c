/*
 * What a verdict of src/policy costs, at few and many rules and identities:
 *
 *	policy_cost [MILLISECONDS-A-FIGURE]
 *
 * prints a JSON array.  All rules are of one role, which all identities have.
 * Topics are of five levels; half of the publishes are refused.
 */

#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES = 1024, TEXT_MAX = 64, FIRST_MS = 200, TURNS = 20 };

struct sample {
	char identity[16];
	struct policy_who who;
	char topic[TEXT_MAX];
	char filter[TEXT_MAX];
};

struct bench {
	unsigned rules, identities;
	unsigned figure_ms;
	struct policy *policy;
	struct sample *samples;
	uint64_t allowed; /* of all that was asked: so that it is asked */
};

/* Of the processor, not of the clock: others may want it too. */
static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the policy ---- */

/* Three of four rules name the identity, one has a wildcard before a word. */
static void
put_rules(FILE *out, const char *word, unsigned count)
{
	static const char *const shapes[] = {"plant/line%u/%%i/state/+",
	    "plant/line%u/%%i/meter/#", "plant/+/shared/line%u/note",
	    "plant/line%u/%%i/command/now"};

	fprintf(out, "    %s:\n", word);
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "      - \"");
		fprintf(out, shapes[i % 4], i / 4);
		fprintf(out, "\"\n");
	}
}

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	fprintf(stderr, "%s: %s\n", fault->err.where, fault->err.what);
	exit(1);
}

static void
make_policy(struct bench *b)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct policy_source source = {
	    .file = "bench", .format = POLICY_YAML, .on_fault = on_fault};

	fprintf(out, "roles:\n  - name: device\n");
	put_rules(out, "publish", b->rules);
	put_rules(out, "subscribe", b->rules);
	fprintf(out, "identities:\n  - roles: device\n    names:\n");
	for (unsigned i = 0; i < b->identities; i++)
		fprintf(out, "      - device-%u\n", i);
	fclose(out);
	source.bytes = span_of(text, size);
	b->policy = policy_new(&source);
	free(text);
	if (b->policy == NULL)
		exit(1);
}

/* ---- what is asked ---- */

static unsigned
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Every other topic names another identity: nothing lets it pass. */
static void
make_samples(struct bench *b)
{
	static const char *const ends[] = {
	    "state/on", "meter/a", "command/now"};
	uint32_t seed = 1;
	unsigned lines = b->rules / 4 > 0 ? b->rules / 4 : 1;

	b->samples = calloc(SAMPLES, sizeof *b->samples);
	if (b->samples == NULL)
		exit(1);
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct sample *s = &b->samples[i];
		unsigned mine = next_random(&seed) % b->identities;

		snprintf(s->identity, sizeof s->identity, "device-%u", mine);
		policy_who_init(&s->who, b->policy, span_of_str(s->identity),
		    (struct span){0});
		policy_client_id(&s->who, span_of_str(s->identity), NULL, NULL);
		snprintf(s->topic, sizeof s->topic, "plant/line%u/%s%s/%s",
		    next_random(&seed) % lines, s->identity,
		    i % 2 == 0 ? "" : "x", ends[next_random(&seed) % 3]);
		snprintf(s->filter, sizeof s->filter, "plant/line%u/%s%s/%s",
		    next_random(&seed) % lines, s->identity,
		    i % 2 == 0 ? "" : "x", i % 4 < 2 ? "meter/#" : "state/+");
	}
}

static void
ask_publish(struct bench *b, struct sample *s)
{
	struct policy_message message = {
	    .topic = span_of_str(s->topic), .size = TEXT_MAX};

	b->allowed += policy_publish(&s->who, &message, NULL) == POLICY_ALLOWED;
}

static void
ask_deliver(struct bench *b, struct sample *s)
{
	b->allowed += policy_deliver(&s->who, span_of_str(s->topic), NULL) ==
		      POLICY_ALLOWED;
}

static void
ask_subscribe(struct bench *b, struct sample *s)
{
	uint8_t qos = 0;

	b->allowed += policy_subscribe(&s->who, span_of_str(s->filter), &qos,
			  NULL) == POLICY_ALLOWED;
}

static void
ask_who(struct bench *b, struct sample *s)
{
	struct policy_who who;

	policy_who_init(
	    &who, b->policy, span_of_str(s->identity), (struct span){0});
	b->allowed += policy_client_id(&who, span_of_str(s->identity), NULL,
			  NULL) == POLICY_CLIENT_ID_ALLOWED;
}

/* Nanoseconds for one, over as many as the time has. */
static double
cost_in(struct bench *b, void (*ask)(struct bench *, struct sample *),
    uint64_t time_ns)
{
	uint64_t started = cpu_ns(), now, count = 0;

	do {
		for (unsigned i = 0; i < SAMPLES; i++)
			ask(b, &b->samples[i]);
		count += SAMPLES;
		now = cpu_ns();
	} while (now < started + time_ns);
	return (double)(now - started) / (double)count;
}

/* The least of several: what others do to the caches is not its cost. */
static double
cost_of(struct bench *b, void (*ask)(struct bench *, struct sample *))
{
	uint64_t time_ns = (uint64_t)b->figure_ms * 1000000u / TURNS;
	double least = 0;

	/* Once before it counts, so that the caches are warm. */
	cost_in(b, ask, 0);
	for (unsigned i = 0; i < TURNS; i++) {
		double cost = cost_in(b, ask, time_ns);

		if (i == 0 || cost < least)
			least = cost;
	}
	return least;
}

static void
run(struct bench *b, const char *before)
{
	static const struct {
		const char *name;
		void (*ask)(struct bench *, struct sample *);
	} figures[] = {{"publish_ns", ask_publish}, {"deliver_ns", ask_deliver},
	    {"subscribe_ns", ask_subscribe}, {"session_ns", ask_who}};

	make_policy(b);
	make_samples(b);
	printf("%s{\"rules\": %u, \"identities\": %u", before, b->rules,
	    b->identities);
	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
		printf(", \"%s\": %.1f", figures[i].name,
		    cost_of(b, figures[i].ask));
	printf(", \"allowed\": %ju}", (uintmax_t)b->allowed);
	free(b->samples);
	policy_free(b->policy);
}

int
main(int argc, char **argv)
{
	static const unsigned sizes[][2] = {
	    {10, 10}, {10, 10000}, {1000, 10}, {1000, 10000}};
	unsigned figure_ms =
	    argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : FIRST_MS;

	printf("[");
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bench b = {.rules = sizes[i][0],
		    .identities = sizes[i][1],
		    .figure_ms = figure_ms};

		run(&b, i == 0 ? "" : ",\n ");
	}
	printf("]\n");
	return 0;
}
