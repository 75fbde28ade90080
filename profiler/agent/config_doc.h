/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML file as a tree of scalars, maps and lists, each with its place. Whatever the bytes are, memory
 * is bounded: a configuration is small, and what YAML has for other purposes (anchors, tags, several
 * documents) is refused.
 */
#ifndef KILN_AGENT_CONFIG_DOC_H
#define KILN_AGENT_CONFIG_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/agent/config_errors.h"

#define CONFIG_MAX_BYTES (256u << 10) /* of one file */
#define CONFIG_MAX_NODES 20000	      /* in one file */
#define CONFIG_MAX_DEPTH 16	      /* the schema has four */

enum doc_kind { DOC_SCALAR, DOC_MAP, DOC_LIST };

struct doc_node {
	enum doc_kind kind;
	struct config_place at;
	bool is_plain; /* a scalar without quotes */
	bool is_block; /* ... or written as | or > */
	char *text;    /* of a scalar, without NUL bytes inside */
	/* Children in their order; of a map: key, value, key, value ... Keys are scalars. */
	struct doc_node *first, *last, *next;
};

struct config_doc;

/* `source` is borrowed, as struct config_place has it. 0; -EBADMSG with what is wrong added to errs; or
 * -ENOMEM. */
int config_doc_parse(struct config_doc **out, const char *source, const void *data, size_t len,
		     struct config_errors *errs);
void config_doc_free(struct config_doc *d);
/* NULL: nothing but comments. */
const struct doc_node *config_doc_root(const struct config_doc *d);

/* Whether nothing was written: "key:", "key: ~" or "key: null". */
bool doc_is_empty(const struct doc_node *n);
/* "a map", for messages. */
const char *doc_kind_name(const struct doc_node *n);

#endif
