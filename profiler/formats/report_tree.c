// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/formats/report_tree.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/json.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/tree_rows.h"

/* Functions have their commands as roots, where there are several. */
static int add_commands(struct calltree_opts *o, const struct profile *p)
{
	_cleanup_(processes_release) struct processes processes = {0};
	int err = processes_load(&processes, p);

	if (err || !processes_have_commands(&processes, p))
		return err;
	o->roots = ROOTS_GROUP;
	o->by = TABLE_COMMAND;
	return 0;
}

static int tree_opts(struct calltree_opts *o, const struct report *r)
{
	*o = (struct calltree_opts){
		.value = r->table.value,
		.roots = table_by_label(r->table.by) ? ROOTS_GROUP : ROOTS_NONE,
		.by = r->table.by,
		.label = r->table.label,
		.through = r->table.of,
		.inverted = r->table.relation == TABLE_CALLERS,
		.without_lost = true,
		.inlined_alike = true,
	};
	if (table_by_function(o->by)) {
		o->join_calls = true;
		o->detail = o->by == TABLE_LINE ? DETAIL_LINE : DETAIL_FUNCTION;
		return add_commands(o, r->p);
	}
	if (!table_by_label(o->by))
		o->detail = DETAIL_GROUP;
	return 0;
}

int report_tree_build(struct calltree **out, const struct report *r)
{
	struct calltree_opts o;

	return tree_opts(&o, r) ?: calltree_build(out, r->p, &o);
}

/* --- JSON -------------------------------------------------------------------------------------- */

struct places {
	const struct calltree *tree;
	uint32_t *index; /* of a node's row in the array */
};

static void add_parent(struct json *j, const struct places *at, uint32_t node)
{
	json_key(j, "parent");
	if (node)
		json_uint(j, at->index[node]);
	else
		json_null(j);
}

static void add_node(struct json *j, const struct places *at, uint32_t i)
{
	const struct calltree_node *node = &at->tree->nodes[i];

	add_parent(j, at, node->parent);
	json_key_uint(j, "depth", node->depth - 1);
	json_key_text(j, "name", calltree_text(at->tree, node->name));
	json_key_text(j, "module", calltree_text(at->tree, node->module));
	json_key_text(j, "kind", report_kind(node->kind));
	json_key_int(j, "self", node->self);
	json_key_int(j, "total", node->total);
	if (node->n_calls > 1)
		json_key_uint(j, "calls", node->n_calls);
	if (node->cycle.n_nodes) {
		json_key_uint(j, "cycle_nodes", node->cycle.n_nodes);
		json_key_uint(j, "cycle_times", node->cycle.n_times);
	}
}

static void add_left_out(struct json *j, const struct places *at, const struct tree_row *row)
{
	add_parent(j, at, row->node);
	json_key_uint(j, "depth", row->node ? at->tree->nodes[row->node].depth : 0);
	json_key_uint(j, "left_out", row->n_left);
	json_key_int(j, "total", row->left);
}

static void add_rows(struct json *j, const struct places *at, const struct tree_rows *rows)
{
	json_key_open(j, "nodes", '[');
	for (size_t i = 0; i < rows->rows.len; i++) {
		const struct tree_row *row = &rows->rows.data[i];

		json_line(j);
		json_open(j, '{');
		if (row->n_left) {
			add_left_out(j, at, row);
		} else {
			at->index[row->node] = (uint32_t)i;
			add_node(j, at, row->node);
		}
		json_close(j, '}');
	}
	json_line(j);
	json_close(j, ']');
	if (!rows->light.n_nodes)
		return;
	json_key_open(j, "left_out", '{');
	json_key_uint(j, "nodes", rows->light.n_nodes);
	json_key_uint(j, "places", rows->light.n_places);
	json_key_int(j, "total", rows->light.left);
	json_close(j, '}');
}

int report_tree_json(struct json *j, const struct report *r)
{
	_cleanup_(calltree_freep) struct calltree *tree = NULL;
	_cleanup_(tree_rows_release) struct tree_rows rows = {0};
	_cleanup_free_ uint32_t *index = NULL;
	int err = report_tree_build(&tree, r) ?: tree_rows_choose(&rows, tree, r->n_rows);

	if (err)
		return err;
	index = calloc(tree->n_nodes, sizeof(*index));
	if (!index)
		return -ENOMEM;
	add_rows(j, &(struct places){tree, index}, &rows);
	return 0;
}
