#include "conf.h"
#include "conf_fault.h"
#include "conf_tree.h"
#include "conf_value.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 64, SHOWN_MAX = 96 };

/* One reading of a file, or of the table's own fallbacks. */
struct load {
	struct conf *conf;
	struct conf_listener listener;
	const char *folder; /* what relative paths start from */
	const struct conf_key *keys; /* the whole table, to find words in */
	bool is_whole; /* the text did not break off in a fault */
	bool is_placed; /* values' places are kept */
};

/* Where the reading is: limits, then login_grace; without a name: an index. */
struct step {
	const struct step *up;
	const char *name;
	size_t index;
};

/* A mapping of the file, and where it goes. */
struct section {
	const struct step *step;
	const struct conf_node *node;
	const struct conf_key *keys;
	uint8_t *target;
};

/* ---- telling ---- */

__attribute__((format(printf, 4, 5))) static void
tell_fault(struct load *l, struct conf_mark mark, const char *hint,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	conf_fault_tell(&l->listener, mark, hint, format, args);
	va_end(args);
}

static void
tell_no_memory(struct load *l)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_NOMEM, "no memory to read the configuration");
	conf_fault_pass(&l->listener, (struct conf_mark){0, 0}, &err);
}

static size_t
step_text(const struct step *step, char *text, size_t size)
{
	size_t len = 0;

	if (step->up != NULL)
		len = step_text(step->up, text, size);
	if (len >= size)
		return len;
	if (step->name == NULL)
		return len + (size_t)snprintf(
				 text + len, size - len, "[%zu]", step->index);
	return len + (size_t)snprintf(text + len, size - len, "%s%s",
			 len == 0 ? "" : ".", step->name);
}

static void
keep_place(struct load *l, const struct step *step, struct conf_mark mark)
{
	char path[CONF_PATH_MAX];

	if (!l->is_placed)
		return;
	step_text(step, path, sizeof path);
	if (!conf_fault_keep_place(l->conf, path, mark))
		tell_no_memory(l);
}

/* ---- values ---- */

static bool
is_nothing(const struct conf_node *node)
{
	return node->kind == CONF_NODE_SCALAR && node->is_plain &&
	       (node->text.len == 0 || span_is(node->text, "~") ||
		   span_is(node->text, "null"));
}

static const char *
kind_text(const struct conf_node *node)
{
	static const char *const texts[] = {
	    [CONF_NODE_SCALAR] = "a single value stands",
	    [CONF_NODE_LIST] = "a list stands",
	    [CONF_NODE_MAPPING] = "a section stands",
	    [CONF_NODE_ALIAS] = "an alias stands",
	};

	return is_nothing(node) ? "nothing stands" : texts[node->kind];
}

static bool
is_foreign(struct load *l, const struct conf_node *node)
{
	if (node->foreign == NULL)
		return false;
	tell_fault(l, node->mark, "write the value out, or put it in quotes",
	    "%s is not taken here", node->foreign);
	return true;
}

static void
tell_kind(struct load *l, const struct step *step, const struct conf_key *key,
    const struct conf_node *node)
{
	char path[CONF_PATH_MAX], allowed[256], hint[300];

	step_text(step, path, sizeof path);
	conf_allowed_text(key, allowed, sizeof allowed);
	snprintf(hint, sizeof hint, "write %s", allowed);
	tell_fault(l, node->mark, hint, "%s: %s where %s is wanted", path,
	    kind_text(node),
	    key->type == CONF_MAPPING ? "a section" : "a single value");
}

static void load_section(struct load *l, const struct section *section);

