// SPDX-License-Identifier: GPL-2.0-or-later
/* Captured registers and stack, against chains of calls that are known. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/cfi_walk.h"
#include "symbolizer/unwind/unwind_table.h"
#include "tests/lib/fixture.h"

#define SLICE_MAX (256 * 1024)

struct map {
	uint64_t start, end, off;
	struct elf_obj *obj;
	void *table;
};

struct victim {
	pid_t pid;
	VEC(struct map) maps;
	uint64_t regs[CFI_WALK_REGS];
	uint8_t stack[SLICE_MAX];
	size_t stack_len;
};

static void read_maps(struct victim *v)
{
	char path[64], line[512], file[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", v->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end, off; /* only code, as a profiler knows it */
		char perms[8];
		struct map m = {0};
		size_t len;

		*file = '\0';
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, perms, &off, file) <
		    4)
			continue;
		if (!strchr(perms, 'x'))
			continue;
		m = (struct map){start, end, off, NULL, NULL};
		if (*file == '/')
			elf_obj_open(&m.obj, open(file, O_RDONLY), NULL);
		if (m.obj && cfi_walk_wants_table(m.obj))
			assert_int_equal(unwind_table_build(&m.table, &len, m.obj, NULL), 0);
		assert_int_equal(vec_push(&v->maps, m), 0);
	}
	fclose(f);
}

static void find_place(void *ctx, uint64_t va, struct cfi_place *place)
{
	struct victim *v = ctx;

	for (size_t i = 0; i < v->maps.len; i++) {
		const struct map *m = &v->maps.data[i];
		const struct elf_segment *seg;

		if (va < m->start || va >= m->end || !m->obj)
			continue;
		seg = elf_obj_segment_at_off(m->obj, va - m->start + m->off);
		if (!seg)
			return;
		place->obj = m->obj;
		place->table = m->table;
		place->bias = m->start - m->off - (seg->va - seg->file_off);
		return;
	}
}

/* Stops the child where it is and copies what a sample would. */
static void capture(struct victim *v)
{
	struct user_regs_struct r;
	char path[64];
	int fd;

	assert_int_equal(ptrace(PTRACE_GETREGS, v->pid, NULL, &r), 0);
	memcpy(v->regs,
	       (uint64_t[]){r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9,
			    r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip},
	       sizeof(v->regs));
	snprintf(path, sizeof(path), "/proc/%d/mem", v->pid);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	v->stack_len = 0;
	while (v->stack_len < SLICE_MAX) {
		size_t want = 4096 - (r.rsp + v->stack_len) % 4096, left = SLICE_MAX - v->stack_len;
		ssize_t n = pread(fd, v->stack + v->stack_len, want < left ? want : left,
				  (off_t)(r.rsp + v->stack_len));

		if (n <= 0)
			break;
		v->stack_len += (size_t)n;
	}
	close(fd);
	read_maps(v);
}

static void release(struct victim *v)
{
	kill(v->pid, SIGKILL);
	waitpid(v->pid, NULL, 0);
	for (size_t i = 0; i < v->maps.len; i++) {
		free(v->maps.data[i].table);
		elf_obj_free(v->maps.data[i].obj);
	}
	vec_release(&v->maps);
	free(v);
}

static struct victim *start(void (*run)(void))
{
	struct victim *v = calloc(1, sizeof(*v));
	int status;

	assert_non_null(v);
	v->pid = fork();
	if (!v->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
	assert_true(WIFSTOPPED(status));
	return v;
}

/* The chain that is expected, by function and the size it surely has. */
static volatile int depth_left;

/* ThreadSanitizer would make it longer. */
__attribute__((noinline, aligned(64), no_sanitize("thread"))) static int deeper(int n)
{
	int r = n ? deeper(n - 1) : raise(SIGSTOP);

	__asm__ volatile("");
	return r + depth_left;
}

static void run_deep(void)
{
	deeper(40);
	__asm__ volatile("");
}

static size_t count_in(const uint64_t *frames, size_t n, const void *fn, size_t size)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += frames[i] - (uintptr_t)fn < size;
	return found;
}

static void recursion_to_the_root(void **state)
{
	struct victim *v = start(run_deep);
	uint64_t frames[512];
	struct cfi_walk *u;
	enum cfi_walk_end end;
	struct captured_stack s;
	size_t n;

	(void)state;
	capture(v);
	assert_int_equal(cfi_walk_new(&u), 0);
	s = (struct captured_stack){v->regs, v->stack, v->stack_len};
	n = cfi_walk(u, &s, find_place, v, frames, 512, &end);
	assert_int_equal(end, CFI_WALK_ROOT);
	assert_int_equal(count_in(frames, n, deeper, 64), 41);
	/* raise, the chain, run_deep, start, the test and cmocka, main, the C library, _start */
	assert_true(n > 41 + 6);
	cfi_walk_free(u);
	release(v);
}

