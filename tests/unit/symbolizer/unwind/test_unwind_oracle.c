// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compiled unwind tables against libdw, an independent reader of the same frame descriptions: at
 * sampled addresses of real libraries, and just before and at every change of rule, one step of our
 * walk from made-up registers over made-up memory must find the caller that libdw's description
 * evaluates to. Files that are not installed are left out, by name.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "bpf/unwind_core.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_table.h"
#include "symbolizer/unwind/table_walk.h"
#include "tests/lib/fixture.h"

#define SAMPLES	 20000 /* random addresses a file */
#define CHANGES	 30000 /* changes of rule a file, at most */
#define STACK_VA 0x7ffc00001000ull

/* The made-up process: memory holds plausible stack addresses above rsp, a function of where. */
struct unwind_env {
	const uint8_t *table;
	uint64_t regs[UNWIND_REGS];
};

static uint64_t memory(uint64_t addr)
{
	return STACK_VA + 0x100000 + (hash_u64(addr) & 0xfffff8);
}

UNWIND_INLINE const void *unwind_op_table(struct unwind_env *env, __u32 slot)
{
	(void)slot;
	return env->table;
}

UNWIND_INLINE const void *unwind_op_page(const void *table, __u32 page)
{
	const struct unwind_head *head = table;
	const uint8_t *bytes = table;

	return page < head->size / UNWIND_PAGE ? bytes + (size_t)page * UNWIND_PAGE : NULL;
}

UNWIND_INLINE int unwind_op_read(struct unwind_env *env, __u64 addr, __u64 *value)
{
	(void)env;
	*value = memory(addr);
	return 0;
}

UNWIND_INLINE int unwind_op_code(struct unwind_env *env, __u64 va, __u64 *value)
{
	return unwind_op_read(env, va, value);
}

UNWIND_INLINE enum unwind_leaf_is
unwind_op_leaf(struct unwind_env *env, const struct unwind_frame *f, struct unwind_caller *caller)
{
	(void)env, (void)f, (void)caller;
	return UNWIND_LEAF_OF_RECORD;
}

UNWIND_INLINE int unwind_op_read_near(struct unwind_env *env, __u64 addr, __u64 *value)
{
	return unwind_op_read(env, addr, value);
}

UNWIND_INLINE int unwind_op_step_rule(struct unwind_env *env, struct unwind_frame *f,
				      struct unwind_rule rule)
{
	return unwind_step_rule(env, f, rule);
}

UNWIND_INLINE __u32 unwind_op_word(const struct unwind_env *env)
{
	(void)env;
	return 8;
}

UNWIND_INLINE __u64 unwind_op_reg(struct unwind_env *env, __u32 reg)
{
	return env->regs[reg];
}

UNWIND_INLINE enum unwind_in unwind_op_place(struct unwind_env *env, __u64 va,
					     struct unwind_place *place)
{
	(void)env;
	place->elf_va = va;
	return UNWIND_IN_TABLE;
}

/* ---- libdw's side: evaluates what it says about a frame ---------------------------------------- */

struct value {
	enum { V_VALUE, V_SAME, V_UNDEFINED, V_BROKEN } kind;
	uint64_t v;
};

struct stack {
	uint64_t v[16];
	unsigned n;
	bool bad;
};

static void push(struct stack *s, uint64_t v)
{
	if (s->n == 16)
		s->bad = true;
	else
		s->v[s->n++] = v;
}

static uint64_t pop(struct stack *s)
{
	if (!s->n) {
		s->bad = true;
		return 0;
	}
	return s->v[--s->n];
}

static void binary(struct stack *s, uint8_t op)
{
	uint64_t b = pop(s), a = pop(s);

	switch (op) {
	case DW_OP_plus:
		push(s, a + b);
		break;
	case DW_OP_minus:
		push(s, a - b);
		break;
	case DW_OP_and:
		push(s, a & b);
		break;
	case DW_OP_mul:
		push(s, a * b);
		break;
	case DW_OP_shl:
		push(s, a << (b & 63));
		break;
	case DW_OP_ge:
		push(s, (int64_t)a >= (int64_t)b);
		break;
	default:
		s->bad = true;
	}
}

