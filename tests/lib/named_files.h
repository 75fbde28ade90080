/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What naming needs, in cmocka tests: a table of files with small ELF files in it, a symbolizer that
 * knows no debug files but theirs, and programs whose functions are known. Needs gcc.
 *
 *	prog		"shown" has "twice" inlined; "last_words" ends with the call of what does not
 *			return, and right behind it begins "innocent_neighbour"
 *	stripped	the same without symbols, and with a build id of its own; stripped.debug has
 *			what it lacks
 *	other		another program of the same functions at other addresses, without a build id
 */
#ifndef KILN_TESTS_NAMED_FILES_H
#define KILN_TESTS_NAMED_FILES_H

#include "tests/lib/fixture.h"

#include <sys/sysmacros.h>

#include "profiler/files/files.h"
#include "profiler/naming/naming.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/profile/profile.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/profiles.h"

static FIXTURE_UNUSED int named_files_setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_write("prog.c",
		      "volatile int sink;\n"
		      "static inline int twice(int x) { sink = x; return x + x; }\n"
		      "__attribute__((noinline)) int shown(int x) { return twice(x) * 3; }\n"
		      "int main(int argc, char **argv) { (void)argv; return shown(argc); }\n");
	fixture_write("ends.S", ".text\n"
				".globl last_words, innocent_neighbour\n"
				".type last_words, @function\n"
				".type innocent_neighbour, @function\n"
				"last_words: .cfi_startproc; call abort; .cfi_endproc\n"
				".size last_words, . - last_words\n"
				"innocent_neighbour: .cfi_startproc; ret; .cfi_endproc\n"
				".size innocent_neighbour, . - innocent_neighbour\n"
				".section .note.GNU-stack, \"\", @progbits\n");
	fixture_run("gcc -O2 -g -no-pie -Wl,--build-id=sha1 prog.c ends.S -o prog && "
		    "gcc -O2 -g -no-pie -Wl,--build-id=0x57717eed prog.c ends.S -o whole && "
		    "strip -o stripped whole && objcopy --only-keep-debug whole stripped.debug && "
		    "gcc -O2 -g -no-pie -Wl,--build-id=none -Wl,-Ttext-segment=0x3000000 prog.c "
		    "ends.S -o other");
	return 0;
}

struct named_files {
	struct files *files;
	struct symbolizer *symbolizer;
	struct ksyms *ksyms;
};

static FIXTURE_UNUSED void named_open(struct named_files *n, const struct files_opts *files,
				      bool names_only)
{
	static const char *debug_dirs[2];
	struct symbolizer_opts opts = {.debug_dirs = debug_dirs, .names_only = names_only};

	debug_dirs[0] = fixture_at("debug");
	assert_int_equal(files_new(&n->files, files), 0);
	assert_int_equal(symbolizer_new(&n->symbolizer, &opts), 0);
	assert_int_equal(ksyms_new(&n->ksyms), 0);
}

static FIXTURE_UNUSED void named_close(struct named_files *n)
{
	ksyms_free(n->ksyms);
	symbolizer_free(n->symbolizer);
	files_free(n->files);
}

static FIXTURE_UNUSED struct naming_opts named_opts(const struct named_files *n)
{
	return (struct naming_opts){.symbolizer = n->symbolizer,
				    .files = n->files,
				    .ksyms = n->ksyms,
				    .period_ns = 1000};
}

/* The number of a file of the scratch directory, by its inode. It need not be openable. */
static FIXTURE_UNUSED uint32_t named_file(struct named_files *n, const char *name)
{
	struct file_key key = {.path = fixture_at(name)};
	struct stat st = {0};
	uint32_t id;

	assert_int_equal(stat(name, &st), 0);
	key.major = major(st.st_dev);
	key.minor = minor(st.st_dev);
	key.inode = st.st_ino;
	id = files_intern(n->files, &key, getpid(), 0, 0, 0);
	assert_true(id != FILE_NONE);
	assert_true(files_settle(n->files, 10000));
	return id;
}

/* Where in the file this address is. */
static FIXTURE_UNUSED uint64_t file_off_of(const char *name, uint64_t va)
{
	struct elf_obj *obj;
	struct elf_segment seg;

	assert_int_equal(elf_obj_open(&obj, fixture_open(name), NULL), 0);
	assert_non_null(elf_obj_segment_at_va(obj, va));
	seg = *elf_obj_segment_at_va(obj, va);
	elf_obj_free(obj);
	return va - seg.va + seg.file_off;
}

static FIXTURE_UNUSED uint64_t file_off_of_symbol(const char *name, const char *symbol)
{
	return file_off_of(name, fixture_nm(name, symbol));
}

/* The offset of an address of "shown" in prog where addr2line, too, sees a function in a function. */
static FIXTURE_UNUSED uint64_t inlined_off(const char *name)
{
	uint64_t va = fixture_nm(name, "shown");
	char cmd[128];

	for (uint64_t end = va + 16; va < end; va++) {
		snprintf(cmd, sizeof(cmd), "test $(addr2line -i -e %s %lx | wc -l) = 2", name,
			 (unsigned long)va);
		if (!system(cmd))
			return file_off_of(name, va);
	}
	fail_msg("nothing is inlined");
	return 0;
}

/* --- what a profile says ----------------------------------------------------------------------- */

/* The functions of a location, "inner<outer", with ":LINE" where there is one. */
static FIXTURE_UNUSED void print_functions(struct buf *b, const struct profile *p,
					   uint32_t location)
{
	const struct profile_location *l = &p->locations.data[location];

	for (uint32_t i = 0; i < l->n_lines; i++) {
		const struct profile_line *line = &p->lines.data[l->first_line + i];

		buf_printf(b, "%s%s", i ? "<" : "",
			   profile_text(p, p->functions.data[line->function].name));
		if (line->line)
			buf_printf(b, ":%" PRId64, line->line);
	}
}

/* "leaf;caller;..." of a sample; good until the next call. */
static FIXTURE_UNUSED const char *stack_text(const struct profile *p, size_t sample)
{
	const struct profile_stack *s = &p->stacks.data[p->samples.data[sample].stack];
	static char out[4096];
	struct buf b = {0};

	for (uint32_t i = 0; i < s->len; i++) {
		if (i)
			buf_char(&b, ';');
		print_functions(&b, p, p->frames.data[s->first + i]);
	}
	snprintf(out, sizeof(out), "%s", buf_cstr(&b));
	buf_release(&b);
	return out;
}

/* The location of frame i of a sample. */
static FIXTURE_UNUSED const struct profile_location *frame_of(const struct profile *p,
							      size_t sample, uint32_t i)
{
	const struct profile_stack *s = &p->stacks.data[p->samples.data[sample].stack];

	assert_true(i < s->len);
	return &p->locations.data[p->frames.data[s->first + i]];
}

static FIXTURE_UNUSED const char *mapping_file_of(const struct profile *p,
						  const struct profile_location *l)
{
	return profile_text(p, p->mappings.data[l->mapping].file);
}

#endif
