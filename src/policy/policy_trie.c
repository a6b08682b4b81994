#include "policy_trie_private.h"

size_t
policy_trie_levels(struct span text)
{
	struct policy_cut cut = policy_cut_of(text);
	size_t count = 0;

	while (policy_cut_next(&cut))
		count++;
	return count;
}

/* ---- asking ---- */

static void
look_begin(struct span text, const struct policy_names *names,
    struct policy_look *look)
{
	look->names = names;
	look->skipped = NULL;
	look->count = 0;
	look->is_cut = false;
	look->is_system = text.len > 0 && text.data[0] == '$';
	look->has_tail = false;
}

void
policy_trie_look(const struct policy_trie *trie, struct span topic,
    const struct policy_names *names, struct policy_look *look)
{
	struct policy_cut cut = policy_cut_of(topic);

	look_begin(topic, names, look);
	while (policy_cut_next(&cut)) {
		if (look->count == trie->depth) {
			look->is_cut = true;
			return;
		}
		look->levels[look->count++] = (struct policy_level){cut.level,
		    policy_trie_word(trie, &cut, POLICY_TRIE_LITERAL)};
	}
}

void
policy_trie_look_filter(const struct policy_trie *trie, struct span filter,
    const struct policy_names *names, struct policy_look *look)
{
	struct policy_cut cut = policy_cut_of(filter);
	struct policy_level *level;

	look_begin(filter, names, look);
	level = look->levels;
	while (policy_cut_next(&cut)) {
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
		else if (names == NULL && policy_is_template(cut.level))
			level->word =
			    policy_trie_word(trie, &cut, POLICY_TRIE_TEMPLATES);
		else
			level->word =
			    policy_trie_word(trie, &cut, POLICY_TRIE_LITERAL);
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

/* What stands for nothing fits nothing. */
static bool
name_fits(struct span name, struct span level)
{
	return name.len > 0 && span_equal(name, level);
}

static bool
mixed_fits(
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
	return rule != POLICY_NO_RULE &&
	       (look->skipped == NULL || !look->skipped[rule]);
}

static bool
template_fits(const struct policy_trie_template *template, struct span level,
    const struct policy_names *names)
{
	switch (template->whole) {
	case POLICY_TRIE_IDENTITY:
		return name_fits(names->identity, level);
	case POLICY_TRIE_CLIENT_ID:
		return name_fits(names->client_id, level);
	case POLICY_TRIE_MIXED:
		break;
	}
	return mixed_fits(template->text, level, names);
}

static uint32_t walk(const struct policy_trie *trie, struct policy_look *look,
    uint32_t at, size_t depth);

/*
 * There is one more way on, to the node `to`: walk the one before, where there
 * is one, and keep this for later.  The last way thus needs no call.
 */
static inline uint32_t
one_more_way(const struct policy_trie *trie, struct policy_look *look,
    uint32_t *way, uint32_t to, size_t depth)
{
	uint32_t rule = POLICY_NO_RULE;

	if (to == 0)
		return POLICY_NO_RULE;
	if (*way != 0)
		rule = walk(trie, look, *way, depth);
	*way = to;
	return rule;
}

/* All ways on but the last, which is left in `*way`. */
static uint32_t
walk_most(const struct policy_trie *trie, struct policy_look *look,
    uint32_t *way, uint32_t at, size_t depth)
{
	const struct policy_trie_node *node = &trie->nodes[at];
	const struct policy_level *level = &look->levels[depth];
	const struct policy_trie_template *template;
	uint32_t number = 0, rule;

	*way = 0;
	if (level->word < POLICY_WORD_ANY)
		*way = policy_trie_child(trie, at, level->word);
	if (look->names != NULL && level->word != POLICY_WORD_ANY)
		number = node->templates;
	for (; number != 0; number = template->next) {
		template = &trie->templates[number - 1];
		if (!template_fits(template, level->text, look->names))
			continue;
		rule =
		    one_more_way(trie, look, way, template->child, depth + 1);
		if (rule != POLICY_NO_RULE)
			return rule;
	}
	/* MQTT-4.7.2-1: a wildcard does not reach over a $ in front. */
	if (depth == 0 && look->is_system)
		return POLICY_NO_RULE;
	return one_more_way(trie, look, way, node->any, depth + 1);
}

/* As deep as the deepest filter at most. */
static uint32_t
walk(const struct policy_trie *trie, struct policy_look *look, uint32_t at,
    size_t depth)
{
	for (;; depth++) {
		const struct policy_trie_node *node = &trie->nodes[at];
		uint32_t rule;

		look->is_by_tail = counts(look, node->tail) &&
				   !(depth == 0 && look->is_system);
		if (look->is_by_tail)
			return node->tail;
		if (depth == look->count)
			return !look->is_cut && counts(look, node->end)
				   ? node->end
				   : POLICY_NO_RULE;
		rule = walk_most(trie, look, &at, at, depth);
		if (rule != POLICY_NO_RULE || at == 0)
			return rule;
	}
}

uint32_t
policy_trie_match(
    const struct policy_trie *trie, uint32_t root, struct policy_look *look)
{
	return walk(trie, look, root, 0);
}

static uint32_t
walk_all(const struct policy_trie *trie, const uint32_t *roots, size_t count,
    struct policy_look *look)
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
		/* What # matches here it matches with more levels, too. */
		if (rule == POLICY_NO_RULE || look->is_by_tail)
			break;
		look->levels[look->count] =
		    (struct policy_level){.word = POLICY_WORD_ANY};
	}
	return rule;
}
