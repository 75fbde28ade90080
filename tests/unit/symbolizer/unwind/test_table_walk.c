// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host walk over real stacks: tests/fixtures/unwind/stacks.c is built in many ways, run under
 * ptrace, and its stacks are compared frame by frame with libdwfl's unwinder, at known places and
 * at every instruction after them; at known places also with the chain that is known.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "tests/lib/fixture.h"
#include "tests/lib/ptrace_regs.h"
#include "tests/lib/unwind_space.h"

#define MAX_FRAMES 6000

static struct unwind_space space;
static char source_dir[PATH_MAX];

struct chain {
	uint64_t pc[MAX_FRAMES];
	uint32_t n;
	bool complete; /* the oracle said so */
};

static struct chain ours, theirs;

/* ---- libdwfl ----------------------------------------------------------------------------------- */

static Dwfl *dwfl_of(pid_t pid)
{
	static char *no_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.debuginfo_path = &no_path,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);

	assert_non_null(dwfl);
	dwfl_report_begin(dwfl);
	assert_int_equal(dwfl_linux_proc_report(dwfl, pid), 0);
	assert_int_equal(dwfl_report_end(dwfl, NULL, NULL), 0);
	assert_int_equal(dwfl_linux_proc_attach(dwfl, pid, true), 0);
	return dwfl;
}

static int add_frame(Dwfl_Frame *frame, void *arg)
{
	struct chain *c = arg;
	bool exact;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &exact) || c->n == MAX_FRAMES)
		return DWARF_CB_ABORT;
	c->pc[c->n] = pc + (c->n && exact);
	c->n++;
	return DWARF_CB_OK;
}

/* ---- the comparison ---------------------------------------------------------------------------- */

struct tally {
	unsigned compared, slow, roots, no_rule;
};

static void print_chains(enum unwind_end end)
{
	for (uint32_t i = 0; i < ours.n || i < theirs.n; i++)
		fprintf(stderr, "%3u %#14lx %#14lx\n", i, i < ours.n ? ours.pc[i] : 0,
			i < theirs.n ? theirs.pc[i] : 0);
	fprintf(stderr, "ended: %s; libdwfl: %s\n", unwind_end_text(end),
		theirs.complete ? "complete" : "failed");
}

/* In .init or .fini, which have no description. */
static bool in_init(Dwfl *dwfl, uint64_t va)
{
	Dwfl_Module *mod = dwfl_addrmodule(dwfl, va);
	Dwarf_Addr bias, addr = va;
	Elf_Scn *scn = mod ? dwfl_module_address_section(mod, &addr, &bias) : NULL;
	GElf_Shdr head;
	size_t names;
	Elf *elf;
	const char *name;

	if (!scn || !gelf_getshdr(scn, &head))
		return false;
	elf = dwfl_module_getelf(mod, &bias);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	name = elf_strptr(elf, names, head.sh_name);
	return name && (!strcmp(name, ".init") || !strcmp(name, ".fini"));
}

/* libdwfl goes by rbp there, which is still the caller's caller's: it leaves out one frame. */
static bool same_but_for_caller(void)
{
	return ours.n == theirs.n + 1 && ours.pc[0] == theirs.pc[0] &&
	       !memcmp(ours.pc + 2, theirs.pc + 1, (theirs.n - 1) * sizeof(ours.pc[0]));
}

/* The outermost return address of a coroutine is where code begins: ours says so, and libdwfl goes on from there. */
static bool same_up_to_context(enum unwind_end end)
{
	size_t last = ours.n - 1;

	return end == UNWIND_END_ROOT && last && ours.n <= theirs.n &&
	       ours.pc[last] == theirs.pc[last] + 1 &&
	       !memcmp(ours.pc, theirs.pc, last * sizeof(ours.pc[0]));
}

/*
 * Ours must be theirs, or, where it says that user space has to go on, the beginning of theirs. Where
 * nothing describes the code, libdwfl fails, too, or guesses by the frame pointer.
 */
static enum unwind_end compare(Dwfl *dwfl, pid_t tid, struct tally *t)
{
	uint64_t regs[UNWIND_REGS];
	enum unwind_end end;
	bool same;

	ptrace_regs(tid, regs);
	end = table_walk(&space_ops, &space, regs, ours.pc, MAX_FRAMES, &ours.n);
	theirs.n = 0;
	theirs.complete = dwfl_getthread_frames(dwfl, tid, add_frame, &theirs) == 0;
	t->compared++;
	t->slow += end == UNWIND_END_SLOW;
	t->roots += end == UNWIND_END_ROOT;
	t->no_rule += end == UNWIND_END_NO_RULE;
	same = ours.n <= theirs.n && !memcmp(ours.pc, theirs.pc, ours.n * sizeof(ours.pc[0]));
	if (end == UNWIND_END_ROOT || end == UNWIND_END_ZERO)
		same &= ours.n == theirs.n;
	same |= same_up_to_context(end);
	if (!same && in_init(dwfl, ours.pc[0]))
		same = same_but_for_caller();
	if (!same || (end != UNWIND_END_SLOW && end != UNWIND_END_ROOT && end != UNWIND_END_ZERO &&
		      end != UNWIND_END_NO_RULE)) {
		print_chains(end);
		fail_msg("chains differ");
	}
	return end;
}

