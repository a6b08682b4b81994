#ifndef KAYA_CONF_TREE_H
#define KAYA_CONF_TREE_H

/*
 * conf_tree: YAML as a tree of nodes that know their places.  For conf alone.
 *
 * libyaml cuts the text into events; what is built of them here is bounded in
 * depth and number, and where the text breaks off in a fault, what stood
 * before it is still there to be judged.
 */

#include "conf.h"

enum conf_node_kind {
	CONF_NODE_SCALAR,
	CONF_NODE_LIST,
	CONF_NODE_MAPPING,
	CONF_NODE_ALIAS
};

struct conf_node {
	enum conf_node_kind kind;
	struct conf_mark mark;
	struct span text; /* of a scalar, an alias, a tag or anchor's word */
	bool is_plain; /* a scalar without quotes */
	const char *foreign; /* "a tag", "an anchor": not to be taken */
	struct conf_node *first; /* items; of a mapping key, value, key ... */
	struct conf_node *next;
	struct conf_node *last;
};

struct conf_tree {
	struct conf_node *root; /* NULL: nothing in the file */
	bool is_whole; /* false: `mark` and `err` say why */
	struct conf_mark mark;
	struct err err;
};

/* Nodes live in `arena`. */
void conf_tree_parse(
    struct arena *arena, struct span bytes, struct conf_tree *tree);

#endif
