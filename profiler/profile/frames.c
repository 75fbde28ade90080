// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads a profile: kinds of frames, module names and labels. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/profile/profile.h"

const struct profile_label *profile_find_label(const struct profile *p, uint32_t labelset,
					       const char *key)
{
	const struct profile_labelset *set;

	if (labelset >= p->labelsets.len)
		return NULL;
	set = &p->labelsets.data[labelset];
	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *l = &p->labels.data[set->first + i];

		if (!strcmp(profile_text(p, l->key), key))
			return l;
	}
	return NULL;
}

const char *profile_text_label(const struct profile *p, uint32_t labelset, const char *key)
{
	const struct profile_label *l = profile_find_label(p, labelset, key);

	return l && l->str != PROFILE_NONE ? profile_text(p, l->str) : "";
}

size_t profile_default_type(const struct profile *p)
{
	for (size_t i = 0; i < p->sample_types.len && p->default_sample_type; i++)
		if (p->sample_types.data[i].type == p->default_sample_type)
			return i;
	return p->sample_types.len ? p->sample_types.len - 1 : 0;
}

int profile_count_type(const struct profile *p)
{
	for (size_t i = 0; i < p->sample_types.len; i++) {
		const struct profile_value_type *t = &p->sample_types.data[i];
		const char *type = profile_text(p, t->type);

		if ((!strcmp(type, "samples") || !strcmp(type, "sample")) &&
		    !strcmp(profile_text(p, t->unit), "count"))
			return (int)i;
	}
	return -1;
}

/*
 * Names of mappings that are neither files nor the kernel: kiln's own, the kernel's names for
 * special mappings (arch_vma_name(), as in /proc/PID/maps), and other profilers'. A kernel module
 * or BPF program has its own name in brackets: "[ext4]".
 */
static const struct {
	const char *prefix;
	enum frame_kind kind;
} special_mappings[] = {
	{MAPPING_KERNEL, FRAME_KERNEL},	 {MAPPING_VDSO, FRAME_NATIVE},
	{"[vsyscall]", FRAME_NATIVE},	 {"[vvar", FRAME_NATIVE},
	{"[uprobes]", FRAME_NATIVE},	 {"[sigpage]", FRAME_NATIVE},
	{MAPPING_JIT, FRAME_JIT},	 {"[anon", FRAME_JIT},
	{"[heap]", FRAME_JIT},		 {"[stack", FRAME_JIT},
	{"//anon", FRAME_JIT},		 {"/memfd:", FRAME_JIT},
	{"/dev/zero", FRAME_JIT},	 {MAPPING_UNKNOWN, FRAME_UNKNOWN},
	{MAPPING_KILN, FRAME_SYNTHETIC}, {"[", FRAME_KERNEL},
	{"/lib/modules/", FRAME_KERNEL}, {"/usr/lib/modules/", FRAME_KERNEL},
};

/* Below it are addresses in files; code that is made at run time has the addresses of memory. */
#define FILE_VA_MAX (1ull << 30)

/*
 * Any program may lie where modules do, or run from a memory file, as JIT compilers' code does. A program has
 * addresses of user space, and mostly a build id.
 */
static bool is_program(const struct profile *p, const struct profile_mapping *m,
		       enum frame_kind kind)
{
	if (kind == FRAME_KERNEL)
		return m->limit && !(m->limit >> 63);
	return text_has_prefix(profile_text(p, m->file), "/memfd:") &&
	       (*profile_text(p, m->build_id) || (m->limit && m->limit <= FILE_VA_MAX));
}

enum frame_kind profile_mapping_kind(const struct profile *p, uint32_t mapping)
{
	const struct profile_mapping *m;
	const char *file;

	if (mapping >= p->mappings.len)
		return FRAME_UNKNOWN;
	m = &p->mappings.data[mapping];
	file = profile_text(p, m->file);
	/* Asked for every location of a profile: so the first character alone rules out most. */
	for (size_t i = 0; i < sizeof(special_mappings) / sizeof(*special_mappings); i++)
		if (*file == *special_mappings[i].prefix &&
		    text_has_prefix(file, special_mappings[i].prefix))
			return *file == '/' && is_program(p, m, special_mappings[i].kind)
				       ? FRAME_NATIVE
				       : special_mappings[i].kind;
	return FRAME_NATIVE;
}