/* "stop recurse*12 main": function names up to main, as libdwfl knows them, without the suffixes
 * that compilers give to parts and copies of functions. */
static void name_chain(Dwfl *dwfl, struct buf *out)
{
	char last[128] = "", name[128];
	unsigned times = 0;

	for (uint32_t i = 0; i <= ours.n; i++) {
		uint64_t va = i < ours.n ? ours.pc[i] - (i > 0) : 0;
		Dwfl_Module *mod = va ? dwfl_addrmodule(dwfl, va) : NULL;
		const char *s = mod ? dwfl_module_addrname(mod, va) : NULL;

		snprintf(name, sizeof(name), "%.*s", s ? (int)strcspn(s, ".") : 1, s ? s : "?");
		if (i < ours.n && !strcmp(name, last)) {
			times++;
			continue;
		}
		if (times > 1)
			buf_printf(out, "*%u", times);
		if (i == ours.n || !strcmp(last, "main"))
			return;
		buf_printf(out, "%s%s", i ? " " : "", name);
		snprintf(last, sizeof(last), "%s", name);
		times = 1;
	}
}

/* ---- running the program ----------------------------------------------------------------------- */

static pid_t start(const char *prog, const char *scenario, const char *arg)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		unsetenv("LD_BIND_NOW");
		execl(prog, prog, scenario, arg, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL), 0);
	return pid;
}

/* Single steps, comparing after each, until the thread is gone; *status is the last one. */
static void compare_steps(Dwfl *dwfl, pid_t tid, unsigned steps, struct tally *t, int *status)
{
	int sig = 0;

	for (unsigned i = 0; i < steps; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, tid, NULL, sig), 0);
		assert_int_equal(waitpid(tid, status, __WALL), tid);
		if (!WIFSTOPPED(*status))
			return;
		sig = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
		if (!sig)
			compare(dwfl, tid, t);
	}
}

struct run {
	const char *prog, *scenario, *arg;
	unsigned steps;	     /* to single step after every stop */
	const char *chain;   /* how names begin at the last stop, or NULL */
	enum unwind_end end; /* there; default UNWIND_END_ROOT */
};

static void at_stop(const struct run *r, pid_t tid, struct tally *t, struct buf *chain, int *status)
{
	enum unwind_end want = r->end ? r->end : UNWIND_END_ROOT;
	Dwfl *dwfl;

	space_read(&space, tid);
	dwfl = dwfl_of(tid);
	assert_int_equal(compare(dwfl, tid, t), want);
	buf_clear(chain);
	name_chain(dwfl, chain);
	compare_steps(dwfl, tid, r->steps, t, status);
	dwfl_end(dwfl);
}

static struct tally run(struct run r)
{
	pid_t pid = start(r.prog, r.scenario, r.arg), tid = pid;
	struct buf chain = {0};
	struct tally t = {0};
	int status = 0, sig = 0;
	unsigned stops = 0;

	do {
		assert_int_equal(ptrace(PTRACE_CONT, tid, NULL, sig), 0);
		do
			tid = waitpid(-1, &status, __WALL);
		while (tid > 0 && tid != pid && !WIFSTOPPED(status));
		assert_true(tid > 0);
		sig = 0;
		if (WIFSTOPPED(status) && status >> 8 == SIGTRAP) {
			at_stop(&r, tid, &t, &chain, &status);
			stops++;
		} else if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP &&
			   WSTOPSIG(status) != SIGSTOP) {
			sig = WSTOPSIG(status);
		}
	} while (WIFSTOPPED(status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s %s: wait status %#x", r.prog, r.scenario, status);
	assert_true(stops > 0);
	if (r.chain && strncmp(buf_cstr(&chain), r.chain, strlen(r.chain)) != 0)
		fail_msg("%s %s: %s, expected %s", r.prog, r.scenario, buf_cstr(&chain), r.chain);
	buf_release(&chain);
	return t;
}

static bool have(const char *tool)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", tool);
	return system(cmd) == 0;
}

