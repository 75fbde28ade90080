/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbol tables of fixtures, for their tests. */
#ifndef KILN_TESTS_SYMTAB_FIXTURE_H
#define KILN_TESTS_SYMTAB_FIXTURE_H

#include <errno.h>

#include "profiler/base/buf.h"
#include "symbolizer/symbols/eh_ranges.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbols/symtab.h"
#include "tests/lib/fixture.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

struct loaded {
	struct elf_obj *obj;
	struct eh_ranges *fdes;
	struct symtab *t;
};

static FIXTURE_UNUSED struct loaded load(const char *path)
{
	struct loaded l = {0};
	int problem = 1, err;

	assert_int_equal(elf_obj_open(&l.obj, fixture_open(path), NULL), 0);
	err = eh_ranges_load(&l.fdes, l.obj);
	assert_true(err == 0 || err == -ENODATA);
	assert_int_equal(symtab_load(&l.t, l.obj, NULL, l.fdes, &problem), 0);
	assert_int_equal(problem, 0);
	/* Nothing of the file stays in memory but the table. */
	assert_int_equal(elf_obj_bytes(l.obj), 0);
	return l;
}

static FIXTURE_UNUSED void unload(struct loaded *l)
{
	symtab_free(l->t);
	eh_ranges_free(l->fdes);
	elf_obj_free(l->obj);
}

/* Name at va, or NULL. Good until the next call. */
static FIXTURE_UNUSED const char *name_at(const struct loaded *l, uint64_t va)
{
	static struct buf name;
	uint32_t index;

	buf_clear(&name);
	if (symtab_find(l->t, va, &index))
		return NULL;
	assert_int_equal(symtab_name(l->t, index, &name), 0);
	return buf_cstr(&name);
}

static FIXTURE_UNUSED void expect(const struct loaded *l, uint64_t va, const char *want)
{
	const char *got = name_at(l, va);

	if (want) {
		assert_non_null(got);
		assert_string_equal(got, want);
	} else if (got) {
		fail_msg("%lx: got %s, want nothing", (unsigned long)va, got);
	}
}

/* many, many.so, many-stripped.so: 400 functions. */
static FIXTURE_UNUSED void build_many(void)
{
	FILE *f = fopen("many.c", "we");

	for (int i = 0; i < 400; i++)
		fprintf(f, "%s int f%d(int x) { volatile int y = x; return y * %d%s; }\n",
			i % 3 ? "__attribute__((noinline))" : "", i, i,
			i % 7 ? "" : " + y / (x + 1)");
	fprintf(f, "int main(void) { return f1(2); }\n");
	fclose(f);
	fixture_run("gcc -O1 many.c -o many && gcc -O1 -shared -fPIC many.c -o many.so && "
		    "strip -o many-stripped.so many.so");
}

/* cmocka group setup with those. */
static FIXTURE_UNUSED int many_setup(void **state)
{
	int err = fixture_setup(state);

	if (!err)
		build_many();
	return err;
}

#endif
