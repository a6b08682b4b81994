#include "policy_trie.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

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

static uint32_t
word_of(const struct policy_trie *trie, struct span text,
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
	uint32_t number = word_of(trie, text, kind);
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

static uint32_t
child_of(const struct policy_trie *trie, uint32_t node, uint32_t word)
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

/* ---- building ---- */

struct cut {
	struct span rest;
	struct span level;
	bool has_more;
};

static struct cut
cut_of(struct span text)
{
	return (struct cut){.rest = text, .has_more = true};
}

static bool
next_level(struct cut *cut)
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

size_t
policy_trie_levels(struct span text)
{
	struct cut cut = cut_of(text);
	size_t count = 0;

	while (next_level(&cut))
		count++;
	return count;
}

static bool
is_template(struct span level)
{
	return level.len > 0 && memchr(level.data, '%', level.len) != NULL;
}

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
	    kind == POLICY_TRIE_TEMPLATES && is_template(level)
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
	edge.child = child_of(trie, node, edge.word);
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
	struct cut cut = cut_of(filter->text);
	uint32_t node = root, depth = 0, *rule = NULL;

	while (next_level(&cut)) {
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

/* ---- asking ---- */

static void
look_begin(struct span text, const struct policy_names *names,
    struct policy_look *look)
{
	look->names = names;
	look->except = POLICY_NO_RULE;
	look->count = 0;
	look->is_cut = false;
	look->is_system = text.len > 0 && text.data[0] == '$';
	look->has_tail = false;
}

void
policy_trie_look(const struct policy_trie *trie, struct span topic,
    const struct policy_names *names, struct policy_look *look)
{
	struct cut cut = cut_of(topic);

	look_begin(topic, names, look);
	while (next_level(&cut)) {
		if (look->count == trie->depth) {
			look->is_cut = true;
			return;
		}
		look->levels[look->count++] = (struct policy_level){
		    cut.level, word_of(trie, cut.level, POLICY_TRIE_LITERAL)};
	}
}

void
policy_trie_look_filter(const struct policy_trie *trie, struct span filter,
    const struct policy_names *names, struct policy_look *look)
{
	struct cut cut = cut_of(filter);
	struct policy_level *level = look->levels;

	look_begin(filter, names, look);
	while (next_level(&cut)) {
		if (span_is(cut.level, "#")) {
			look->has_tail = true;
			return;
		}
		if (look->count == trie->depth) {
			look->is_cut = true;
			return;
		}
		level->text = cut.level;
		if (span_is(cut.level, "+"))
			level->word = POLICY_WORD_ANY;
		else if (names == NULL && is_template(cut.level))
			level->word =
			    word_of(trie, cut.level, POLICY_TRIE_TEMPLATES);
		else
			level->word =
			    word_of(trie, cut.level, POLICY_TRIE_LITERAL);
		level++;
		look->count++;
	}
}

/* Take `part` off the front of `text`; false where it is not there. */
static bool
take(struct span *text, struct span part)
{
	if (part.len > text->len ||
	    (part.len > 0 && memcmp(text->data, part.data, part.len) != 0))
		return false;
	*text = span_of(text->data + part.len, text->len - part.len);
	return true;
}

static bool
template_fits(
    struct span template, struct span level, const struct policy_names *names)
{
	while (template.len > 0) {
		struct span part = span_of(template.data, 1);
		size_t used = 1;

		if (template.data[0] == '%' && template.len > 1) {
			part = template.data[1] == 'i' ? names->identity
						       : names->client_id;
			used = 2;
			if (part.len == 0)
				return false;
		}
		if (!take(&level, part))
			return false;
		template = span_of(template.data + used, template.len - used);
	}
	return level.len == 0;
}

static bool
counts(const struct policy_look *look, uint32_t rule)
{
	return rule != POLICY_NO_RULE && rule != look->except;
}

static uint32_t walk(const struct policy_trie *trie,
    const struct policy_look *look, uint32_t at, size_t depth);

static uint32_t
walk_templates(const struct policy_trie *trie, const struct policy_look *look,
    uint32_t number, size_t depth)
{
	uint32_t rule = POLICY_NO_RULE;

	while (number != 0 && rule == POLICY_NO_RULE) {
		const struct policy_trie_template *template =
		    &trie->templates[number - 1];

		if (template_fits(
			template->text, look->levels[depth].text, look->names))
			rule = walk(trie, look, template->child, depth + 1);
		number = template->next;
	}
	return rule;
}

/* As deep as the deepest filter at most. */
static uint32_t
walk(const struct policy_trie *trie, const struct policy_look *look,
    uint32_t at, size_t depth)
{
	const struct policy_trie_node *node = &trie->nodes[at];
	/* MQTT-4.7.2-1: a wildcard does not reach over a $ in front. */
	bool is_hidden = depth == 0 && look->is_system;
	uint32_t word, child, rule = POLICY_NO_RULE;

	if (counts(look, node->tail) && !is_hidden)
		return node->tail;
	if (depth == look->count)
		return !look->is_cut && counts(look, node->end)
			   ? node->end
			   : POLICY_NO_RULE;
	word = look->levels[depth].word;
	if (word < POLICY_WORD_ANY) {
		child = child_of(trie, at, word);
		if (child != 0)
			rule = walk(trie, look, child, depth + 1);
	}
	if (rule == POLICY_NO_RULE && look->names != NULL &&
	    word != POLICY_WORD_ANY)
		rule = walk_templates(trie, look, node->templates, depth);
	if (rule == POLICY_NO_RULE && node->any != 0 && !is_hidden)
		rule = walk(trie, look, node->any, depth + 1);
	return rule;
}

uint32_t
policy_trie_match(
    const struct policy_trie *trie, uint32_t root, struct policy_look *look)
{
	return walk(trie, look, root, 0);
}

static uint32_t
walk_all(const struct policy_trie *trie, const uint32_t *roots, size_t count,
    const struct policy_look *look)
{
	uint32_t rule = POLICY_NO_RULE;

	for (size_t i = 0; i < count && rule == POLICY_NO_RULE; i++)
		rule = walk(trie, look, roots[i], 0);
	return rule;
}

/* No topic is empty: # and /# reach nothing without a level more. */
static bool
needs_a_level(const struct policy_look *look)
{
	return look->count == 0 ||
	       (look->count == 1 && look->levels[0].text.len == 0 &&
		   look->levels[0].word != POLICY_WORD_ANY);
}

uint32_t
policy_trie_covers(const struct policy_trie *trie, const uint32_t *roots,
    size_t count, struct policy_look *look)
{
	uint32_t rule = POLICY_NO_RULE;

	if (!look->has_tail || look->is_cut)
		return walk_all(trie, roots, count, look);
	/* What a name of more levels than any filter matches, # matches. */
	if (needs_a_level(look))
		look->levels[look->count++] =
		    (struct policy_level){.word = POLICY_WORD_ANY};
	for (; look->count <= trie->depth + 1; look->count++) {
		rule = walk_all(trie, roots, count, look);
		if (rule == POLICY_NO_RULE)
			break;
		look->levels[look->count] =
		    (struct policy_level){.word = POLICY_WORD_ANY};
	}
	return rule;
}