static void build(const char *prog, const char *cc, const char *flags)
{
	fixture_run("%s %s -g %s/tests/fixtures/unwind/stacks.c -o %s -ldl -pthread", cc, flags,
		    source_dir, prog);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void run_all(const char *prog, const char *tail_chain)
{
	run((struct run){prog, "recurse", "10", 0, "stop recurse*10 main"});
	run((struct run){prog, "recurse", "5000", 0, "stop recurse*5000 main"});
	run((struct run){prog, "realign", "10", 100, "stop with_alloca realigned main"});
	run((struct run){prog, "tail", "1", 30, tail_chain});
	run((struct run){prog, "context", NULL, 12, "stop recurse*3 co_body"});
	run((struct run){prog, "thread", NULL, 50, "stop recurse*4 thread_body start_thread"});
	run((struct run){prog, "sort", NULL, 300, NULL});
	run((struct run){prog, "hand", NULL, 0, "stop recurse*2 hand_body", UNWIND_END_ZERO});
}

static void test_compilers(void **state)
{
	static const char *const ccs[] = {"gcc", "clang"};
	static const char *const opts[] = {
		"-O0",
		"-O1",
		"-O2",
		"-O3",
		"-O2 -fcf-protection=full",
		"-O2 -fno-omit-frame-pointer",
		"-O2 -mavx2",
	};
	char prog[64], flags[128];

	(void)state;
	for (size_t c = 0; c < 2; c++) {
		if (!have(ccs[c])) {
			printf("left out: %s is not installed\n", ccs[c]);
			continue;
		}
		for (size_t o = 0; o < sizeof(opts) / sizeof(opts[0]); o++) {
			snprintf(prog, sizeof(prog), "./stacks-%s-%zu", ccs[c], o);
			snprintf(flags, sizeof(flags), "%s", opts[o]);
			build(prog, ccs[c], flags);
			run_all(prog, NULL);
		}
	}
}

static void test_signals(void **state)
{
	struct tally t;

	(void)state;
	build("./sig", "gcc", "-O2");
	/* 1,000 steps: out of the handler, through the return stub and what it interrupted. */
	t = run((struct run){"./sig", "signal", NULL, 1000, NULL});
	assert_int_equal(t.slow, 0);
	run((struct run){"./sig", "fault", NULL, 0,
			 "stop fault_handler __restore_rt fault "
			 "signal_fault main"});
}

static void test_vfork(void **state)
{
	struct tally t;

	(void)state;
	build("./vfork", "gcc", "-O2");
	t = run((struct run){"./vfork", "vfork", NULL, 600, NULL});
	assert_true(t.compared > 100);
	assert_true(t.slow < t.compared / 2);
}

/* Binding a symbol at its first call: only the resolver's own frame, whose CFA is in rbx, is beyond
 * the tables. */
static void test_plt(void **state)
{
	struct tally t;

	(void)state;
	build("./plt", "gcc", "-O2 -Wl,-z,lazy");
	t = run((struct run){"./plt", "plt", NULL, 3000, NULL});
	assert_true(t.slow > 0);
	assert_true(t.roots > 100);
	build("./pltnow", "gcc", "-O2 -Wl,-z,now");
	t = run((struct run){"./pltnow", "plt", NULL, 400, NULL});
	assert_int_equal(t.slow, 0);
	assert_int_equal(t.no_rule, 0);
}

static void test_longjmp(void **state)
{
	struct tally t;

	(void)state;
	build("./jmp", "gcc", "-O2 -Wl,-z,now");
	run((struct run){"./jmp", "longjmp", NULL, 0, "stop longjumps main"});
	t = run((struct run){"./jmp", "longjmp", NULL, 500, NULL});
	/* The last instructions of longjmp, when rsp is still in another register. */
	assert_in_range(t.slow, 0, 12);
}

static void test_dlopen(void **state)
{
	char lib[PATH_MAX];

	(void)state;
	fixture_write("plug.c",
		      "void plug_call(void (*f)(void)) { f(); __asm__ volatile(\"\"); }\n");
	fixture_run("gcc -O2 -shared -fPIC plug.c -o plug.so");
	build("./dl", "gcc", "-O2");
	snprintf(lib, sizeof(lib), "%s/plug.so", fixture_dir);
	run((struct run){"./dl", "dlopen", lib, 100, "stop plug_call loads main"});
}

static void test_stripped_and_static(void **state)
{
	struct tally t;

	(void)state;
	build("./stripped", "gcc", "-O2 -s");
	t = run((struct run){"./stripped", "recurse", "50", 200, NULL});
	assert_int_equal(t.roots, t.compared);
	build("./static", "gcc", "-O2 -static");
	run((struct run){"./static", "recurse", "50", 200, "stop recurse*50 main"});
	run((struct run){"./static", "fault", NULL, 0,
			 "stop fault_handler __restore_rt fault "
			 "signal_fault main"});
	build("./nopie", "gcc", "-O2 -no-pie");
	run((struct run){"./nopie", "recurse", "50", 200, "stop recurse*50 main"});
}

static int setup(void **state)
{
	return getcwd(source_dir, sizeof(source_dir)) ? fixture_setup(state) : -1;
}

static int teardown(void **state)
{
	space_release(&space);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compilers),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_plt),
		cmocka_unit_test(test_longjmp),
		cmocka_unit_test(test_dlopen),
		cmocka_unit_test(test_stripped_and_static),
	};

	return cmocka_run_group_tests_name("table_walk", tests, setup, teardown);
}
