/* The tables of a trie, and how filters get into them. */

#include "policy_trie_private.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

void
policy_trie_fini(struct policy_trie *trie)
{
	free(trie->nodes);
	free(trie->edges);
	free(trie->templates);
	free(trie->words);
	free(trie->word_places);
	*trie = (struct policy_trie){.nodes = NULL};
}

/* Room for one more of `count` items of `size` bytes. */
static void *
grown(void *items, uint32_t *cap, uint32_t count, size_t size)
{
	uint32_t more = *cap == 0 ? FIRST_CAP : *cap * 2;
	void *moved;

	if (count < *cap)
		return items;
	moved = realloc(items, more * size);
	if (moved != NULL)
		*cap = more;
	return moved;
}

/* ---- words ---- */

static uint32_t
hash_of(struct span text)
{
	uint64_t hash = 0xcbf29ce484222325u ^ text.len, piece;

	while (text.len >= sizeof piece) {
		memcpy(&piece, text.data, sizeof piece);
		hash = (hash ^ piece) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
		text =
		    span_of(text.data + sizeof piece, text.len - sizeof piece);
	}
	piece = 0;
	for (size_t i = 0; i < text.len; i++)
		piece = piece << 8 | text.data[i];
	hash = (hash ^ piece) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(hash >> 32);
}

uint32_t
policy_trie_word(const struct policy_trie *trie, struct span text,
    enum policy_trie_kind kind)
{
	uint32_t hash = hash_of(text), mask = trie->word_place_cap - 1;

	if (trie->word_place_cap == 0)
		return POLICY_WORD_STRANGE;
	for (uint32_t at = hash & mask; trie->word_places[at] != 0;
	     at = (at + 1) & mask) {
		const struct policy_trie_word *word =
		    &trie->words[trie->word_places[at] - 1];

		if (word->hash == hash && word->kind == kind &&
		    span_equal(word->text, text))
			return trie->word_places[at] - 1;
	}
	return POLICY_WORD_STRANGE;
}

static void
place_word(uint32_t *places, uint32_t cap, uint32_t hash, uint32_t number)
{
	uint32_t at = hash & (cap - 1);

	while (places[at] != 0)
		at = (at + 1) & (cap - 1);
	places[at] = number;
}

/* At most half of the places are taken. */
static bool
has_word_places(struct policy_trie *trie)
{
	uint32_t cap =
	    trie->word_place_cap == 0 ? FIRST_CAP : trie->word_place_cap * 2;
	uint32_t *places;

	if ((trie->word_count + 1) * 2 <= trie->word_place_cap)
		return true;
	places = calloc(cap, sizeof *places);
	if (places == NULL)
		return false;
	for (uint32_t i = 0; i < trie->word_count; i++)
		place_word(places, cap, trie->words[i].hash, i + 1);
	free(trie->word_places);
	trie->word_places = places;
	trie->word_place_cap = cap;
	return true;
}

/* POLICY_WORD_STRANGE: no memory. */
static uint32_t
intern(struct policy_trie *trie, struct span text, enum policy_trie_kind kind)
{
	uint32_t number = policy_trie_word(trie, text, kind);
	void *words;

	if (number != POLICY_WORD_STRANGE)
		return number;
	words = grown(trie->words, &trie->word_cap, trie->word_count,
	    sizeof *trie->words);
	if (words != NULL)
		trie->words = words;
	if (words == NULL || !has_word_places(trie))
		return POLICY_WORD_STRANGE;
	number = trie->word_count++;
	trie->words[number] =
	    (struct policy_trie_word){text, hash_of(text), kind};
	place_word(trie->word_places, trie->word_place_cap,
	    trie->words[number].hash, number + 1);
	return number;
}

/* ---- nodes and edges ---- */

uint32_t
policy_trie_root(struct policy_trie *trie)
{
	void *nodes = grown(trie->nodes, &trie->node_cap, trie->node_count + 1,
	    sizeof *trie->nodes);
	const struct policy_trie_node empty = {
	    .end = POLICY_NO_RULE, .tail = POLICY_NO_RULE};

	if (nodes == NULL)
		return 0;
	trie->nodes = nodes;
	/* Number 0 is none. */
	if (trie->node_count == 0)
		trie->nodes[trie->node_count++] = empty;
	trie->nodes[trie->node_count] = empty;
	return trie->node_count++;
}