/* The value (cfa, value on top) or the place (memory = true) that operations come to. */
static struct value evaluate(const struct unwind_env *env, const Dwarf_Op *ops, size_t n,
			     uint64_t cfa, bool memory_place)
{
	struct stack s = {0};

	for (size_t i = 0; i < n; i++) {
		uint8_t op = ops[i].atom;

		if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
			push(&s, op - DW_OP_lit0);
		else if (op >= DW_OP_breg0 && op <= DW_OP_breg0 + 16)
			push(&s, env->regs[op - DW_OP_breg0] + ops[i].number);
		else if (op == DW_OP_bregx && ops[i].number < UNWIND_REGS)
			push(&s, env->regs[ops[i].number] + ops[i].number2);
		else if (op >= DW_OP_reg0 && op <= DW_OP_reg0 + 16)
			return (struct value){V_VALUE, env->regs[op - DW_OP_reg0]};
		else if (op == DW_OP_regx && ops[i].number < UNWIND_REGS)
			return (struct value){V_VALUE, env->regs[ops[i].number]};
		else if (op == DW_OP_call_frame_cfa)
			push(&s, cfa);
		else if (op == DW_OP_plus_uconst)
			push(&s, pop(&s) + ops[i].number);
		else if (op == DW_OP_const1u || op == DW_OP_const2u || op == DW_OP_const4u ||
			 op == DW_OP_const4s || op == DW_OP_const1s || op == DW_OP_const8u)
			push(&s, ops[i].number);
		else if (op == DW_OP_deref)
			push(&s, memory(pop(&s)));
		else if (op == DW_OP_drop)
			pop(&s);
		else if (op == DW_OP_stack_value)
			memory_place = false;
		else
			binary(&s, op);
	}
	if (s.bad || !s.n)
		return (struct value){V_BROKEN, 0};
	return (struct value){V_VALUE, memory_place ? memory(s.v[s.n - 1]) : s.v[s.n - 1]};
}

static struct value caller_register(const struct unwind_env *env, Dwarf_Frame *frame, int reg,
				    uint64_t cfa)
{
	Dwarf_Op mem[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, reg, mem, &ops, &n) != 0)
		return (struct value){V_BROKEN, 0};
	if (!n)
		return (struct value){ops == mem ? V_UNDEFINED : V_SAME, 0};
	return evaluate(env, ops, n, cfa, true);
}

struct expected {
	bool described, broken, root, signal;
	uint64_t start, pc, sp, bp;
};

static struct expected expect(const struct unwind_env *env, Dwarf_CFI *cfi, uint64_t va)
{
	struct expected e = {0};
	struct value cfa, pc, sp, bp;
	Dwarf_Addr start, end;
	Dwarf_Frame *frame;
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_cfi_addrframe(cfi, va, &frame) != 0)
		return e;
	e.described = true;
	dwarf_frame_info(frame, &start, &end, &e.signal);
	e.start = start;
	pc = caller_register(env, frame, UNWIND_RIP, 0);
	e.root = pc.kind == V_UNDEFINED;
	if (dwarf_frame_cfa(frame, &ops, &n) != 0 || !n) {
		e.broken = true;
		free(frame);
		return e;
	}
	cfa = evaluate(env, ops, n, 0, false);
	pc = caller_register(env, frame, UNWIND_RIP, cfa.v);
	sp = caller_register(env, frame, UNWIND_RSP, cfa.v);
	bp = caller_register(env, frame, UNWIND_RBP, cfa.v);
	e.broken = cfa.kind == V_BROKEN || pc.kind == V_BROKEN || sp.kind == V_BROKEN ||
		   bp.kind == V_BROKEN;
	e.pc = pc.v;
	e.sp = sp.kind == V_VALUE ? sp.v : cfa.v;
	e.bp = bp.kind == V_VALUE ? bp.v : env->regs[UNWIND_RBP];
	free(frame);
	return e;
}

/* ---- the comparison ---------------------------------------------------------------------------- */

struct tally {
	size_t compared, slow, roots, signals, undescribed;
};

/* Without description, or with a wrong one, but known: .init, .fini, a little behind the entry point, the address behind
 * a signal return stub, where a coroutine of glibc's begins, and the call in its __clone3(). */
static struct {
	uint64_t begin, end;
} known[16];
static size_t n_known;

static bool is_known(uint64_t va)
{
	for (size_t i = 0; i < n_known; i++)
		if (va >= known[i].begin && va < known[i].end)
			return true;
	return false;
}

/* What lies from `from` to `to`, counted from where these bytes are in .text. */
static void add_known(struct elf_obj *obj, const char *bytes, size_t n, int from, int to)
{
	const struct elf_section *sec = elf_obj_section(obj, ".text");
	const uint8_t *text, *at, *end;
	size_t len;

	if (!sec || elf_obj_data(obj, sec, &text, &len))
		return;
	end = text + len;
	for (at = text; (at = memmem(at, (size_t)(end - at), bytes, n)); at++) {
		assert_true(n_known < sizeof(known) / sizeof(known[0]));
		known[n_known].begin = sec->va + (uint64_t)(at - text) + (uint64_t)from;
		known[n_known++].end = sec->va + (uint64_t)(at - text) + (uint64_t)to;
	}
}

