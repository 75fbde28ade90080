// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frame descriptions written by hand: each kind of rule, what a file without descriptions gets, and
 * sections that lie.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "symbolizer/unwind/cfi.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"
#include "tests/lib/assembled.h"
#include "tests/lib/fixture.h"

/* One instruction byte a row; the directive before it makes the row. */
static const struct {
	const char *directive, *rule;
} rows[] = {
	{"", "rsp 8"},
	{".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16", "rsp 16 bp cfa -16"},
	{".cfi_def_cfa_register rbp", "rbp 16 bp cfa -16"},
	{".cfi_remember_state\n.cfi_def_cfa rsp, 8", "rsp 8 bp cfa -16"},
	{".cfi_restore_state", "rbp 16 bp cfa -16"},
	{".cfi_restore rbp", "rbp 16"},
	{".cfi_def_cfa r10, 0", "reg 0:10"},
	{".cfi_def_cfa rax, 8", "reg 8:0"},
	{".cfi_def_cfa rbx, -24", "reg -24:3"},
	/* DW_CFA_def_cfa_expression: breg6 -8; deref. DW_CFA_expression rbp: breg6 0 */
	{".cfi_escape 0x0f,3,0x76,0x78,0x06\n.cfi_escape 0x10,6,2,0x76,0",
	 "deref_rbp -8:0 bp bp 0"},
	/* breg7 40; deref; plus_uconst 8. rbp: breg7 16 */
	{".cfi_escape 0x0f,5,0x77,0x28,0x06,0x23,8\n.cfi_escape 0x10,6,2,0x77,16",
	 "deref_rsp 40:8 bp sp 16"},
	{".cfi_escape 0x0f,5,0x76,0,0x06,0x40,0x22", "deref_rbp 0:16 bp sp 16"}, /* lit16; plus */
	/* breg7 8; breg9 0; lit8; mul; plus; deref; plus_uconst 8 */
	{".cfi_escape 0x0f,10,0x77,8,0x79,0,0x38,0x1e,0x22,0x06,0x23,8\n.cfi_restore rbp",
	 "deref_idx 8:9"},
	/* the PLT, with both thresholds */
	{".cfi_escape 0x0f,11,0x77,8,0x80,0,0x3f,0x1a,0x3b,0x2a,0x33,0x24,0x22", "plt 8:11"},
	{".cfi_escape 0x0f,11,0x77,8,0x80,0,0x3f,0x1a,0x3a,0x2a,0x33,0x24,0x22", "plt 8:10"},
	{".cfi_escape 0x0f,2,0x77,24", "rsp 24"}, /* no more than a register: breg7 24 */
	{".cfi_def_cfa rsp, 0\n.cfi_register rip, rdi", "rsp 0 ra 5"},
	{".cfi_register rbp, r9", "rsp 0 bp reg 9 ra 5"},
	/* __morestack of libgcc */
	{".cfi_def_cfa rbp, 24\n.cfi_offset rbp, -24\n.cfi_offset rip, -8",
	 "rbp_away 24 bp cfa -24"},
	{".cfi_undefined rip", "root"},
	{".cfi_offset rip, -8\n.cfi_same_value rbp\n.cfi_def_cfa rsp, 32", "rsp 32"},
	/* what only user space can do */
	{".cfi_register rsp, r8", "slow"},
	{".cfi_escape 0x16,7,2,0x77,8", "slow"}, /* val_expression rsp */
	{".cfi_escape 0x14,7,0", "rsp 32"},	 /* val_offset rsp, 0: the default */
	{".cfi_offset rip, -16", "slow"},
	{".cfi_offset rip, -8\n.cfi_def_cfa rsp, 3000000000", "slow"},
	{".cfi_def_cfa rsp, 64\n.cfi_offset rbp, -40000", "slow"},
	{".cfi_same_value rbp\n.cfi_escape 0x0f,2,0x90,1", "slow"}, /* bregx */
	/* a program that breaks stays broken */
	{".cfi_def_cfa rsp, 8\n.cfi_escape 0x0b", "slow"}, /* restore_state without remember */
	{".cfi_def_cfa rsp, 16", "slow"},
};