static void
load_one(struct load *l, const struct step *step, const struct conf_key *key,
    const struct conf_node *node, void *value)
{
	struct conf_value_input input = {.arena = &l->conf->arena,
	    .key = key,
	    .folder = l->folder,
	    .text = node->text};
	struct section section = {
	    .step = step, .node = node, .keys = key->keys, .target = value};
	char path[CONF_PATH_MAX];
	struct err err = ERR_INIT;

	if (is_foreign(l, node))
		return;
	if (key->type == CONF_MAPPING) {
		/* A head whose lines are all commented out is no fault. */
		if (node->kind != CONF_NODE_MAPPING && !is_nothing(node)) {
			tell_kind(l, step, key, node);
			return;
		}
		keep_place(l, step, node->mark);
		load_section(l, &section);
		return;
	}
	if (node->kind != CONF_NODE_SCALAR || is_nothing(node)) {
		tell_kind(l, step, key, node);
		return;
	}
	keep_place(l, step, node->mark);
	if (conf_value_parse(&input, value, &err) == 0)
		return;
	step_text(step, path, sizeof path);
	err_wrap(&err, "%s", path);
	conf_fault_pass(&l->listener, node->mark, &err);
}

/* One value that stands alone is a list of one. */
static void
load_list(struct load *l, const struct step *step, const struct conf_key *key,
    const struct conf_node *node, uint8_t *target)
{
	const struct conf_node *item =
	    node->kind == CONF_NODE_LIST ? node->first : node;
	struct step place = {.up = step};
	size_t count = 0;
	uint8_t *items;

	if (is_foreign(l, node))
		return;
	if (is_nothing(node)) {
		tell_kind(l, step, key, node);
		return;
	}
	for (const struct conf_node *n = item; n != NULL; n = n->next) {
		count++;
		if (n == node)
			break;
	}
	items = arena_alloc(&l->conf->arena, count * key->size);
	if (items == NULL) {
		tell_no_memory(l);
		return;
	}
	keep_place(l, step, node->mark);
	for (size_t i = 0; i < count; i++, item = item->next) {
		uint8_t *value = items + i * key->size;

		place.index = i;
		if (key->type == CONF_MAPPING &&
		    conf_defaults(l->conf, key->keys, value) != 0) {
			tell_no_memory(l);
			return;
		}
		load_one(l, &place, key, item, value);
	}
	memcpy(target + key->offset, &items, sizeof items);
	memcpy(target + key->count_offset, &count, sizeof count);
}

static void
load_key(struct load *l, const struct step *step, const struct conf_key *key,
    const struct conf_node *node, uint8_t *target)
{
	if ((key->flags & CONF_LIST) != 0)
		load_list(l, step, key, node, target);
	else
		load_one(l, step, key, node, target + key->offset);
}

/* ---- words ---- */

