#include "server_line.h"

#include "str.h"

#include <string.h>

enum {
	BASE64_SIZE = 4 * ((PUBKEY_MAX_BYTES + 2) / 3) + 1,
	/* Keys of one type begin alike; these characters are a key's own. */
	OWN_FROM = 30,
	OWN_CHARACTERS = 24
};

struct search {
	struct span blob;
	const struct netaddr *client;
	int64_t now_s;
	char base64[BASE64_SIZE];
};

/* Whether a line that nobody understands holds (the beginning of) the key. */
static bool
mentions(const struct search *search, struct span text)
{
	size_t len = strlen(search->base64);

	if (len < OWN_FROM + OWN_CHARACTERS)
		return false;
	return text.len > 0 &&
	       memmem(text.data, text.len, search->base64 + OWN_FROM,
		   OWN_CHARACTERS) != NULL;
}

static enum server_line_fact
judge_key(const struct search *search, const struct authorized_keys_line *line)
{
	if (line->is_authority)
		return SERVER_LINE_AUTHORITY;
	if (line->expires_s != 0 && line->expires_s < search->now_s)
		return SERVER_LINE_EXPIRED;
	if (line->from.data != NULL && search->client->family != 0 &&
	    netaddr_match_list(search->client, line->from) != NETADDR_MATCH)
		return SERVER_LINE_FROM;
	return SERVER_LINE_ADMITS;
}

static void
explain(const struct authorized_keys_line *line, struct server_line *found)
{
	struct keys_reason reason;
	struct buf meant;

	buf_init(&meant, 1 << 16);
	keys_explain(line, &reason, NULL);
	found->column = reason.column;
	memcpy(found->cause, reason.cause, sizeof found->cause);
	found->can_be_mended = keys_repair(line, &meant);
	buf_fini(&meant);
}

void
server_line_find(struct span file, struct span blob,
    const struct netaddr *client, int64_t now_s, struct server_line *found)
{
	struct search search = {.blob = blob, .client = client, .now_s = now_s};
	struct authorized_keys_line line;
	size_t at = 0, number = 0;
	struct span text;

	*found = (struct server_line){.fact = SERVER_LINE_ABSENT};
	if (blob.len > PUBKEY_MAX_BYTES)
		return;
	str_base64_encode(blob, search.base64);
	while (authorized_keys_next_line(file, &at, &number, &text)) {
		enum authorized_keys_result result =
		    authorized_keys_parse(text, &line);
		enum server_line_fact fact;

		if (result == AUTHORIZED_KEYS_KEY &&
		    span_equal(span_of(line.blob, line.blob_len), blob))
			fact = judge_key(&search, &line);
		else if (result == AUTHORIZED_KEYS_VOID &&
			 mentions(&search, text))
			fact = SERVER_LINE_VOID;
		else
			continue;
		if (fact != SERVER_LINE_ADMITS &&
		    found->fact != SERVER_LINE_ABSENT)
			continue;
		found->fact = fact;
		found->line = number;
		found->column = 1;
		if (fact == SERVER_LINE_VOID)
			explain(&line, found);
		if (fact == SERVER_LINE_ADMITS)
			return;
	}
}
