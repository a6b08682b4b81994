#ifndef KAYA_POLICY_TRIE_PRIVATE_H
#define KAYA_POLICY_TRIE_PRIVATE_H

/* policy_trie_private: what the trie is made of.  For its own files alone. */

#include "lanes.h"
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

/* What stands for a whole level, as most templates do, is told apart. */
enum policy_trie_whole {
	POLICY_TRIE_MIXED,
	POLICY_TRIE_IDENTITY, /* %i */
	POLICY_TRIE_CLIENT_ID /* %c */
};

struct policy_trie_template {
	struct span text;
	uint32_t child;
	uint32_t next; /* counted from 1 */
	enum policy_trie_whole whole;
};

/* ---- words ---- */

enum { POLICY_KEY_BYTES = 2 * LANES };

/*
 * The first bytes of a text, with zeros behind its end.  Two texts as long as
 * each other, up to POLICY_KEY_BYTES, are the same just where these are: no
 * call, and no other memory to look at.
 */
struct policy_key {
	uint64_t first, second;
};

struct policy_trie_word {
	struct policy_key key;
	const uint8_t *text;
	uint32_t shape; /* 0: an empty place */
	uint32_t number;
};

/* Length and kind; not 0. */
static inline uint32_t
policy_shape(size_t len, enum policy_trie_kind kind)
{
	return (uint32_t)len << 2 | (uint32_t)kind << 1 | 1;
}

static inline size_t
policy_shape_len(uint32_t shape)
{
	return shape >> 2;
}

/* Odd ones, near the golden ratio and the square root of 3: see Knuth, 6.4. */
#define POLICY_MIX_1 UINT64_C(0x9e3779b97f4a7c15)
#define POLICY_MIX_2 UINT64_C(0xbb67ae8584caa73b)

/*
 * The higher bits are the better ones.  Words are the policy's: a peer can look
 * for what it likes, but never make them stand in each other's way.
 */
static inline uint64_t
policy_key_hash(struct policy_key key, uint32_t shape)
{
	return (key.first ^ shape) * POLICY_MIX_1 ^ key.second * POLICY_MIX_2;
}

/* ---- levels ---- */

/* A text being cut into levels, each with its key. */
struct policy_cut {
	struct span text;
	size_t at; /* where the next level begins; past the end: none is left */
	struct span level;
	struct policy_key key;
};

static inline struct policy_cut
policy_cut_of(struct span text)
{
	return (struct policy_cut){.text = text};
}

/*
 * The next LANES bytes from `at` on as one half of a key: what stands before
 * the slash or the end, if either is there.  How many these are, or LANES.
 */
static inline size_t
policy_cut_half(struct span text, size_t at, uint64_t *half)
{
	uint64_t lanes = lanes_at(text, at);
	uint64_t found = lanes_find(lanes, '/');

	*half = lanes;
	if (found == 0)
		return text.len - at < LANES ? text.len - at : LANES;
	*half = lanes & lanes_before(found);
	return lanes_first(found);
}

/*
 * Move to the next level; false behind the last.  Inline, so that all of it
 * stays in registers.
 */
static inline __attribute__((always_inline)) bool
policy_cut_next(struct policy_cut *cut)
{
	size_t begin = cut->at, len;

	if (begin > cut->text.len)
		return false;
	cut->key.second = 0;
	len = policy_cut_half(cut->text, begin, &cut->key.first);
	if (len == LANES)
		len +=
		    policy_cut_half(cut->text, begin + LANES, &cut->key.second);
	if (len == POLICY_KEY_BYTES)
		len = lanes_index(cut->text, begin + POLICY_KEY_BYTES, '/') -
		      begin;
	cut->level = span_of(cut->text.data + begin, len);
	cut->at = begin + len + 1;
	return true;
}

/* Whether it has %i or %c in it, as a filter with templates. */
static inline bool
policy_is_template(struct span level)
{
	return level.len > 0 && memchr(level.data, '%', level.len) != NULL;
}

/* The same of a level of more than POLICY_KEY_BYTES. */
uint32_t policy_trie_long_word(const struct policy_trie *trie,
    struct span level, enum policy_trie_kind kind);

/* The number of the word that a level is, or POLICY_WORD_STRANGE. */
static inline uint32_t
policy_trie_word(const struct policy_trie *trie, const struct policy_cut *cut,
    enum policy_trie_kind kind)
{
	const uint32_t shape = policy_shape(cut->level.len, kind);
	const struct policy_trie_word *word;

	if (cut->level.len > POLICY_KEY_BYTES)
		return policy_trie_long_word(trie, cut->level, kind);
	for (size_t at = policy_key_hash(cut->key, shape) >> trie->word_shift;;
	     at = (at + 1) & trie->word_mask) {
		word = &trie->words[at];
		if (word->key.first == cut->key.first &&
		    word->key.second == cut->key.second && word->shape == shape)
			return word->number;
		if (word->shape == 0)
			return POLICY_WORD_STRANGE;
	}
}

/* ---- edges ---- */

static inline uint64_t
policy_edge_hash(uint32_t node, uint32_t word)
{
	return ((uint64_t)node << 32 | word) * POLICY_MIX_1;
}

/* What the word leads to from the node; 0: nothing. */
static inline uint32_t
policy_trie_child(const struct policy_trie *trie, uint32_t node, uint32_t word)
{
	const struct policy_trie_edge *edge;

	for (size_t at = policy_edge_hash(node, word) >> trie->edge_shift;;
	     at = (at + 1) & trie->edge_mask) {
		edge = &trie->edges[at];
		if (edge->node == node && edge->word == word)
			return edge->child;
		if (edge->node == 0)
			return 0;
	}
}

#endif