const struct conf_key *
conf_find(const struct conf_key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

/* Another section's word, as "limits.login_grace"; sections nest no deeper. */
static bool
find_elsewhere(
    const struct conf_key *keys, const char *name, char *text, size_t size)
{
	bool is_found = conf_find(keys, name) != NULL;

	if (is_found)
		snprintf(text, size, "%s", name);
	for (; !is_found && keys->name != NULL; keys++) {
		is_found = keys->type == CONF_MAPPING &&
			   conf_find(keys->keys, name) != NULL;
		if (is_found)
			snprintf(text, size, "%s.%s", keys->name, name);
	}
	return is_found;
}

static void
tell_unknown(struct load *l, const struct section *section,
    const struct conf_node *node, const char *name)
{
	const char *words[WORDS_MAX + 1], *nearest;
	char shown[SHOWN_MAX], hint[sizeof((struct err *)NULL)->hint];
	char elsewhere[CONF_PATH_MAX], path[CONF_PATH_MAX] = "";
	size_t count = 0, len;

	for (; count < WORDS_MAX && section->keys[count].name != NULL; count++)
		words[count] = section->keys[count].name;
	words[count] = NULL;
	nearest = str_nearest(name, words);
	if (nearest != NULL) {
		snprintf(hint, sizeof hint, "did you mean `%s`?", nearest);
	} else if (find_elsewhere(l->keys, name, elsewhere, sizeof elsewhere)) {
		snprintf(hint, sizeof hint, "its place is `%s`", elsewhere);
	} else {
		len = (size_t)snprintf(hint, sizeof hint, "known here:");
		for (size_t i = 0; i < count && len < sizeof hint; i++)
			len += (size_t)snprintf(hint + len, sizeof hint - len,
			    "%s %s", i == 0 ? "" : ",", words[i]);
	}
	str_escape(node->text, shown, sizeof shown);
	if (section->step != NULL)
		step_text(section->step, path, sizeof path);
	tell_fault(l, node->mark, hint, "unknown word `%s`%s%s", shown,
	    path[0] == '\0' ? "" : " in ", path);
}

/* The key that `node` names; NULL, and told, where there is none. */
static const struct conf_key *
known_key(
    struct load *l, const struct section *section, const struct conf_node *node)
{
	const struct conf_key *key;
	char name[SHOWN_MAX];

	if (is_foreign(l, node))
		return NULL;
	if (node->kind != CONF_NODE_SCALAR ||
	    !span_to_str(node->text, name, sizeof name)) {
		tell_fault(l, node->mark, "write `key: value`",
		    "a key is one word, not this");
		return NULL;
	}
	key = conf_find(section->keys, name);
	if (key == NULL)
		tell_unknown(l, section, node, name);
	return key;
}

static void
tell_missing(
    struct load *l, const struct section *section, const struct conf_mark *seen)
{
	const struct conf_key *key = section->keys;
	char allowed[256], hint[300], path[CONF_PATH_MAX];

	for (size_t i = 0; key[i].name != NULL; i++) {
		struct step step = {.up = section->step, .name = key[i].name};

		if ((key[i].flags & CONF_REQUIRED) == 0 || seen[i].line > 0)
			continue;
		step_text(&step, path, sizeof path);
		conf_allowed_text(&key[i], allowed, sizeof allowed);
		snprintf(hint, sizeof hint, "add `%s:` and %s", key[i].name,
		    allowed);
		tell_fault(l, section->node->mark, hint, "%s is missing", path);
	}
}

static void
load_section(struct load *l, const struct section *section)
{
	struct conf_mark seen[WORDS_MAX] = {{0, 0}};
	const struct conf_node *node = section->node->first, *value;

	for (; node != NULL && node->next != NULL; node = value->next) {
		const struct conf_key *key = known_key(l, section, node);
		struct step step = {.up = section->step};
		size_t i;

		value = node->next;
		if (key == NULL)
			continue;
		i = (size_t)(key - section->keys);
		if (seen[i].line > 0) {
			char hint[80];

			snprintf(hint, sizeof hint,
			    "keep one of them; the first is in line %zu",
			    seen[i].line);
			tell_fault(l, node->mark, hint, "`%s` is set twice",
			    key->name);
			continue;
		}
		seen[i] = node->mark;
		step.name = key->name;
		load_key(l, &step, key, value, section->target);
	}
	/* Where the text broke off, what is missing may stand further on. */
	if (l->is_whole)
		tell_missing(l, section, seen);
}

/* ---- the whole ---- */

static void
tell_no_section(struct load *l, const struct conf_node *root)
{
	const char *hint = "write `key: value` in each line";
	char word[SHOWN_MAX];
	char *colon;

	if (is_foreign(l, root))
		return;
	if (root->kind == CONF_NODE_SCALAR &&
	    span_to_str(root->text, word, sizeof word)) {
		colon = strpbrk(word, ": ");
		if (colon != NULL && *colon == ':')
			hint = "put a space after the colon";
		else if (colon != NULL)
			hint = "put a colon after the key";
	}
	tell_fault(l, root->mark, hint, "%s where `key: value` is wanted",
	    kind_text(root));
}

static void
load_text(struct load *l, struct span bytes, const struct section *top)
{
	static const struct conf_node none = {
	    .kind = CONF_NODE_MAPPING, .mark = {1, 1}};
	struct section section = *top;
	/* What the tree is made of is not needed once it has been read. */
	struct arena arena = {0};
	struct conf_tree tree;

	conf_tree_parse(&arena, bytes, &tree);
	l->is_whole = tree.is_whole;
	section.node = tree.root;
	if (tree.err.code == ERR_NOMEM) {
		/* What little there is of it would be misjudged. */
	} else if (tree.root != NULL && tree.root->kind == CONF_NODE_MAPPING) {
		if (!is_foreign(l, tree.root))
			load_section(l, &section);
	} else if (tree.root != NULL && !is_nothing(tree.root) &&
		   tree.is_whole) {
		tell_no_section(l, tree.root);
	} else if (tree.is_whole) {
		/* A file with nothing in it lacks what there has to be. */
		section.node = &none;
		load_section(l, &section);
	}
	if (!tree.is_whole)
		conf_fault_pass(&l->listener, tree.mark, &tree.err);
	arena_fini(&arena);
}

/* "conf.d/" of "conf.d/kayad.conf"; "" of "kayad.conf"; NULL: no memory. */
static const char *
folder_of(struct arena *arena, const char *file)
{
	const char *slash = strrchr(file, '/');

	return arena_str(arena,
	    span_of(file, slash == NULL ? 0 : (size_t)(slash - file) + 1));
}

int
conf_load(struct conf *conf, const struct conf_input *input)
{
	struct load l = {.conf = conf,
	    .listener = {input->file, input->on_fault, input->arg, 0},
	    .keys = input->keys,
	    .is_placed = true};
	struct section top = {.keys = input->keys, .target = input->target};

	conf->file = arena_str(&conf->arena, span_of_str(input->file));
	l.folder = folder_of(&conf->arena, input->file);
	if (conf->file == NULL || l.folder == NULL) {
		tell_no_memory(&l);
		return -1;
	}
	load_text(&l, input->bytes, &top);
	return l.listener.count == 0 ? 0 : -1;
}

/* ---- without a file ---- */

/* Keeps the first fault; the table's own texts may only lack memory. */
static void
keep_first(const struct conf_fault *fault, void *arg)
{
	struct err *err = arg;

	if (err->code == ERR_NONE)
		*err = fault->err;
}

/* `text` as YAML, for one key. */
static int
load_fallback(struct conf *conf, const struct conf_key *key, void *target)
{
	struct conf_key only[2] = {*key, {.name = NULL}};
	struct err err = ERR_INIT;
	struct load l = {.conf = conf,
	    .listener = {"default", keep_first, &err, 0},
	    .folder = "",
	    .keys = only};
	struct section top = {.keys = only, .target = target};
	struct arena arena = {0};
	char *text = arena_format(&arena, "%s: %s", key->name, key->fallback);

	if (text != NULL)
		load_text(&l, span_of_str(text), &top);
	arena_fini(&arena);
	if (text == NULL || err.code == ERR_NOMEM)
		return -1;
	if (l.listener.count > 0) {
		fprintf(stderr, "default of %s: %s\n", key->name, err.what);
		abort();
	}
	return 0;
}

static int
set_all(struct conf *conf, const struct conf_key *keys, uint8_t *target)
{
	for (; keys->name != NULL; keys++) {
		int result = 0;

		if (keys->type == CONF_MAPPING &&
		    (keys->flags & CONF_LIST) == 0)
			result =
			    set_all(conf, keys->keys, target + keys->offset);
		else if (keys->fallback != NULL)
			result = load_fallback(conf, keys, target);
		if (result != 0)
			return -1;
	}
	return 0;
}

int
conf_defaults(struct conf *conf, const struct conf_key *keys, void *target)
{
	return set_all(conf, keys, target);
}

int
conf_set(struct conf *conf, const struct conf_key *key, void *target,
    const char *const *texts, struct err *err)
{
	struct conf_value_input input = {
	    .arena = &conf->arena, .key = key, .folder = ""};
	uint8_t *value = (uint8_t *)target + key->offset;
	size_t count = 0;

	if ((key->flags & CONF_LIST) == 0) {
		input.text = span_of_str(texts[0]);
		return conf_value_parse(&input, value, err);
	}
	while (texts[count] != NULL)
		count++;
	value = arena_alloc(&conf->arena, count * key->size);
	if (value == NULL)
		return err_set(err, ERR_NOMEM, "no memory for `%s`", key->name);
	for (size_t i = 0; i < count; i++) {
		input.text = span_of_str(texts[i]);
		if (conf_value_parse(&input, value + i * key->size, err) != 0)
			return -1;
	}
	memcpy((uint8_t *)target + key->offset, &value, sizeof value);
	memcpy((uint8_t *)target + key->count_offset, &count, sizeof count);
	return 0;
}

void
conf_fini(struct conf *conf)
{
	arena_fini(&conf->arena);
	*conf = (struct conf){.file = NULL};
}
