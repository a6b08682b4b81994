#ifndef KAYA_POLICY_TRIE_PRIVATE_H
#define KAYA_POLICY_TRIE_PRIVATE_H

/* policy_trie_private: what the trie is made of.  For its own files alone. */

#include "policy_trie.h"

struct policy_trie_node {
	uint32_t any; /* what + leads to; 0: nothing */
	uint32_t templates; /* the first of a list, counted from 1 */
	uint32_t end; /* the rule whose filter ends here */
	uint32_t tail; /* the rule whose filter has # behind this */
};

struct policy_trie_edge {
	uint32_t node; /* 0: an empty place */
	uint32_t word;
	uint32_t child;
};

struct policy_trie_template {
	struct span text;
	uint32_t child;
	uint32_t next; /* counted from 1 */
};

struct policy_trie_word {
	struct span text;
	uint32_t hash;
	enum policy_trie_kind kind;
};

/* The number of a word, or POLICY_WORD_STRANGE. */
uint32_t policy_trie_word(const struct policy_trie *trie, struct span text,
    enum policy_trie_kind kind);

/* What the word leads to from the node; 0: nothing. */
uint32_t policy_trie_child(
    const struct policy_trie *trie, uint32_t node, uint32_t word);

/* ---- levels ---- */

/* The levels of a name or filter, one after the other. */
struct policy_cut {
	struct span rest;
	struct span level;
	bool has_more;
};

static inline struct policy_cut
policy_cut_of(struct span text)
{
	return (struct policy_cut){.rest = text, .has_more = true};
}

/* Move to the next level; false behind the last. */
static inline bool
policy_cut_next(struct policy_cut *cut)
{
	const uint8_t *slash;
	size_t len;

	if (!cut->has_more)
		return false;
	slash = cut->rest.len == 0 ? NULL
				   : memchr(cut->rest.data, '/', cut->rest.len);
	cut->has_more = slash != NULL;
	len = slash == NULL ? cut->rest.len : (size_t)(slash - cut->rest.data);
	cut->level = span_of(cut->rest.data, len);
	if (slash != NULL)
		cut->rest =
		    span_of(cut->rest.data + len + 1, cut->rest.len - len - 1);
	return true;
}

/* Whether it has %i or %c in it, as a filter with templates. */
static inline bool
policy_is_template(struct span level)
{
	return level.len > 0 && memchr(level.data, '%', level.len) != NULL;
}

#endif
