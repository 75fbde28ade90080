// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "symbolizer/dwarf/dwarf_frames.h"
#include "symbolizer/dwarf/dwarf_line.h"

/* An inlined call leads over its abstract origin to the declaration in a class: three DIEs.
 * Link-time optimization adds one or two. */
#define REFERENCES_MAX 16
/* Work that DIEs, and unreadable names, cost. A readable name costs its bytes. */
#define DIE_WORK      2048
#define BAD_NAME_WORK 65536

struct visit {
	struct cu *cu;
	uint64_t off;
};

/* Facts about a function, collected along its references. */
struct names {
	struct frame_string linkage_name, name;
	uint32_t decl_line;
	bool has_decl_line;
};

/* Copies a string, because views of sections do not last. */
static struct frame_string keep(struct frames *fr, const char *s)
{
	size_t at = fr->strings.len, len = s ? strlen(s) + 1 : 0;

	if (!work_spend(&fr->work, s ? len : BAD_NAME_WORK) || !s)
		return (struct frame_string){0};
	buf_add(&fr->strings, s, len);
	return (struct frame_string){NULL, at + 1};
}

/* Takes the string of an attribute, now or later. Strings in a split file must be read while it
 * is open. */
static struct frame_string take_name(struct frames *fr, struct cu *cu, const struct die_attr *attr)
{
	struct frame_string at;

	at.sect = cu_str_place(cu, attr, &at.off);
	if (!at.sect || at.sect == &cu->file->sect[cu->unit.sect] || cu->file->own_elf ||
	    !sect_is_stream(at.sect) || at.off >= sect_size(at.sect))
		return keep(fr, cu_str(cu, attr));
	return at;
}

static bool has_string(const struct frame_string *s)
{
	return s->sect || s->off;
}

static void take_names(struct frames *fr, struct cu *cu, const struct die *die, struct names *n)
{
	if (!has_string(&n->linkage_name) && die_has(die, PICK_LINKAGE_NAME))
		n->linkage_name = take_name(fr, cu, &die->attr[PICK_LINKAGE_NAME]);
	if (!has_string(&n->name) && die_has(die, PICK_NAME))
		n->name = take_name(fr, cu, &die->attr[PICK_NAME]);
	if (!n->has_decl_line && die_has(die, PICK_DECL_LINE)) {
		n->decl_line = (uint32_t)die->attr[PICK_DECL_LINE].v;
		n->has_decl_line = true;
	}
}

/* Attributes are inherited over DW_AT_signature, DW_AT_specification and DW_AT_abstract_origin,
 * in that order. The order only matters for malformed data; it is llvm-symbolizer's. */
static void find_names(struct frames *fr, struct cu_cache *cache, struct cu *cu,
		       const struct die *first, struct names *n)
{
	static const enum dwarf_pick refs[] = {PICK_ABSTRACT_ORIGIN, PICK_SPECIFICATION,
					       PICK_SIGNATURE};
	struct visit stack[REFERENCES_MAX + 3];
	size_t len = 0;
	struct die die = *first;

	for (unsigned visited = 0; visited < REFERENCES_MAX; visited++) {
		take_names(fr, cu, &die, n);
		if (has_string(&n->linkage_name) && has_string(&n->name) && n->has_decl_line)
			return;
		for (size_t i = 0; i < sizeof(refs) / sizeof(*refs); i++) {
			struct visit *v = &stack[len];

			if (len < REFERENCES_MAX && die_has(&die, refs[i]) &&
			    cu_ref(cache, cu, &die.attr[refs[i]], &v->cu, &v->off))
				len++;
		}
		do {
			if (!len || !work_spend(&fr->work, DIE_WORK))
				return;
			cu = stack[--len].cu;
		} while (cu_die(cu, stack[len].off, &die));
	}
	fr->limited = true;
}

/* Takes the place that the function at a DIE was called from. */
static void take_call(struct cu *line_cu, const struct die *die, struct dwarf_frame *caller)
{
	uint64_t file = die_has(die, PICK_CALL_FILE) ? die->attr[PICK_CALL_FILE].v : 0;

	caller->file = line_cu->lines ? lines_path(line_cu->lines, line_cu, file) : NULL;
	caller->line = die_has(die, PICK_CALL_LINE) ? (uint32_t)die->attr[PICK_CALL_LINE].v : 0;
	caller->discriminator =
		die_has(die, PICK_DISCRIMINATOR) ? (uint32_t)die->attr[PICK_DISCRIMINATOR].v : 0;
}

static void add_chain(struct frames *fr, struct cu_cache *cache, struct cu *cu, struct cu *die_cu,
		      const uint64_t *chain, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct names names = {0};
		struct die die;

		fr->n = i + 1;
		if (!work_spend(&fr->work, DIE_WORK) || cu_die(die_cu, chain[i], &die))
			continue;
		find_names(fr, cache, die_cu, &die, &names);
		fr->at[i] = (struct frame_strings){names.linkage_name, names.name};
		fr->list[i].start_line = names.decl_line;
		if (i + 1 < n)
			take_call(cu, &die, &fr->list[i + 1]);
	}
}

const char *frames_text(const struct frames *fr, const struct frame_string *s)
{
	return !s->sect && s->off ? fr->strings.data + s->off - 1 : NULL;
}

static void point_to_strings(struct frames *fr)
{
	for (size_t i = 0; i < fr->n; i++) {
		const struct frame_strings *at = &fr->at[i];
		struct dwarf_frame *f = &fr->list[i];

		f->name = frames_text(fr, &at->name);
		f->linkage_name = frames_text(fr, &at->linkage_name) ?: f->name;
	}
}

int frames_find(struct frames *fr, struct cu_cache *cache, struct cu *cu, uint64_t va)
{
	struct cu *die_cu = cu->split ?: cu;
	uint64_t chain[DWARF_DEPTH_MAX];
	uint32_t file, line;
	int n = die_cu->funcs ? funcs_chain(die_cu->funcs, die_cu, va, chain) : 0;

	if (n == -ENOMEM)
		return n;
	fr->n = 0;
	fr->limited = false;
	fr->strings.len = 0;
	fr->work.limited = false;
	memset(fr->list, 0, (n > 0 ? n : 1) * sizeof(*fr->list));
	memset(fr->at, 0, (n > 0 ? n : 1) * sizeof(*fr->at));
	if (cu->lines && lines_find(cu->lines, va, &file, &line)) {
		fr->n = 1;
		fr->list[0].file = lines_path(cu->lines, cu, file);
		fr->list[0].line = fr->list[0].file ? line : 0;
		fr->list[0].discriminator = lines_discriminator(cu->lines, va);
	}
	if (n > 0)
		add_chain(fr, cache, cu, die_cu, chain, n);
	if (fr->strings.err)
		return fr->strings.err;
	fr->limited |= fr->work.limited;
	point_to_strings(fr);
	return n < 0 ? n : 0;
}

int frames_describe(struct frames *fr, struct cu_cache *cache, struct cu *cu, const struct die *die)
{
	struct names names = {0};

	fr->n = 1;
	fr->strings.len = 0;
	find_names(fr, cache, cu, die, &names);
	fr->limited |= fr->work.limited;
	fr->at[0] = (struct frame_strings){names.linkage_name, names.name};
	fr->list[0] = (struct dwarf_frame){.start_line = names.decl_line};
	return fr->strings.err;
}

void frames_release(struct frames *fr)
{
	free(fr->strings.data);
	fr->strings = (struct buf){0};
}