bool profile_stack_is_lost(const struct profile *p, uint32_t stack)
{
	const struct profile_stack *s = &p->stacks.data[stack];
	const struct profile_location *l;
	uint32_t function;

	if (!s->len)
		return false;
	l = &p->locations.data[p->frames.data[s->first + s->len - 1]];
	if (!l->n_lines || profile_mapping_kind(p, l->mapping) != FRAME_SYNTHETIC)
		return false;
	function = p->lines.data[l->first_line + l->n_lines - 1].function;
	return !strcmp(profile_text(p, p->functions.data[function].name), FRAME_LOST);
}

enum frame_kind profile_frame_kind(const struct profile *p, uint32_t location)
{
	return location < p->locations.len
		       ? profile_mapping_kind(p, p->locations.data[location].mapping)
		       : FRAME_UNKNOWN;
}

const char *profile_module(const struct profile *p, uint32_t mapping)
{
	const char *file, *slash;

	if (mapping >= p->mappings.len)
		return MAPPING_UNKNOWN;
	file = profile_text(p, p->mappings.data[mapping].file);
	if (!*file)
		return MAPPING_UNKNOWN;
	if (text_has_prefix(file, MAPPING_KERNEL)) /* also with pprof's suffix "_stext" */
		return "[kernel]";
	if (text_has_prefix(file, "//anon"))
		return MAPPING_JIT;
	if (*file == '[')
		return file;
	slash = strrchr(file, '/');
	if (!slash || !slash[1])
		return file;
	return slash[1] == '[' ? slash : slash + 1; /* what is in brackets is no file */
}

bool profile_module_is_library(const char *module)
{
	const char *so = module;

	while ((so = strstr(so, ".so"))) {
		so += strlen(".so");
		if (!isalnum((unsigned char)*so) && *so != '_')
			return true;
	}
	return false;
}

/*
 * Number of bytes of s to print if at most max fit: only whole characters (10xxxxxx continues one).
 */
static int fitting(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max)
		return (int)n;
	for (n = max; n && (s[n] & 0xc0) == 0x80;)
		n--;
	return (int)n;
}

const char *profile_unresolved(const struct profile *p, uint32_t location, char *out, size_t size)
{
	const struct profile_location *l = &p->locations.data[location];
	const char *module = profile_module(p, l->mapping);
	enum frame_kind kind = profile_mapping_kind(p, l->mapping);
	bool bracketed = module[0] == '[';
	int n = fitting(module, size - sizeof("[]+0x0123456789abcdef"));

	if (!l->address || kind == FRAME_UNKNOWN || kind == FRAME_SYNTHETIC)
		snprintf(out, size, bracketed ? "%.*s" : "[%.*s]", n, module);
	else
		snprintf(out, size, bracketed ? "%.*s+0x%" PRIx64 : "[%.*s]+0x%" PRIx64, n, module,
			 l->address);
	return out;
}

bool profile_name_is_bare(const char *name, const char *module)
{
	bool bracketed = *name == '[';
	size_t len = strlen(module);

	name += bracketed && *module != '[';
	if (strncmp(name, module, len) != 0)
		return false;
	name += len;
	if (bracketed && *module != '[' && *name++ != ']')
		return false;
	if (!*name)
		return bracketed;
	return text_has_prefix(name, "+0x") && text_is_hex(name + 3);
}

int profile_plain_location(struct profile *p, const char *mapping, const char *name,
			   uint32_t *location)
{
	struct profile_mapping m = {.has_functions = true};
	struct profile_function f = {0};
	struct profile_line line = {0};
	uint32_t id;

	return profile_string(p, mapping, &m.file) ?: profile_string(p, "", &m.build_id) ?:
	       profile_mapping(p, &m, &id) ?: profile_string(p, name, &f.name) ?:
	       profile_string(p, name, &f.system_name) ?: profile_string(p, "", &f.file) ?:
	       profile_function(p, &f, &line.function) ?:
	       profile_location(p, id, 0, &line, 1, location);
}