static void find_known(struct elf_obj *obj, Elf *elf)
{
	static const char *const names[] = {".init", ".fini"};
	GElf_Ehdr head;

	assert_non_null(gelf_getehdr(elf, &head));
	n_known = 0;
	known[n_known].begin = head.e_entry;
	known[n_known++].end = head.e_entry + 96;
	for (size_t i = 0; i < 2; i++) {
		const struct elf_section *sec = elf_obj_section(obj, names[i]);

		if (!sec)
			continue;
		known[n_known].begin = sec->va;
		known[n_known++].end = sec->va + sec->size;
	}
	add_known(obj, "\xb8\x0f\0\0\0\x0f\x05", 7, 7, 8);
	add_known(obj, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9, 9, 10);
	add_known(obj, "\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff", 10, -5, 64);
	add_known(obj, "\xb8\xb3\x01\0\0\x0f\x05\x48\x85\xc0", 10, 5, 15);
}

static void init_regs(struct unwind_env *env, uint64_t va)
{
	for (unsigned r = 0; r < UNWIND_REGS; r++)
		env->regs[r] = STACK_VA + 0x1000 + r * 0x100;
	env->regs[UNWIND_RSP] = STACK_VA;
	env->regs[UNWIND_RBP] = STACK_VA + 0x800;
	env->regs[UNWIND_RIP] = va;
}

static void compare(struct unwind_env *env, Dwarf_CFI *cfi, uint64_t va, const char *name,
		    struct tally *t)
{
	struct unwind_frame f = {.pc = va, .exact = 1};
	struct unwind_rule rule = unwind_table_rule(env->table, va);
	struct expected e;
	int end;

	init_regs(env, va);
	f.sp = env->regs[UNWIND_RSP];
	f.bp = env->regs[UNWIND_RBP];
	e = expect(env, cfi, va);
	end = unwind_step(env, &f);
	t->compared++;
	if (rule.cfa == UNWIND_CFA_SLOW) { /* declined: counted, and capped by the caller */
		t->slow++;
		return;
	}
	if (!e.described) {
		t->undescribed++;
		if (rule.cfa != UNWIND_CFA_NONE && !is_known(va))
			fail_msg("%s %#lx: a rule (%s) where nothing is described", name, va,
				 unwind_cfa_name(rule.cfa));
		return;
	}
	if (end == UNWIND_END_ROOT && is_known(va))
		return;
	if (e.root != (end == UNWIND_END_ROOT))
		fail_msg("%s %#lx: %s, libdw says root=%d", name, va, unwind_end_key(end), e.root);
	t->roots += e.root;
	t->signals += e.signal;
	if (e.root)
		return;
	if (e.signal != (rule.cfa == UNWIND_CFA_SIGNAL) || e.broken || end != UNWIND_ON ||
	    f.pc != e.pc || f.sp != e.sp || f.bp != e.bp)
		fail_msg("%s %#lx: rule %s:%d bp %s:%d gives %s pc %#lx sp %#lx bp %#lx,\n"
			 "libdw%s pc %#lx sp %#lx bp %#lx signal %d",
			 name, va, unwind_cfa_name(rule.cfa), rule.cfa_off,
			 unwind_bp_name(UNWIND_BP_KIND(rule)), rule.bp_off, unwind_end_key(end),
			 (uint64_t)f.pc, (uint64_t)f.sp, (uint64_t)f.bp,
			 e.broken ? " (broken)" : "", e.pc, e.sp, e.bp, e.signal);
}

static bool same_rule(struct unwind_rule a, struct unwind_rule b)
{
	return !memcmp(&a, &b, sizeof(a));
}

/* Around changes of rule, at most CHANGES of them, evenly spread. */
static void compare_changes(struct unwind_env *env, Dwarf_CFI *cfi, const char *name,
			    struct tally *t)
{
	const struct unwind_head *head = (const void *)env->table;
	uint64_t va = head->text_va, end = va + head->n_buckets * (uint64_t)UNWIND_BUCKET;
	struct unwind_rule last = unwind_table_rule(env->table, va), rule;
	VEC(uint64_t) changes = {0};

	for (uint64_t a = va; a < end; a++, last = rule) {
		rule = unwind_table_rule(env->table, a);
		if (!same_rule(rule, last))
			assert_int_equal(vec_push(&changes, a), 0);
	}
	for (size_t i = 0; i < changes.len; i += changes.len / CHANGES + 1) {
		compare(env, cfi, changes.data[i] - 1, name, t);
		compare(env, cfi, changes.data[i], name, t);
	}
	vec_release(&changes);
}