static uint32_t
edge_place(uint32_t node, uint32_t word, uint32_t cap)
{
	uint64_t key = (uint64_t)node << 32 | word;

	return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & (cap - 1);
}

uint32_t
policy_trie_child(const struct policy_trie *trie, uint32_t node, uint32_t word)
{
	uint32_t mask = trie->edge_cap - 1;

	if (trie->edge_cap == 0)
		return 0;
	for (uint32_t at = edge_place(node, word, trie->edge_cap);
	     trie->edges[at].node != 0; at = (at + 1) & mask)
		if (trie->edges[at].node == node &&
		    trie->edges[at].word == word)
			return trie->edges[at].child;
	return 0;
}

static void
place_edge(struct policy_trie_edge *edges, uint32_t cap,
    const struct policy_trie_edge *edge)
{
	uint32_t at = edge_place(edge->node, edge->word, cap);

	while (edges[at].node != 0)
		at = (at + 1) & (cap - 1);
	edges[at] = *edge;
}

static bool
has_edge_places(struct policy_trie *trie)
{
	uint32_t cap = trie->edge_cap == 0 ? FIRST_CAP : trie->edge_cap * 2;
	struct policy_trie_edge *edges;

	if ((trie->edge_count + 1) * 2 <= trie->edge_cap)
		return true;
	edges = calloc(cap, sizeof *edges);
	if (edges == NULL)
		return false;
	for (uint32_t i = 0; i < trie->edge_cap; i++)
		if (trie->edges[i].node != 0)
			place_edge(edges, cap, &trie->edges[i]);
	free(trie->edges);
	trie->edges = edges;
	trie->edge_cap = cap;
	return true;
}

/* ---- filters ---- */

static bool
add_template(
    struct policy_trie *trie, uint32_t node, struct span text, uint32_t child)
{
	void *templates = grown(trie->templates, &trie->template_cap,
	    trie->template_count, sizeof *trie->templates);

	if (templates == NULL)
		return false;
	trie->templates = templates;
	trie->templates[trie->template_count++] = (struct policy_trie_template){
	    text, child, trie->nodes[node].templates};
	trie->nodes[node].templates = trie->template_count;
	return true;
}

/* The node that `level` leads to, made where it is missing; 0: no memory. */
static uint32_t
step(struct policy_trie *trie, uint32_t node, struct span level,
    enum policy_trie_kind kind)
{
	struct policy_trie_edge edge = {.node = node};
	enum policy_trie_kind word_kind =
	    kind == POLICY_TRIE_TEMPLATES && policy_is_template(level)
		? POLICY_TRIE_TEMPLATES
		: POLICY_TRIE_LITERAL;

	if (span_is(level, "+")) {
		if (trie->nodes[node].any == 0) {
			edge.child = policy_trie_root(trie);
			trie->nodes[node].any = edge.child;
		}
		return trie->nodes[node].any;
	}
	edge.word = intern(trie, level, word_kind);
	if (edge.word == POLICY_WORD_STRANGE)
		return 0;
	edge.child = policy_trie_child(trie, node, edge.word);
	if (edge.child != 0)
		return edge.child;
	if (!has_edge_places(trie))
		return 0;
	edge.child = policy_trie_root(trie);
	if (edge.child == 0 ||
	    (word_kind == POLICY_TRIE_TEMPLATES &&
		!add_template(trie, node, level, edge.child)))
		return 0;
	place_edge(trie->edges, trie->edge_cap, &edge);
	trie->edge_count++;
	return edge.child;
}

enum policy_trie_result
policy_trie_add(struct policy_trie *trie, uint32_t root,
    const struct policy_trie_filter *filter, uint32_t *other)
{
	struct policy_cut cut = policy_cut_of(filter->text);
	uint32_t node = root, depth = 0, *rule = NULL;

	while (policy_cut_next(&cut)) {
		depth++;
		if (span_is(cut.level, "#")) {
			rule = &trie->nodes[node].tail;
			break;
		}
		node = step(trie, node, cut.level, filter->kind);
		if (node == 0)
			return POLICY_TRIE_NO_MEMORY;
	}
	if (rule == NULL)
		rule = &trie->nodes[node].end;
	if (*rule != POLICY_NO_RULE) {
		*other = *rule;
		return POLICY_TRIE_TWICE;
	}
	*rule = filter->rule;
	if (depth > trie->depth)
		trie->depth = depth;
	return POLICY_TRIE_ADDED;
}
