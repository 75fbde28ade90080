/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Libraries of a few lines of assembly, and the rules of the unwind tables that are compiled of them. */
#ifndef KILN_TESTS_LIB_ASSEMBLED_H
#define KILN_TESTS_LIB_ASSEMBLED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/unwind/unwind_table.h"
#include "tests/lib/fixture.h"

struct compiled {
	struct elf_obj *obj;
	void *table;
	size_t len;
	uint64_t text;
};

/* Assembles a library whose .text is linked at a known address. */
static void assemble(const char *text)
{
	fixture_write("t.s", text);
	fixture_run("gcc -shared -nostdlib -Wl,-Ttext=0x10000 -Wl,--no-ld-generated-unwind-info "
		    "t.s -o t.so");
}

static int compile(struct compiled *c, const char *path)
{
	*c = (struct compiled){0};
	assert_int_equal(elf_obj_open(&c->obj, fixture_open(path), NULL), 0);
	return unwind_table_build(&c->table, &c->len, c->obj, NULL);
}

static void release(struct compiled *c)
{
	elf_obj_free(c->obj);
	free(c->table);
}

/* The rule in words: "rsp 16 bp cfa -16 ra 5". */
static void assert_rule_at(const struct compiled *c, uint64_t va, const char *want)
{
	struct unwind_rule r = unwind_table_rule(c->table, va);
	char got[96];
	bool packed = r.cfa >= UNWIND_CFA_PLT && r.cfa < UNWIND_CFA_STOP;
	int n = snprintf(got, sizeof(got), "%s", unwind_cfa_name(r.cfa));

	if (packed)
		n += snprintf(got + n, sizeof(got) - n, " %d:%u", UNWIND_OFF(r), UNWIND_ARG(r));
	else if (r.cfa >= UNWIND_CFA_RSP || r.cfa == UNWIND_CFA_SIGNAL)
		n += snprintf(got + n, sizeof(got) - n, " %d", r.cfa_off);
	if (UNWIND_BP_KIND(r))
		n += snprintf(got + n, sizeof(got) - n, " bp %s %d",
			      unwind_bp_name(UNWIND_BP_KIND(r)), r.bp_off);
	if (UNWIND_RA_REG(r))
		snprintf(got + n, sizeof(got) - n, " ra %u", UNWIND_RA_REG(r));
	if (strcmp(got, want) != 0)
		fail_msg("%#lx: %s, expected %s", va, got, want);
}

#endif