/* On a stack of its own a function may return to 0. That is no root, as one wrong step leads to zeros, too. */
static void a_return_address_of_zero(void **state)
{
	struct victim *v = start(run_deep);
	uint64_t frames[512], word;
	enum cfi_walk_end end;
	struct captured_stack s;
	struct cfi_walk *u;
	size_t first = 0;

	(void)state;
	capture(v);
	assert_int_equal(cfi_walk_new(&u), 0);
	s = (struct captured_stack){v->regs, v->stack, v->stack_len};
	cfi_walk(u, &s, find_place, v, frames, 512, &end);
	while (frames[first] - (uintptr_t)run_deep >= 64)
		first++;
	for (size_t at = 0; at + 8 <= v->stack_len; at += 8) {
		memcpy(&word, v->stack + at, sizeof(word));
		if (word == frames[first])
			memset(v->stack + at, 0, sizeof(word));
	}
	assert_int_equal(cfi_walk(u, &s, find_place, v, frames, 512, &end), first);
	assert_int_equal(end, CFI_WALK_ZERO);
	cfi_walk_free(u);
	release(v);
}

static void a_short_slice_ends_early(void **state)
{
	struct victim *v = start(run_deep);
	uint64_t all[512], some[512];
	struct cfi_walk *u;
	enum cfi_walk_end end;
	size_t n_all, n_some;

	(void)state;
	capture(v);
	assert_int_equal(cfi_walk_new(&u), 0);
	n_all = cfi_walk(u, &(struct captured_stack){v->regs, v->stack, v->stack_len}, find_place,
			 v, all, 512, &end);
	n_some = cfi_walk(u, &(struct captured_stack){v->regs, v->stack, 800}, find_place, v, some,
			  512, &end);
	assert_int_equal(end, CFI_WALK_SLICE);
	assert_true(n_some > 1 && n_some < n_all);
	assert_memory_equal(some, all, n_some * sizeof(*all));
	n_some = cfi_walk(u, &(struct captured_stack){v->regs, v->stack, v->stack_len}, find_place,
			  v, some, 7, &end);
	assert_int_equal(end, CFI_WALK_LIMIT);
	assert_int_equal(n_some, 7);
	cfi_walk_free(u);
	release(v);
}

static __attribute__((noinline, aligned(64))) void on_signal(int sig)
{
	(void)sig;
	raise(SIGSTOP);
	__asm__ volatile("");
}

static __attribute__((noinline, aligned(64))) void interrupted(void)
{
	raise(SIGUSR1);
	__asm__ volatile("");
}

static __attribute__((aligned(128))) void run_signal(void)
{
	signal(SIGUSR1, on_signal);
	interrupted();
	__asm__ volatile(""); /* no tail call */
}

static void through_a_signal_frame(void **state)
{
	struct victim *v = start(run_signal);
	uint64_t frames[512];
	struct cfi_walk *u;
	enum cfi_walk_end end;
	size_t n;
	int status;

	(void)state;
	/* ptrace stops for SIGUSR1 first: let it be delivered */
	ptrace(PTRACE_CONT, v->pid, NULL, SIGUSR1);
	assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	capture(v);
	assert_int_equal(cfi_walk_new(&u), 0);
	n = cfi_walk(u, &(struct captured_stack){v->regs, v->stack, v->stack_len}, find_place, v,
		     frames, 512, &end);
	assert_int_equal(end, CFI_WALK_ROOT);
	assert_int_equal(count_in(frames, n, on_signal, 64), 1);
	assert_int_equal(count_in(frames, n, interrupted, 64), 1);
	assert_int_equal(count_in(frames, n, run_signal, 128), 1);
	cfi_walk_free(u);
	release(v);
}

static void run_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

/* The dynamic linker's start code has no description; what else has none is not the root. */
static void start_code_is_the_root(void **state)
{
	struct victim *v = start(run_exec);
	uint64_t frames[8], regs[CFI_WALK_REGS];
	struct cfi_walk *u;
	enum cfi_walk_end end;

	(void)state;
	capture(v);
	assert_int_equal(cfi_walk_new(&u), 0);
	assert_int_equal(cfi_walk(u, &(struct captured_stack){v->regs, v->stack, v->stack_len},
				  find_place, v, frames, 8, &end),
			 1);
	assert_int_equal(end, CFI_WALK_ROOT);
	memcpy(regs, v->regs, sizeof(regs));
	regs[6] = 0; /* rbp */
	for (size_t i = 0; i < v->maps.len; i++) {
		const struct elf_section *init =
			v->maps.data[i].obj ? elf_obj_section(v->maps.data[i].obj, ".init") : NULL;

		if (!init)
			continue;
		regs[16] = v->maps.data[i].start - v->maps.data[i].off + init->va;
		cfi_walk(u, &(struct captured_stack){regs, v->stack, v->stack_len}, find_place, v,
			 frames, 8, &end);
		assert_int_equal(end, CFI_WALK_NO_INFO);
	}
	cfi_walk_free(u);
	release(v);
}

