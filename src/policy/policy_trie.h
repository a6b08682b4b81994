#ifndef KAYA_POLICY_TRIE_H
#define KAYA_POLICY_TRIE_H

/*
 * policy_trie: many sets of topic filters in one table.  For policy alone.
 *
 * A set is a tree of levels that hangs on a root.  The words of all sets are
 * kept once, so that a topic is cut into levels and looked up once, whatever
 * the number of sets that it is then held against.  Whether a topic is in a
 * set takes one step a level, and one more for each + or template that stands
 * beside a fitting word.
 *
 * A level of a filter may be a template: text with %i (the identity) or %c
 * (the client id) in it.  What these stand for is compared as it is and never
 * read as a wildcard; what does not make a level of its own (see
 * policy_names) matches nothing.
 */

#include "span.h"

enum {
	POLICY_LEVELS_MAX = 200, /* of a filter */
	POLICY_NO_RULE = 0xffffffffu
};

/* What %i and %c stand for: empty, it stands for nothing and matches none. */
struct policy_names {
	struct span identity;
	struct span client_id;
};

/* A part of a topic or of a filter that is asked for. */
struct policy_level {
	struct span text;
	uint32_t word; /* its number, or one of these: */
};
enum {
	POLICY_WORD_STRANGE = 0xffffffffu, /* in no filter */
	POLICY_WORD_ANY = 0xfffffffeu /* + was asked for: whatever else it be */
};

/* A topic, or a filter that is asked for, cut up. */
struct policy_look {
	const struct policy_names *names; /* NULL: templates are words */
	const bool *skipped; /* rules that do not count; NULL: all do */
	size_t count;
	bool is_cut; /* it has more levels than any filter */
	bool is_system; /* begins with $ */
	bool has_tail; /* of a filter: /# follows */
	bool is_by_tail; /* what was found ends in #: it holds for more, too */
	struct policy_level levels[POLICY_LEVELS_MAX + 2];
};

struct policy_trie_node;
struct policy_trie_edge;
struct policy_trie_template;
struct policy_trie_word;

/* All zero is empty. */
struct policy_trie {
	struct policy_trie_node *nodes;
	uint32_t node_count, node_cap;
	struct policy_trie_edge *edges; /* a hash table */
	uint32_t edge_count;
	uint32_t edge_mask, edge_shift; /* places less one; 64 less its bits */
	struct policy_trie_template *templates;
	uint32_t template_count, template_cap;
	struct policy_trie_word *words; /* a hash table */
	uint32_t word_count;
	uint32_t word_mask, word_shift; /* the same */
	uint32_t depth; /* levels of the deepest filter, # included */
};

void policy_trie_fini(struct policy_trie *trie);

/* The root of a new set; 0 where memory fails. */
uint32_t policy_trie_root(struct policy_trie *trie);

enum policy_trie_result {
	POLICY_TRIE_ADDED,
	POLICY_TRIE_TWICE, /* the very same filter is there: *other */
	POLICY_TRIE_NO_MEMORY
};
enum policy_trie_kind {
	POLICY_TRIE_LITERAL, /* % is a character like others */
	POLICY_TRIE_TEMPLATES
};

/* A filter, valid and of at most POLICY_LEVELS_MAX levels; it must live on. */
struct policy_trie_filter {
	struct span text;
	enum policy_trie_kind kind;
	uint32_t rule; /* what a match answers */
};
enum policy_trie_result policy_trie_add(struct policy_trie *trie, uint32_t root,
    const struct policy_trie_filter *filter, uint32_t *other);

/* Levels of a name or filter. */
size_t policy_trie_levels(struct span text);

/* Cut a valid topic name.  `look` borrows it, and `names`. */
void policy_trie_look(const struct policy_trie *trie, struct span topic,
    const struct policy_names *names, struct policy_look *look);

/*
 * Cut a valid filter that is asked for, or with `names` NULL one whose
 * templates stand for themselves.
 */
void policy_trie_look_filter(const struct policy_trie *trie, struct span filter,
    const struct policy_names *names, struct policy_look *look);

/* The rule of a filter of the set that matches the topic; POLICY_NO_RULE. */
uint32_t policy_trie_match(
    const struct policy_trie *trie, uint32_t root, struct policy_look *look);

/*
 * Is each topic that the filter reaches matched by a filter of one of the
 * sets?  One of the rules by which it is so, or POLICY_NO_RULE.  Exact: the
 * union counts ("a" and "a/+/#" together cover "a/#").
 *
 * Why it is enough to try topics whose free levels are words that no filter
 * has: whatever else stands there, at least the same filters match.
 */
uint32_t policy_trie_covers(const struct policy_trie *trie,
    const uint32_t *roots, size_t count, struct policy_look *look);

#endif
