#include "keys_pattern.h"

#include "keys_text.h"

#include <ctype.h>

static bool
is_same(uint8_t a, uint8_t b, enum keys_pattern_case letters)
{
	return letters == KEYS_PATTERN_EXACT ? a == b
					     : tolower(a) == tolower(b);
}

bool
keys_pattern_fits(
    struct span text, struct span pattern, enum keys_pattern_case letters)
{
	size_t t = 0, p = 0, star = SIZE_MAX, resume = 0;

	/* On a mismatch only the last star need take one character more. */
	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.len && (pattern.data[p] == '?' ||
						  is_same(pattern.data[p],
						      text.data[t], letters))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

bool
keys_pattern_next(struct span *patterns, struct span *item)
{
	if (patterns->data == NULL)
		return false;
	*item = *patterns;
	for (item->len = 0; item->len < patterns->len; item->len++)
		if (patterns->data[item->len] == ',')
			break;
	if (item->len == patterns->len)
		*patterns = span_of(NULL, 0);
	else
		keys_text_advance(patterns, item->len + 1);
	return true;
}

enum keys_pattern_result
keys_pattern_list(struct span text, struct span patterns)
{
	enum keys_pattern_result result = KEYS_PATTERN_NO_MATCH;
	struct span item;

	while (keys_pattern_next(&patterns, &item)) {
		bool denies = item.len > 0 && item.data[0] == '!';

		if (denies)
			keys_text_advance(&item, 1);
		if (!keys_pattern_fits(text, item, KEYS_PATTERN_EXACT))
			continue;
		if (denies)
			return KEYS_PATTERN_DENIED;
		result = KEYS_PATTERN_MATCH;
	}
	return result;
}