static void compare_random(struct unwind_env *env, Dwarf_CFI *cfi, const char *name,
			   struct tally *t)
{
	const struct unwind_head *head = (const void *)env->table;
	uint64_t len = head->n_buckets * (uint64_t)UNWIND_BUCKET;

	for (uint64_t i = 0; i < SAMPLES; i++)
		compare(env, cfi, head->text_va + hash_u64(i + 1) % len, name, t);
}

static struct tally compare_file(struct elf_obj *obj, Dwarf_CFI *cfi, const char *name)
{
	struct unwind_env env = {0};
	struct tally t = {0};
	void *table;
	size_t len;

	assert_non_null(cfi);
	assert_int_equal(unwind_table_build(&table, &len, obj, NULL), 0);
	assert_int_equal(unwind_blob_check(table, len), 0);
	env.table = table;
	compare_random(&env, cfi, name, &t);
	compare_changes(&env, cfi, name, &t);
	/* What tables cannot express is rare: below one in 500 addresses anywhere. */
	assert_true(t.slow * 500 <= t.compared);
	assert_true(t.compared > t.undescribed);
	printf("%s: %zu compared, %zu slow, %zu roots, %zu in signal frames, %zu undescribed\n",
	       name, t.compared, t.slow, t.roots, t.signals, t.undescribed);
	free(table);
	return t;
}

static struct tally compare_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct tally t = {0};
	struct elf_obj *obj;
	Dwarf_CFI *cfi;
	Elf *elf;

	if (fd < 0) {
		printf("left out: %s is not installed\n", path);
		return t;
	}
	assert_int_equal(elf_obj_open(&obj, dup(fd), NULL), 0);
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_non_null(elf);
	cfi = dwarf_getcfi_elf(elf);
	find_known(obj, elf);
	t = compare_file(obj, cfi, path);
	dwarf_cfi_end(cfi);
	elf_end(elf);
	elf_obj_free(obj);
	close(fd);
	return t;
}

static void test_libc(void **state)
{
	struct tally t = compare_path("/usr/lib/x86_64-linux-gnu/libc.so.6");

	(void)state;
	assert_true(t.roots > 0);   /* clone */
	assert_true(t.signals > 0); /* __restore_rt */
}

static void test_libraries(void **state)
{
	static const char *const paths[] = {
		"/lib64/ld-linux-x86-64.so.2",
		"/usr/lib/x86_64-linux-gnu/libm.so.6",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
		"/usr/lib/x86_64-linux-gnu/libclang-cpp.so.14",
		"/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
		"/usr/bin/python3",
		"/usr/bin/node",
		"/usr/bin/redis-server",
	};
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		compared += compare_path(paths[i]).compared;
	assert_true(compared >= SAMPLES);
}

/* The vDSO is the one ELF file that is only in memory. */
static void test_vdso(void **state)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *ehdr = (const void *)vdso;
	struct elf_obj *obj;
	Dwarf_CFI *cfi;
	size_t len;
	Elf *elf;

	(void)state;
	if (!vdso)
		skip();
	len = ehdr->e_shoff + (size_t)ehdr->e_shnum * ehdr->e_shentsize;
	assert_int_equal(elf_obj_open_bytes(&obj, vdso, len, NULL), 0);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)vdso, len);
	assert_non_null(elf);
	n_known = 0;
	cfi = dwarf_getcfi_elf(elf);
	compare_file(obj, cfi, "vdso");
	dwarf_cfi_end(cfi);
	elf_end(elf);
	elf_obj_free(obj);
}

/* Without .eh_frame, what -g leaves in .debug_frame does. Stubs of calls to libraries have rules without either. */
static void test_debug_frame(void **state)
{
	struct elf_obj *obj;
	Dwarf *dwarf;
	int fd;

	(void)state;
	fixture_write("t.c", "int g(int *); int f(int n) { int a[n + 1]; a[0] = n; return g(a); }\n"
			     "int h(int n) { return f(n) + f(n + 1); }\n");
	fixture_run("gcc -O1 -g -shared -nostdlib -fpic -fno-plt -fno-asynchronous-unwind-tables "
		    "-fno-unwind-tables -Wl,--no-ld-generated-unwind-info t.c -o t.so");
	fd = fixture_open("t.so");
	assert_int_equal(elf_obj_open(&obj, dup(fd), NULL), 0);
	assert_null(elf_obj_section(obj, ".eh_frame"));
	dwarf = dwarf_begin(fd, DWARF_C_READ);
	assert_non_null(dwarf);
	compare_file(obj, dwarf_getcfi(dwarf), "debug_frame");
	dwarf_end(dwarf);
	elf_obj_free(obj);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_libraries),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_debug_frame),
	};

	return cmocka_run_group_tests_name("unwind_oracle", tests, fixture_setup, fixture_teardown);
}
