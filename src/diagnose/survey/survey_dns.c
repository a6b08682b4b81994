#include "survey_private.h"

#include "clock.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* ---- what sort of address ---- */

struct block {
	uint8_t bits;
	uint8_t bytes[16];
	enum address_kind kind;
};

static const struct block blocks4[] = {
    {8, {0}, ADDRESS_BOGUS},
    {8, {127}, ADDRESS_BOGUS},
    {4, {224}, ADDRESS_BOGUS},
    {4, {240}, ADDRESS_BOGUS},
    {24, {192, 0, 2}, ADDRESS_BOGUS},
    {24, {198, 51, 100}, ADDRESS_BOGUS},
    {24, {203, 0, 113}, ADDRESS_BOGUS},
    {8, {10}, ADDRESS_PRIVATE},
    {12, {172, 16}, ADDRESS_PRIVATE},
    {16, {192, 168}, ADDRESS_PRIVATE},
    {10, {100, 64}, ADDRESS_PRIVATE},
    {16, {169, 254}, ADDRESS_PRIVATE},
};

static const struct block blocks6[] = {
    {127, {0}, ADDRESS_BOGUS}, /* :: and ::1 */
    {8, {0xff}, ADDRESS_BOGUS},
    {32, {0x20, 0x01, 0x0d, 0xb8}, ADDRESS_BOGUS},
    {7, {0xfc}, ADDRESS_PRIVATE},
    {10, {0xfe, 0x80}, ADDRESS_PRIVATE},
};

static enum address_kind
kind_in(const struct block *blocks, size_t count, const uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++) {
		size_t whole = blocks[i].bits / 8, rest = blocks[i].bits % 8;

		if (memcmp(bytes, blocks[i].bytes, whole) == 0 &&
		    (rest == 0 ||
			(bytes[whole] ^ blocks[i].bytes[whole]) >> (8 - rest) ==
			    0))
			return blocks[i].kind;
	}
	return ADDRESS_PUBLIC;
}

enum address_kind
survey_address_kind(const struct sockaddr *name)
{
	const struct sockaddr_in6 *v6 = (const void *)name;
	const struct sockaddr_in *v4 = (const void *)name;

	if (name->sa_family == AF_INET)
		return kind_in(blocks4, sizeof blocks4 / sizeof blocks4[0],
		    (const uint8_t *)&v4->sin_addr);
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return kind_in(blocks4, sizeof blocks4 / sizeof blocks4[0],
		    v6->sin6_addr.s6_addr + 12);
	return kind_in(
	    blocks6, sizeof blocks6 / sizeof blocks6[0], v6->sin6_addr.s6_addr);
}

/* ---- the host ---- */

bool
survey_same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)(const void *)a)
				   ->sin_addr,
			   &((const struct sockaddr_in *)(const void *)b)
				->sin_addr,
			   sizeof(struct in_addr)) == 0;
	return memcmp(
		   &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
		   &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
		   sizeof(struct in6_addr)) == 0;
}

static void
set_port(struct sockaddr_storage *name, uint16_t port)
{
	if (name->ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)name)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)(void *)name)->sin_port = htons(port);
}

/* All ports of one address. */
static void
plan_address(struct survey *survey, const struct addrinfo *found)
{
	enum address_kind kind = survey_address_kind(found->ai_addr);
	char digits[INET6_ADDRSTRLEN + 20] = "?";
	size_t used = strlen(survey->addresses);

	getnameinfo(found->ai_addr, found->ai_addrlen, digits, sizeof digits,
	    NULL, 0, NI_NUMERICHOST);
	snprintf(survey->addresses + used, sizeof survey->addresses - used,
	    "%s%s", used > 0 ? ", " : "", digits);
	if (kind > survey->kind)
		survey->kind = kind;
	for (size_t i = 0; i < survey->port_count; i++) {
		struct survey_way *way = &survey->ways[survey->way_count++];

		way->port = survey->ports[i];
		memcpy(&way->name, found->ai_addr, found->ai_addrlen);
		way->name_len = found->ai_addrlen;
		set_port(&way->name, way->port);
		snprintf(way->address, sizeof way->address, "%s", digits);
	}
}