static void test_each_kind_of_rule(void **state)
{
	struct buf s = {0};
	struct compiled c;
	size_t n = sizeof(rows) / sizeof(rows[0]);

	(void)state;
	buf_str(&s, ".text\n.cfi_startproc\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(&s, "%s\nnop\n", rows[i].directive);
	buf_str(&s, ".cfi_endproc\n");
	assemble(buf_cstr(&s));
	assert_int_equal(compile(&c, "t.so"), 0);
	for (size_t i = 0; i < n; i++)
		assert_rule_at(&c, 0x10000 + i, rows[i].rule);
	assert_rule_at(&c, 0x10000 + n, "none");
	assert_rule_at(&c, 0xffff, "none");
	release(&c);
	buf_release(&s);
}

static void test_signal_frame(void **state)
{
	struct compiled c;

	(void)state;
	assemble(".text\nnop\n.cfi_startproc simple\n.cfi_signal_frame\n"
		 ".cfi_escape 0x0f,4,0x77,0xa0,1,6\n"	   /* cfa: *(rsp + 160) */
		 ".cfi_escape 0x10,6,3,0x77,0xf8,0\n"	   /* rbp at rsp + 120 */
		 ".cfi_escape 0x10,16,3,0x77,0xa8,1\n"	   /* rip at rsp + 168 */
		 "nop\n.cfi_escape 0x10,6,2,0x77,8\nnop\n" /* rbp where no sigcontext has it */
		 ".cfi_endproc\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, 0x10000, "none");
	assert_rule_at(&c, 0x10001, "signal 40");
	assert_rule_at(&c, 0x10002, "slow");
	release(&c);
}

/* musl and Go do not describe the stub that signal handlers return to: it is known by its bytes. */
static void test_undescribed_signal_return(void **state)
{
	struct compiled c;

	(void)state;
	assemble(".text\n.cfi_startproc\nnop\n.cfi_endproc\n.org 32\n"
		 "mov $15, %rax\nsyscall\n.org 64\nmov $15, %eax\nsyscall\npush %rbp\n"
		 ".org 96\nmov $14, %eax\nsyscall\n.org 128\n.cfi_startproc\nnop\n.cfi_endproc\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, 0x10000, "rsp 8");
	assert_rule_at(&c, 0x10000 + 30, "none");
	assert_rule_at(&c, 0x10000 + 31, "signal 40"); /* looked up as return address - 1 */
	assert_rule_at(&c, 0x10000 + 40, "signal 40");
	assert_rule_at(&c, 0x10000 + 41, "signal 40"); /* from where the kernel is in the call */
	assert_rule_at(&c, 0x10000 + 42, "none");
	assert_rule_at(&c, 0x10000 + 63, "signal 40");
	assert_rule_at(&c, 0x10000 + 70, "signal 40");
	assert_rule_at(&c, 0x10000 + 71, "none"); /* here begins another function */
	assert_rule_at(&c, 0x10000 + 97, "none");
	release(&c);
}

/* glibc describes its stub, but not the address behind it; and __start_context as if a call had led there. */
static void test_signal_return_and_contexts_of_glibc(void **state)
{
	struct compiled c;

	(void)state;
	assemble(
		".text\n.cfi_startproc\nnop\n.cfi_endproc\n.org "
		"31\n.cfi_startproc\n.cfi_signal_frame\n"
		".cfi_escape 0x0f,4,0x77,0xa0,1,6\n.cfi_escape 0x10,6,3,0x77,0xf8,0\n"
		".cfi_escape 0x10,16,3,0x77,0xa8,1\n"
		"nop\nmov $15, %rax\nsyscall\n.cfi_endproc\n"
		".org 64\n.cfi_startproc\nmov %rbx, %rsp\nmov (%rsp), %rdi\ntest %rdi, %rdi\nhlt\n"
		".cfi_endproc\n.org 96\n.cfi_startproc\nendbr64\nmov %rbx, %rsp\nmov (%rsp), %rdi\n"
		"test %rdi, %rdi\nhlt\n.cfi_endproc\n.org 128\n.cfi_startproc\nnop\n"
		"mov %rbx, %rsp\nmov (%rsp), %rdi\ntest %rdi, %rdi\n.cfi_endproc\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, 0x10000 + 40, "signal 40");
	assert_rule_at(&c, 0x10000 + 41, "signal 40");
	assert_rule_at(&c, 0x10000 + 42, "none");
	for (int begin = 63; begin <= 95; begin += 32) {
		assert_rule_at(&c, 0x10000 + begin - 1, "none");
		assert_rule_at(&c, 0x10000 + begin, "root");
		assert_int_equal(unwind_table_rule(c.table, 0x10000 + begin).cfa_off, 1);
		assert_rule_at(&c, 0x10000 + begin + 1, "root");
		assert_int_equal(unwind_table_rule(c.table, 0x10000 + begin + 1).cfa_off, 0);
		assert_rule_at(&c, 0x10000 + begin + 11, "root");
	}
	assert_rule_at(&c, 0x10000 + 129, "rsp 8"); /* in the midst of a function */
	release(&c);
}

/* glibc does not describe the call in __clone3(), where its caller is while the kernel makes the thread. */
static void test_clone3_of_glibc(void **state)
{
	struct compiled c;

	(void)state;
	assemble(".text\n.cfi_startproc\n.cfi_signal_frame\nnop\n.cfi_endproc\n.org "
		 "32\n.cfi_startproc\n"
		 "mov %rcx, %r8\nmov $435, %eax\n.cfi_endproc\nsyscall\ntest %rax, %rax\njl 1f\nje "
		 "2f\n"
		 "ret\n2:\n.cfi_startproc\n.cfi_undefined rip\nxor %ebp, %ebp\n1: "
		 "nop\n.cfi_endproc\n"
		 ".org 64\nmov $436, %eax\nsyscall\ntest %rax, %rax\njl 3f\nje 3f\nret\n3: nop\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	for (int at = 40; at < 50; at++)
		assert_rule_at(&c, 0x10000 + at, "rsp 8");
	assert_rule_at(&c, 0x10000 + 50, "root");
	for (int at = 64; at < 79; at++) /* another call */
		assert_rule_at(&c, 0x10000 + at, "none");
	release(&c);
}

static uint64_t section_va(const struct compiled *c, const char *name)
{
	const struct elf_section *sec = elf_obj_section(c->obj, name);

	assert_non_null(sec);
	return sec->va;
}

/* Nobody describes .init and .fini, which are put together when linking: known by their bytes. */
static void test_undescribed_init(void **state)
{
	struct compiled c;

	(void)state;
	assemble(".section .init,\"ax\"\nendbr64\nsub $8, %rsp\nnop\nadd $8, %rsp\nret\n"
		 ".section .fini,\"ax\"\nsub $8, %rsp\nnop\nadd $16, %rsp\nret\n"
		 ".text\n.cfi_startproc\nnop\n.cfi_endproc\n.org 64\nnop\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, section_va(&c, ".init"), "rsp 8");
	assert_rule_at(&c, section_va(&c, ".init") + 7, "rsp 8");
	assert_rule_at(&c, section_va(&c, ".init") + 8, "rsp 16");
	assert_rule_at(&c, section_va(&c, ".init") + 12, "rsp 16");
	assert_rule_at(&c, section_va(&c, ".init") + 13, "rsp 8"); /* ret */
	assert_rule_at(&c, section_va(&c, ".fini"), "none");	   /* does something else */
	assert_rule_at(&c, section_va(&c, ".fini") + 6, "none");
	assert_rule_at(&c, section_va(&c, ".text"), "rsp 8");
	release(&c);
}

/* Start code has no caller, but not all that a header calls an entry is start code. */
static void test_undescribed_entry(void **state)
{
	struct compiled c;
	uint64_t va;

	(void)state;
	assemble(
		".text\n.cfi_startproc\nnop\n.cfi_endproc\n.org 32\n.globl go\ngo: mov %rsp, %rdi\n"
		"call go\nmov %rax, %r12\n.org 256\n.cfi_startproc\nnop\n.cfi_endproc\n");
	fixture_run(
		"gcc -shared -nostdlib -Wl,-e,go -Wl,--no-ld-generated-unwind-info t.s -o t.so");
	assert_int_equal(compile(&c, "t.so"), 0);
	va = section_va(&c, ".text");
	assert_rule_at(&c, va + 31, "none");
	assert_rule_at(&c, va + 32, "root");
	assert_rule_at(&c, va + 127, "root");
	assert_rule_at(&c, va + 128, "none");
	release(&c);
	assemble(".text\n.cfi_startproc\nnop\n.cfi_endproc\n.org 32\n.globl go\ngo: push %rbp\n"
		 ".org 64\n.cfi_startproc\nnop\n.cfi_endproc\n");
	fixture_run(
		"gcc -shared -nostdlib -Wl,-e,go -Wl,--no-ld-generated-unwind-info t.s -o t.so");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, section_va(&c, ".text") + 32, "none");
	release(&c);
}

/* A program's start code ends with its first call. Behind musl's lies _start_c(). */
static void test_what_follows_the_entry(void **state)
{
	static const struct {
		const char *code;
		unsigned end; /* of the root's rule */
	} entries[] = {
		/* musl's; the lea's displacement is no call */
		{"xor %rbp, %rbp\nmov %rsp, %rdi\nlea 0xe8e8(%rip), %rsi\nand $-16, %rsp\ncall go",
		 22},
		/* crt1.o's */
		{"endbr64\nxor %ebp, %ebp\nmov %rdx, %r9\npop %rsi\nmov %rsp, %rdx\nand $-16, "
		 "%rsp\n"
		 "push %rax\npush %rsp\nxor %r8d, %r8d\nxor %ecx, %ecx\nlea go(%rip), %rdi\n"
		 "call *0x1000(%rip)\nhlt",
		 37},
		/* by hand; and the dynamic linker's */
		{"mov %rsp, %rdi\nand $-16, %rsp\ncall go\nhlt", 12},
		{"mov %rsp, %rdi\ncall go\nmov %rax, %r12\nmov (%rsp), %rdx", 96},
		/* an instruction that start code does not have */
		{"xor %ebp, %ebp\ncmp %rax, %rbx\ncall go", 96},
	};
	struct buf s = {0};
	struct compiled c;
	uint64_t va;

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		buf_clear(&s);
		buf_printf(&s,
			   ".text\n.cfi_startproc\nnop\n.cfi_endproc\n.org 32\n.globl go\ngo: %s\n"
			   ".org 256\n.cfi_startproc\nnop\n.cfi_endproc\n",
			   entries[i].code);
		fixture_write("t.s", buf_cstr(&s));
		fixture_run("gcc -shared -nostdlib -Wl,-e,go -Wl,-Bsymbolic "
			    "-Wl,--no-ld-generated-unwind-info t.s -o t.so");
		assert_int_equal(compile(&c, "t.so"), 0);
		va = section_va(&c, ".text") + 32;
		assert_rule_at(&c, va, "root");
		assert_rule_at(&c, va + entries[i].end - 1, "root");
		assert_rule_at(&c, va + entries[i].end, "none");
		release(&c);
	}
	buf_release(&s);
}

/* What .eh_frame leaves out, .debug_frame may describe. Where both do, the former counts. */
static void test_two_descriptions(void **state)
{
	struct compiled c;
	uint64_t va;

	(void)state;
	fixture_write("more.s",
		      ".cfi_sections .debug_frame\n.text\n.org 16\n.cfi_startproc\nnop\n"
		      ".cfi_def_cfa_offset 48\nnop\n.cfi_endproc\n.org 32\n.cfi_startproc\n"
		      "nop\nnop\n.cfi_endproc\nnop\n");
	fixture_write("t.s",
		      ".text\n.cfi_startproc\nnop\n.cfi_def_cfa_offset 32\nnop\n.cfi_endproc\n");
	fixture_run("gcc -shared -nostdlib -Wl,-Ttext=0x10000 -Wl,--no-ld-generated-unwind-info "
		    "t.s more.s -o t.so");
	assert_int_equal(compile(&c, "t.so"), 0);
	va = 0x10000;
	assert_rule_at(&c, va, "rsp 8");
	assert_rule_at(&c, va + 1, "rsp 32");
	assert_rule_at(&c, va + 2, "none");
	for (; va < 0x10010 && unwind_table_rule(c.table, va + 2).cfa == UNWIND_CFA_NONE; va++)
		;
	va += 2; /* where the second file's first function is */
	assert_rule_at(&c, va, "rsp 8");
	assert_rule_at(&c, va + 1, "rsp 48");
	assert_rule_at(&c, va + 2, "none");
	assert_rule_at(&c, va + 16, "rsp 8");
	assert_rule_at(&c, va + 18, "none");
	release(&c);
	fixture_write("t.s", ".cfi_sections .eh_frame, .debug_frame\n.text\n.cfi_startproc\nnop\n"
			     ".cfi_def_cfa_offset 32\nnop\n.cfi_endproc\n.org 32\n.cfi_startproc\n"
			     "nop\n.cfi_endproc\n");
	fixture_run("gcc -shared -nostdlib -Wl,-Ttext=0x10000 -Wl,--no-ld-generated-unwind-info "
		    "t.s -o t.so");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, 0x10001, "rsp 32");
	assert_rule_at(&c, 0x10002, "none");
	assert_rule_at(&c, 0x10020, "rsp 8");
	release(&c);
}

static void test_go_keeps_frame_pointers(void **state)
{
	struct compiled c;

	(void)state;
	assemble(".section .go.buildinfo,\"a\"\n.quad 1\n.text\n.org 16\nmov $15, %rax\nsyscall\n"
		 ".org 4096\nret\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, 0x10000, "fp");
	assert_rule_at(&c, 0x10000 + 4096, "fp");
	assert_rule_at(&c, 0x10000 + 16, "signal 40");
	assert_int_equal(c.len, UNWIND_PAGE);
	release(&c);
	/* with C code linked in, which is described */
	assemble(".section .go.buildinfo,\"a\"\n.quad 1\n.text\nret\n.org 64\n.cfi_startproc\nret\n"
		 ".cfi_endproc\n.org 128\nret\n");
	assert_int_equal(compile(&c, "t.so"), 0);
	assert_rule_at(&c, 0x10000, "fp");
	assert_rule_at(&c, 0x10000 + 64, "rsp 8");
	assert_rule_at(&c, 0x10000 + 65, "fp");
	release(&c);
}

static void test_nothing_described(void **state)
{
	struct compiled c;

	(void)state;
	assemble(".text\nret\n");
	assert_int_equal(compile(&c, "t.so"), -ENODATA);
	assert_null(c.table);
	release(&c);
}

/* Packers take the section table away; the loader, and we, only need program headers. */
static void test_without_section_headers(void **state)
{
	struct compiled with, without;
	struct elf_obj *obj;
	Elf64_Ehdr ehdr;
	void *table;
	uint8_t *file;
	size_t len;

	(void)state;
	fixture_write("h.c", "int g(int); int f(int n) { return g(n) + g(n + 1); }\n"
			     "int h(int n) { int a[n + 1]; a[n] = f(n); return g(a[n]) + 1; }\n");
	fixture_run("gcc -O2 -shared -nostdlib -fpic -Wl,--eh-frame-hdr h.c -o h.so");
	assert_int_equal(compile(&with, "h.so"), 0);
	file = fixture_read("h.so", &len);
	memcpy(&ehdr, file, sizeof(ehdr));
	ehdr.e_shoff = ehdr.e_shnum = ehdr.e_shstrndx = 0;
	memcpy(file, &ehdr, sizeof(ehdr));
	assert_int_equal(elf_obj_open_bytes(&obj, file, len, NULL), 0);
	assert_null(elf_obj_section(obj, ".eh_frame"));
	without.len = 0;
	assert_int_equal(unwind_table_build(&table, &without.len, obj, NULL), 0);
	assert_int_equal(without.len, with.len);
	assert_memory_equal(table, with.table, with.len);
	free(table);
	elf_obj_free(obj);
	free(file);
	release(&with);
}

/* ---- bare sections ----------------------------------------------------------------------------- */

#define SECTION_VA 0x1000

static void put_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

/* A CIE with absolute addresses, code alignment 1, data alignment -8, CFA = rsp + 8. */
static uint32_t put_cie(struct buf *b)
{
	static const uint8_t body[] = {1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0};
	uint32_t off = (uint32_t)b->len;

	put_u32(b, 4 + sizeof(body));
	put_u32(b, 0);
	buf_add(b, body, sizeof(body));
	return off;
}

static void put_fde(struct buf *b, uint32_t cie, uint64_t start, uint64_t len, const void *prog,
		    size_t prog_len)
{
	put_u32(b, (uint32_t)(20 + prog_len));
	put_u32(b, (uint32_t)b->len - cie);
	put_u64(b, start);
	put_u64(b, len);
	buf_add(b, prog, prog_len);
}

struct seen {
	uint64_t va[64];
	struct unwind_rule rule[64];
	size_t n;
};

static int see(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct seen *s = ctx;

	assert_true(s->n < 64);
	assert_true(!s->n || va >= s->va[s->n - 1]);
	s->va[s->n] = va;
	s->rule[s->n++] = rule;
	return 0;
}

static void open_section(struct cfi *cfi, const struct buf *b)
{
	const struct cfi_section sec = {
		.data = (const uint8_t *)b->data, .len = b->len, .va = SECTION_VA};

	assert_int_equal(cfi_open(cfi, &sec), 0);
}

static void test_overlapping_descriptions(void **state)
{
	struct buf b = {0};
	struct cfi cfi;
	uint32_t cie = put_cie(&b);

	(void)state;
	put_fde(&b, cie, 300, 100, "", 0);
	put_fde(&b, cie, 100, 1000, "", 0); /* over all of the others */
	put_fde(&b, cie, 200, 50, "", 0);
	put_fde(&b, cie, 200, 70, "", 0); /* as one before it */
	put_fde(&b, cie, 500, 0, "", 0);
	put_fde(&b, cie, UINT64_MAX - 4, 100, "", 0); /* wraps round */
	open_section(&cfi, &b);
	assert_int_equal(cfi.fdes.len, 3);
	assert_int_equal(cfi.fdes.data[0].start, 100);
	assert_int_equal(cfi.fdes.data[0].end, 200);
	assert_int_equal(cfi.fdes.data[1].start, 200);
	assert_int_equal(cfi.fdes.data[1].end, 250);
	assert_int_equal(cfi.fdes.data[2].start, 300);
	assert_int_equal(cfi.malformed, 1);
	cfi_release(&cfi);
	buf_release(&b);
}

/* An FDE may name any place as its CIE: itself, another FDE, the middle of a CIE, nowhere. */
static void test_wrong_cie_references(void **state)
{
	struct buf b = {0};
	struct cfi cfi;
	uint32_t cie = put_cie(&b), fde = (uint32_t)b.len;

	(void)state;
	put_fde(&b, fde, 100, 10, "", 0); /* itself */
	put_fde(&b, fde, 200, 10, "", 0);
	put_fde(&b, cie + 4, 300, 10, "", 0);
	put_fde(&b, 0x7fffffff, 400, 10, "", 0);
	put_fde(&b, cie, 500, 10, "", 0);
	open_section(&cfi, &b);
	assert_int_equal(cfi.fdes.len, 1);
	assert_int_equal(cfi.fdes.data[0].start, 500);
	assert_int_equal(cfi.malformed, 4);
	cfi_release(&cfi);
	buf_release(&b);
}

static void run_one(const void *prog, size_t len, struct seen *s)
{
	struct buf b = {0};
	struct cfi cfi;
	uint32_t cie = put_cie(&b);

	*s = (struct seen){0};
	put_fde(&b, cie, 0x100, 0x100, prog, len);
	open_section(&cfi, &b);
	assert_int_equal(cfi.fdes.len, 1);
	assert_int_equal(cfi_run(&cfi, 0, see, s), 0);
	cfi_release(&cfi);
	buf_release(&b);
}

static void test_hostile_programs(void **state)
{
	static const char backwards[] = "\x01\x05\x01\0\0\0\0\0\0\x01\x05\0\0\0\0\0\0\0";
	char deep[64];
	struct seen s;

	(void)state;
	/* an advance beyond the end: no row out there */
	run_one("\x04\xff\xff\xff\xff\x0e\x20", 7, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.rule[0].cfa, UNWIND_CFA_RSP);
	/* back in the text */
	run_one(backwards, sizeof(backwards) - 1, &s);
	assert_int_equal(s.rule[s.n - 1].cfa, UNWIND_CFA_SLOW);
	/* more states remembered than there is room for */
	memset(deep, 0x0a, sizeof(deep));
	run_one(deep, sizeof(deep), &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.rule[0].cfa, UNWIND_CFA_SLOW);
	/* cut off inside an operand; an unknown operation */
	run_one("\x41\x0e\x80", 3, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.rule[1].cfa, UNWIND_CFA_SLOW);
	run_one("\x41\x3f", 2, &s);
	assert_int_equal(s.rule[1].cfa, UNWIND_CFA_SLOW);
	/* an expression longer than the program */
	run_one("\x41\x0f\x7f\x77\x08", 5, &s);
	assert_int_equal(s.rule[s.n - 1].cfa, UNWIND_CFA_SLOW);
	/* rbp further away than a rule can say */
	run_one("\x86\xff\xff\xff\xff\xff\x7f", 7, &s);
	assert_int_equal(s.rule[0].cfa, UNWIND_CFA_SLOW);
}

static void test_truncated_sections(void **state)
{
	struct buf b = {0};
	struct cfi cfi;
	struct seen s;
	uint32_t cie = put_cie(&b);
	size_t whole;

	(void)state;
	put_fde(&b, cie, 0x100, 0x100, "\x41\x0e\x10\x86\x02", 5);
	put_fde(&b, cie, 0x200, 0x100, "\x41\x0e\x10\x86\x02", 5);
	whole = b.len;
	for (b.len = 0; b.len < whole; b.len++) {
		open_section(&cfi, &b);
		for (size_t i = 0; i < cfi.fdes.len; i++) {
			s.n = 0;
			assert_int_equal(cfi_run(&cfi, i, see, &s), 0);
			assert_int_equal(s.n, 2);
		}
		assert_in_range(cfi.fdes.len, 0, 1);
		cfi_release(&cfi);
	}
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_of_rule),
		cmocka_unit_test(test_signal_frame),
		cmocka_unit_test(test_undescribed_signal_return),
		cmocka_unit_test(test_signal_return_and_contexts_of_glibc),
		cmocka_unit_test(test_clone3_of_glibc),
		cmocka_unit_test(test_undescribed_init),
		cmocka_unit_test(test_undescribed_entry),
		cmocka_unit_test(test_what_follows_the_entry),
		cmocka_unit_test(test_two_descriptions),
		cmocka_unit_test(test_go_keeps_frame_pointers),
		cmocka_unit_test(test_nothing_described),
		cmocka_unit_test(test_without_section_headers),
		cmocka_unit_test(test_overlapping_descriptions),
		cmocka_unit_test(test_wrong_cie_references),
		cmocka_unit_test(test_hostile_programs),
		cmocka_unit_test(test_truncated_sections),
	};

	return cmocka_run_group_tests_name("unwind_rules", tests, fixture_setup, fixture_teardown);
}