static void garbage_registers(void **state)
{
	struct victim *v = start(run_deep);
	uint64_t frames[64], regs[CFI_WALK_REGS];
	struct cfi_walk *u;
	enum cfi_walk_end end;

	(void)state;
	capture(v);
	assert_int_equal(cfi_walk_new(&u), 0);
	srand(3);
	for (int i = 0; i < 2000; i++) {
		memcpy(regs, v->regs, sizeof(regs));
		regs[rand() % CFI_WALK_REGS] +=
			(uint64_t)(rand() % 4096) * (rand() % 2 ? 1 : 1 << 20);
		v->stack[rand() % 4096] ^= (uint8_t)rand();
		assert_true(cfi_walk(u, &(struct captured_stack){regs, v->stack, 4096}, find_place,
				     v, frames, 64, &end) >= 1);
	}
	cfi_walk_free(u);
	release(v);
}

static void run_go(void)
{
	execl("./stopped", "stopped", "callers", (char *)NULL);
}

/* The runtime interrupts itself with SIGURG now and then. */
static struct victim *start_go(void)
{
	struct victim *v = start(run_go);
	int status, sig = 0;

	do {
		assert_int_equal(ptrace(PTRACE_CONT, v->pid, NULL, sig), 0);
		assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
		assert_true(WIFSTOPPED(status));
		sig = WSTOPSIG(status);
	} while (sig != SIGSTOP);
	capture(v);
	return v;
}

static size_t unwind_go(struct victim *v, size_t stack_len, uint64_t *frames,
			enum cfi_walk_end *end)
{
	struct cfi_walk *u;
	size_t n;

	assert_int_equal(cfi_walk_new(&u), 0);
	n = cfi_walk(u, &(struct captured_stack){v->regs, v->stack, stack_len}, find_place, v,
		     frames, 512, end);
	cfi_walk_free(u);
	return n;
}

/* What the runtime itself says was called is the root end of the stack. */
static void go_to_the_root(void **state)
{
	struct victim *v = start_go();
	uint64_t frames[512], *callers;
	enum cfi_walk_end end;
	size_t len, n;

	(void)state;
	callers = (uint64_t *)fixture_read("callers", &len);
	assert_in_range(len / 8, 31 + 3, 99); /* recurse; main.main, runtime.main, goexit */
	n = unwind_go(v, v->stack_len, frames, &end);
	assert_int_equal(end, CFI_WALK_ROOT);
	assert_in_range(n, len / 8 + 2, len / 8 + 10); /* system call, deepest */
	assert_memory_equal(&frames[n - len / 8], callers, len);
	free(callers);
	release(v);
}

static void go_in_a_short_slice(void **state)
{
	struct victim *v = start_go();
	uint64_t all[512], some[512];
	size_t n_all, n_some;
	enum cfi_walk_end end;

	(void)state;
	n_all = unwind_go(v, v->stack_len, all, &end);
	assert_int_equal(end, CFI_WALK_ROOT);
	n_some = unwind_go(v, 2000, some, &end);
	assert_int_equal(end, CFI_WALK_SLICE);
	assert_true(n_some > 1 && n_some < n_all);
	assert_memory_equal(some, all, n_some * sizeof(*all));
	release(v);
}

/* Frame pointers alone get there, too, as it happens; but that is a guess. */
static void go_without_table_is_not_complete(void **state)
{
	struct victim *v = start_go();
	uint64_t frames[512];
	enum cfi_walk_end end;

	(void)state;
	for (size_t i = 0; i < v->maps.len; i++) {
		free(v->maps.data[i].table);
		v->maps.data[i].table = NULL;
	}
	unwind_go(v, v->stack_len, frames, &end);
	assert_int_not_equal(end, CFI_WALK_ROOT);
	release(v);
}

static void go_garbage(void **state)
{
	struct victim *v = start_go();
	uint64_t frames[512];
	enum cfi_walk_end end;

	(void)state;
	srand(5);
	for (int i = 0; i < 2000; i++) {
		v->stack[rand() % 4096] ^= (uint8_t)rand();
		v->regs[rand() % CFI_WALK_REGS] += (uint64_t)(rand() % 64);
		assert_in_range(unwind_go(v, 4096, frames, &end), 1, 512);
	}
	release(v);
}

static int setup(void **state)
{
	char source_dir[PATH_MAX];

	if (!getcwd(source_dir, sizeof(source_dir)) || fixture_setup(state))
		return -1;
	fixture_run("export GOCACHE=$PWD/cache GOFLAGS=-mod=mod CGO_ENABLED=0; "
		    "go build -o stopped %s/tests/fixtures/unwind/stopped.go",
		    source_dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion_to_the_root),
		cmocka_unit_test(a_return_address_of_zero),
		cmocka_unit_test(a_short_slice_ends_early),
		cmocka_unit_test(through_a_signal_frame),
		cmocka_unit_test(start_code_is_the_root),
		cmocka_unit_test(garbage_registers),
		cmocka_unit_test(go_to_the_root),
		cmocka_unit_test(go_in_a_short_slice),
		cmocka_unit_test(go_without_table_is_not_complete),
		cmocka_unit_test(go_garbage),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
