/*
 * Any bytes as an authorized_keys file: parsed, judged, mended, made a ring and
 * asked.  What is promised must hold: a mended line has a key, a column lies
 * within its line, the ring and the judge agree on who gets in.
 */

#include "keyring.h"
#include "keys_judge.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static struct authorized_keys_line line;

static bool
is_key(struct span text)
{
	return authorized_keys_parse(text, &line) == AUTHORIZED_KEYS_KEY;
}

static void
void_line(struct span text)
{
	struct keys_reason reason;
	struct buf meant;

	keys_explain(&line, &reason, NULL);
	MUST(reason.column >= 1 && reason.column <= text.len + 1);
	MUST(reason.cause[0] != '\0' && reason.remedy[0] != '\0');
	buf_init(&meant, 1 << 20);
	if (keys_repair(&line, &meant)) {
		struct span all = buf_span(&meant), one;
		size_t at = 0, number = 0;

		while (authorized_keys_next_line(all, &at, &number, &one))
			MUST(is_key(one));
		MUST(number > 0);
	}
	buf_fini(&meant);
}

static void
key_line(void)
{
	struct authorized_keys_option option;
	struct pubkey key;
	size_t at = 0, permits = 0;
	char text[64];

	while (authorized_keys_next(&line, &at, &option)) {
		permits += option.id == OPTION_PERMITOPEN;
		authorized_keys_unquote(option.value, text, sizeof text);
	}
	MUST(permits == line.permitopens);
	MUST(pubkey_read(span_of(line.blob, line.blob_len), line.key.type,
		 &key) == PUBKEY_GOOD);
}

static void
ask(const struct keyring *ring)
{
	static const uint8_t addresses[2][16] = {{127, 0, 0, 1}, {[15] = 1}};
	struct keyring_stats stats = keyring_stats(ring);

	for (uint32_t i = 0; i < stats.lines + stats.authorities; i++) {
		struct netaddr client =
		    netaddr_of_bytes(addresses[i % 2], i % 2 ? 16 : 4);
		struct keyring_verdict v;

		if (keyring_is_authority(ring, i))
			continue;
		MUST(keyring_admit_digest(ring, keyring_digest(ring, i),
			 &client, 1893456000, &v) != KEYRING_UNKNOWN);
		MUST(str_is_name(span_of_str(v.identity)));
		keyring_may_open(ring, v.entry, span_of_str("localhost"), 1883);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the very size, so that a reader past its end is seen. */
	uint8_t *copy = malloc(size + (size == 0));
	const struct keyring_file file = {"fuzz", span_of(copy, size)};
	struct keys_findings findings;
	struct keyring *ring;
	size_t at = 0, number = 0;
	struct span text;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	while (authorized_keys_next_line(file.text, &at, &number, &text)) {
		switch (authorized_keys_parse(text, &line)) {
		case AUTHORIZED_KEYS_KEY:
			key_line();
			break;
		case AUTHORIZED_KEYS_VOID:
			void_line(text);
			break;
		case AUTHORIZED_KEYS_EMPTY:
			break;
		}
	}
	MUST(keys_judge(file.text, 1893456000, &findings, NULL) == 0);
	for (size_t i = 0; i < findings.count; i++)
		MUST(findings.items[i].line >= 1 &&
		     findings.items[i].line <= number);
	keys_findings_fini(&findings);
	ring = keyring_new(
	    &(struct keyring_source){
		.files = &file, .count = 1, .report = NULL, .arg = NULL},
	    NULL);
	MUST(ring != NULL);
	ask(ring);
	keyring_unref(ring);
	free(copy);
	return 0;
}
