/* The tables of a trie, and how filters get into them. */

#include "policy_trie_private.h"

#include <stdlib.h>

enum { FIRST_CAP_BITS = 6, FIRST_CAP = 1 << FIRST_CAP_BITS };

void
policy_trie_fini(struct policy_trie *trie)
{
	free(trie->nodes);
	free(trie->edges);
	free(trie->templates);
	free(trie->words);
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

static uint64_t
hash_of(const struct policy_trie_word *word)
{
	uint64_t hash = policy_key_hash(word->key, word->shape);
	struct span text = span_of(word->text, policy_shape_len(word->shape));

	for (size_t at = POLICY_KEY_BYTES; at < text.len; at += LANES)
		hash = (hash ^ hash >> 32 ^ lanes_at(text, at)) * POLICY_MIX_1;
	return hash;
}

static struct policy_trie_word
word_of(struct span level, enum policy_trie_kind kind)
{
	struct policy_trie_word word = {
	    .text = level.data, .shape = policy_shape(level.len, kind)};

	if (level.len > 0)
		word.key.first = lanes_at(level, 0);
	if (level.len > LANES)
		word.key.second = lanes_at(level, LANES);
	return word;
}

uint32_t
policy_trie_long_word(const struct policy_trie *trie, struct span level,
    enum policy_trie_kind kind)
{
	const struct policy_trie_word wanted = word_of(level, kind);
	size_t at = hash_of(&wanted) >> trie->word_shift;
	const struct policy_trie_word *word;

	for (;; at = (at + 1) & trie->word_mask) {
		word = &trie->words[at];
		if (word->shape == wanted.shape &&
		    memcmp(word->text, level.data, level.len) == 0)
			return word->number;
		if (word->shape == 0)
			return POLICY_WORD_STRANGE;
	}
}

static void
place_word(struct policy_trie *trie, const struct policy_trie_word *word)
{
	size_t at = hash_of(word) >> trie->word_shift;

	while (trie->words[at].shape != 0)
		at = (at + 1) & trie->word_mask;
	trie->words[at] = *word;
}

/* At most half of the places are taken. */
static bool
has_word_places(struct policy_trie *trie)
{
	struct policy_trie_word *old = trie->words, *words;
	const uint32_t places = trie->word_mask + 1;

	if ((trie->word_count + 1) * 2 <= places)
		return true;
	words = calloc(2 * (size_t)places, sizeof *words);
	if (words == NULL)
		return false;
	trie->words = words;
	trie->word_mask = 2 * places - 1;
	trie->word_shift--;
	for (uint32_t i = 0; i < places; i++)
		if (old[i].shape != 0)
			place_word(trie, &old[i]);
	free(old);
	return true;
}

/* POLICY_WORD_STRANGE: no memory. */
static uint32_t
intern(struct policy_trie *trie, const struct policy_cut *cut,
    enum policy_trie_kind kind)
{
	uint32_t number = policy_trie_word(trie, cut, kind);
	struct policy_trie_word word = word_of(cut->level, kind);

	if (number != POLICY_WORD_STRANGE)
		return number;
	if (!has_word_places(trie))
		return POLICY_WORD_STRANGE;
	word.number = trie->word_count++;
	place_word(trie, &word);
	return word.number;
}

/* ---- nodes and edges ---- */

/* So that there is always an empty place to end at. */
static bool
has_tables(struct policy_trie *trie)
{
	if (trie->words == NULL)
		trie->words = calloc(FIRST_CAP, sizeof *trie->words);
	if (trie->edges == NULL)
		trie->edges = calloc(FIRST_CAP, sizeof *trie->edges);
	trie->word_mask = trie->edge_mask = FIRST_CAP - 1;
	trie->word_shift = trie->edge_shift = 64 - FIRST_CAP_BITS;
	return trie->words != NULL && trie->edges != NULL;
}

uint32_t
policy_trie_root(struct policy_trie *trie)
{
	const struct policy_trie_node empty = {
	    .end = POLICY_NO_RULE, .tail = POLICY_NO_RULE};
	void *nodes;

	if (trie->node_count == 0 && !has_tables(trie))
		return 0;
	nodes = grown(trie->nodes, &trie->node_cap, trie->node_count + 1,
	    sizeof *trie->nodes);
	if (nodes == NULL)
		return 0;
	trie->nodes = nodes;
	/* Number 0 is none. */
	if (trie->node_count == 0)
		trie->nodes[trie->node_count++] = empty;
	trie->nodes[trie->node_count] = empty;
	return trie->node_count++;
}

static void
place_edge(struct policy_trie *trie, const struct policy_trie_edge *edge)
{
	size_t at =
	    policy_edge_hash(edge->node, edge->word) >> trie->edge_shift;

	while (trie->edges[at].node != 0)
		at = (at + 1) & trie->edge_mask;
	trie->edges[at] = *edge;
}

/* At most half of the places are taken. */
static bool
has_edge_places(struct policy_trie *trie)
{
	struct policy_trie_edge *old = trie->edges, *edges;
	const uint32_t places = trie->edge_mask + 1;

	if ((trie->edge_count + 1) * 2 <= places)
		return true;
	edges = calloc(2 * (size_t)places, sizeof *edges);
	if (edges == NULL)
		return false;
	trie->edges = edges;
	trie->edge_mask = 2 * places - 1;
	trie->edge_shift--;
	for (uint32_t i = 0; i < places; i++)
		if (old[i].node != 0)
			place_edge(trie, &old[i]);
	free(old);
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
	trie->templates[trie->template_count++] =
	    (struct policy_trie_template){.text = text,
		.child = child,
		.next = trie->nodes[node].templates,
		.whole = span_is(text, "%i")   ? POLICY_TRIE_IDENTITY
			 : span_is(text, "%c") ? POLICY_TRIE_CLIENT_ID
					       : POLICY_TRIE_MIXED};
	trie->nodes[node].templates = trie->template_count;
	return true;
}

/* The node that `level` leads to, made where it is missing; 0: no memory. */
static uint32_t
step(struct policy_trie *trie, uint32_t node, const struct policy_cut *cut,
    enum policy_trie_kind kind)
{
	struct span level = cut->level;
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
	edge.word = intern(trie, cut, word_kind);
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
	place_edge(trie, &edge);
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
		node = step(trie, node, &cut, filter->kind);
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