size_t
survey_hosts_line(const char *path, const char *host)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, number = 0, found = 0;
	char *line = NULL;

	while (file != NULL && found == 0 && getline(&line, &size, file) > 0) {
		char *rest = line, *word;

		number++;
		line[strcspn(line, "#\n")] = '\0';
		(void)strtok_r(line, " \t", &rest); /* the address */
		while ((word = strtok_r(NULL, " \t", &rest)) != NULL)
			if (strcasecmp(word, host) == 0)
				found = number;
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

void
survey_resolve(struct survey *survey)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	size_t count = 0;

	survey->dns_result = getaddrinfo(survey->host, NULL, &hints, &found);
	for (const struct addrinfo *a = found;
	     survey->dns_result == 0 && a != NULL &&
	     count < SURVEY_ADDRESSES_MAX;
	     a = a->ai_next) {
		bool again = false;

		for (const struct addrinfo *b = found; b != a; b = b->ai_next)
			again = again ||
				survey_same_address(a->ai_addr, b->ai_addr);
		if (again ||
		    (a->ai_family != AF_INET && a->ai_family != AF_INET6))
			continue;
		plan_address(survey, a);
		count++;
	}
	if (survey->dns_result == 0)
		freeaddrinfo(found);
	survey->hosts_line = survey_hosts_line("/etc/hosts", survey->host);
}

/* ---- a name that does not exist ---- */

/*
 * getaddrinfo cannot be told when to stop: who asks may leave before the
 * answer is there, and the last of the two takes the question away.
 */
struct dns_question {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	unsigned holders;
	bool is_done;
	int result;
	struct addrinfo *found;
	char name[300];
};

static void
let_go(struct dns_question *question)
{
	unsigned left;

	pthread_mutex_lock(&question->lock);
	left = --question->holders;
	pthread_mutex_unlock(&question->lock);
	if (left > 0)
		return;
	if (question->result == 0 && question->found != NULL)
		freeaddrinfo(question->found);
	pthread_cond_destroy(&question->answered);
	pthread_mutex_destroy(&question->lock);
	free(question);
}

static void *
ask(void *arg)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct dns_question *question = arg;
	struct addrinfo *found = NULL;
	int result = getaddrinfo(question->name, NULL, &hints, &found);

	pthread_mutex_lock(&question->lock);
	question->result = result;
	question->found = found;
	question->is_done = true;
	pthread_cond_signal(&question->answered);
	pthread_mutex_unlock(&question->lock);
	let_go(question);
	return NULL;
}

struct dns_question *
survey_ask_wild(const char *host)
{
	struct dns_question *question = calloc(1, sizeof *question);
	pthread_condattr_t clock;
	uint32_t random[2];
	pthread_t thread;

	if (question == NULL ||
	    getrandom(random, sizeof random, 0) != sizeof random) {
		free(question);
		return NULL;
	}
	/* The dot at the end: no search list. */
	snprintf(question->name, sizeof question->name, "kaya-%08x%08x.%s.",
	    random[0], random[1], host);
	pthread_mutex_init(&question->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&question->answered, &clock);
	pthread_condattr_destroy(&clock);
	question->holders = 2;
	if (pthread_create(&thread, NULL, ask, question) == 0) {
		pthread_detach(thread);
		return question;
	}
	question->holders = 1;
	let_go(question);
	return NULL;
}

/* Is the answer for the nameless one the host's own? */
static enum dns_wild
compare(const struct addrinfo *found, const struct survey *survey)
{
	for (; found != NULL; found = found->ai_next)
		for (size_t i = 0; i < survey->way_count; i++)
			if (survey->ways[i].proxy == NULL &&
			    survey_same_address(found->ai_addr,
				(const struct sockaddr *)&survey->ways[i].name))
				return DNS_WILD_SAME;
	return DNS_WILD_OTHER;
}

enum dns_wild
survey_wild(struct dns_question *question, const struct survey *survey,
    uint64_t until_ms)
{
	const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
	    .tv_nsec = (long)(until_ms % 1000 * 1000000)};
	enum dns_wild wild = DNS_WILD_NOT_KNOWN;

	if (question == NULL)
		return wild;
	pthread_mutex_lock(&question->lock);
	while (!question->is_done && pthread_cond_timedwait(&question->answered,
					 &question->lock, &until) == 0)
		;
	if (question->is_done && question->result == 0)
		wild = compare(question->found, survey);
	else if (question->is_done && (question->result == EAI_NONAME ||
					  question->result == EAI_NODATA))
		wild = DNS_WILD_NONE;
	pthread_mutex_unlock(&question->lock);
	let_go(question);
	return wild;
}
