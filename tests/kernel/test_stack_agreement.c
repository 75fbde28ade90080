// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks of real programs, stopped at random moments: kiln's walk over its compiled tables (the C
 * that the kernel runs) against libunwind's over the same stopped thread, frame for frame. Where the
 * two differ, libdwfl is asked as well.
 * usage: test_stack_agreement [STOPS [PROGRAM...]]    stops a program, 40 by default
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <libunwind-ptrace.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/lib/ptrace_regs.h"
#include "tests/lib/unwind_space.h"

#define MAX_FRAMES   6000
#define MAX_THREADS  64
#define STOP_MAX_US  4000 /* between two stops */
#define RESTARTS_MAX 2000

static unsigned stops_wanted = 40;
static char source_dir[PATH_MAX];
static struct unwind_space space;

struct chain {
	uint64_t pc[MAX_FRAMES];
	uint32_t n;
	bool complete; /* the root was reached */
};

static struct chain ours, theirs, third;

/* How two walks of one stop compare. */
#define CLASSES(X)                                                                                 \
	X(SAME, "same, to the root")                                                               \
	X(SLOW, "same up to a frame that only user space can evaluate")                            \
	X(NO_RULE, "same up to code that nothing describes")                                       \
	X(FURTHER, "same as far as libunwind gets")                                                \
	X(THIRD, "libunwind differs, libdwfl is with kiln")                                        \
	X(THIRD_FURTHER, "libunwind differs, same as far as libdwfl gets")                         \
	X(BEYOND, "same, and on to the root from where both others end")                           \
	X(LANDING, "same from the frame on that catches an exception")                             \
	X(FINI, "the same but for the dynamic linker's frame, which calls a .fini")                \
	X(EXITING, "the stack cannot be read")                                                     \
	X(WRONG, "kiln differs")

enum class {
#define X(name, text) CLASS_##name,
	CLASSES(X)
#undef X
		CLASS_COUNT
};

static const char *const class_text[] = {
#define X(name, text) text,
	CLASSES(X)
#undef X
};

/* ---- the other two unwinders --------------------------------------------------------------------- */

static void walk_libunwind(pid_t tid)
{
	unw_addr_space_t as = unw_create_addr_space(&_UPT_accessors, 0);
	void *upt = _UPT_create(tid);
	unw_cursor_t c;
	unw_word_t ip;
	int step, interrupts;

	assert_non_null(as);
	assert_non_null(upt);
	theirs.n = 0;
	theirs.complete = false;
	assert_int_equal(unw_init_remote(&c, as, upt), 0);
	assert_int_equal(unw_get_reg(&c, UNW_REG_IP, &ip), 0);
	theirs.pc[theirs.n++] = ip;
	for (;;) {
		interrupts = unw_is_signal_frame(&c) > 0;
		step = unw_step(&c);
		if (step > 0 && (unw_get_reg(&c, UNW_REG_IP, &ip) || theirs.n == MAX_FRAMES))
			break;
		theirs.complete = step == 0 || (step > 0 && !ip);
		if (step <= 0 || !ip)
			break;
		theirs.pc[theirs.n++] = ip + (unw_word_t)interrupts;
	}
	_UPT_destroy(upt);
	unw_destroy_addr_space(as);
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

static void walk_libdwfl(pid_t pid, pid_t tid)
{
	static char *no_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.debuginfo_path = &no_path,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);

	third.n = 0;
	third.complete = false;
	assert_non_null(dwfl);
	dwfl_report_begin(dwfl);
	if (!dwfl_linux_proc_report(dwfl, pid) && !dwfl_report_end(dwfl, NULL, NULL) &&
	    !dwfl_linux_proc_attach(dwfl, pid, true))
		third.complete = dwfl_getthread_frames(dwfl, tid, add_frame, &third) == 0;
	dwfl_end(dwfl);
}

/* ---- the comparison ------------------------------------------------------------------------------ */

/* Whether one is the beginning of the other, or the same. */
static bool agree(const struct chain *a, const struct chain *b)
{
	uint32_t n = a->n < b->n ? a->n : b->n;

	return !memcmp(a->pc, b->pc, n * sizeof(a->pc[0]));
}

static void print_chains(const char *name, enum unwind_end end)
{
	fprintf(stderr, "%s: kiln ended: %s\n    kiln           libunwind      libdwfl\n", name,
		unwind_end_text(end));
	for (uint32_t i = 0; i < ours.n || i < theirs.n || i < third.n; i++) {
		if (i > 40)
			break;
		fprintf(stderr, "%3u %#14lx %#14lx %#14lx", i, i < ours.n ? ours.pc[i] : 0,
			i < theirs.n ? theirs.pc[i] : 0, i < third.n ? third.pc[i] : 0);
		space_describe(&space, i < ours.n ? ours.pc[i] : 0);
		space_describe(&space, i < theirs.n ? theirs.pc[i] : 0);
		fputc('\n', stderr);
	}
}

static bool is_code(uint64_t pc)
{
	const void *table;
	uint64_t elf_va;

	return space_place(&space, pc, &table, &elf_va) != UNWIND_IN_NOTHING;
}

/*
 * Whether the chain is libdwfl's but for where that ends: where Go leaves one stack for another (older
 * runtimes put mstart's address there, above which is no code), or with frames made of what lies above a
 * stack's first function. (That kiln ends in such a function is for test_complete_stacks to say.) And
 * where Go's signal trampoline is not marked as one, libdwfl takes what was interrupted for a call, and
 * is lost if that was a function's first instruction.
 */
static bool agrees_but_for_the_end(void)
{
	uint32_t n = third.n, same = 0;

	while (same < n && same < ours.n && ours.pc[same] == third.pc[same])
		same++;
	if (same && same < n && same < ours.n && ours.pc[same] == third.pc[same] + 1)
		return true;
	while (n && !is_code(third.pc[n - 1]))
		n--;
	n = n > ours.n ? ours.n : n ? n - 1 : 0;
	return n && same >= n && same > 1;
}

/* libgcc is on its way to a landing pad (symbolizer/unwind/unwind_landing.h): the frames between it and the
 * one that catches are gone for kiln, and may be there, or nonsense, for others. */
static bool is_landing(void)
{
	uint32_t catcher = 0, left;

	while (catcher < ours.n && catcher < 3 && space_is_in(&space, ours.pc[catcher], "libgcc_s"))
		catcher++;
	left = ours.n - catcher;
	return catcher && catcher <= theirs.n && left &&
	       !memcmp(ours.pc, theirs.pc, catcher * sizeof(ours.pc[0])) &&
	       (!theirs.complete || !is_code(theirs.pc[theirs.n - 1]) ||
		(left <= theirs.n && !memcmp(ours.pc + catcher, theirs.pc + theirs.n - left,
					     left * sizeof(ours.pc[0]))));
}

/* A library's .fini has no description: libdwfl takes its frame for the caller's, and misses that. */
static bool is_in_fini(void)
{
	return third.n > 1 && ours.n == third.n + 1 && ours.pc[0] == third.pc[0] &&
	       space_is_in(&space, ours.pc[1], "ld-linux") &&
	       !memcmp(ours.pc + 2, third.pc + 1, (third.n - 1) * sizeof(ours.pc[0]));
}

static enum class classify(pid_t pid, pid_t tid, enum unwind_end end) {
	bool same = agree(&ours, &theirs);

	third.n = 0;
	if (same && end == UNWIND_END_ROOT && ours.n == theirs.n) return CLASS_SAME;
	if (same && end == UNWIND_END_SLOW && ours.n <= theirs.n) return CLASS_SLOW;
	if (same && end == UNWIND_END_NO_RULE && ours.n <= theirs.n + 1) return CLASS_NO_RULE;
	if (end == UNWIND_END_BAD_READ && ours.n == 1 && theirs.n == 1) return CLASS_EXITING;
	if (same && end == UNWIND_END_ROOT && ours.n > theirs.n &&
	    !theirs.complete) return CLASS_FURTHER;
	walk_libdwfl(pid, tid);
	if (agree(&ours, &third) &&
	    (end != UNWIND_END_ROOT || ours.n == third.n)) return CLASS_THIRD;
	/* A library's .init has no description, so that the dynamic linker's frames above the start
	 * of a library are kiln's alone. */
	if (same && agree(&ours, &third) && end == UNWIND_END_ROOT && theirs.n == third.n &&
	    ours.n > theirs.n) return CLASS_BEYOND;
	if (end == UNWIND_END_ROOT && agrees_but_for_the_end()) return CLASS_THIRD_FURTHER;
	if (end == UNWIND_END_ROOT && is_landing()) return CLASS_LANDING;
	if (end == UNWIND_END_ROOT && is_in_fini()) return CLASS_FINI;
	return CLASS_WRONG;
}

/* ---- programs ------------------------------------------------------------------------------------ */

struct program {
	const char *name, *needs, *command; /* exec'ed by a shell */
	const char *beside;		    /* what gives it work, or NULL */
};

/* In the scratch directory. The process is the command itself: its pid is stopped. */
static pid_t spawn(const char *command)
{
	char line[4096], c;
	int gate[2];
	pid_t pid;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(line, sizeof(line), "exec %s </dev/null >/dev/null 2>&1", command);
		execl("/bin/sh", "sh", "-c", line, NULL);
		_exit(127);
	}
	close(gate[1]);
	assert_int_equal(read(gate[0], &c, 1), 0); /* closed by exec */
	close(gate[0]);
	return pid;
}

static void end(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static pid_t any_thread(pid_t pid)
{
	pid_t tids[MAX_THREADS];
	struct dirent *e;
	unsigned n = 0;
	char path[64];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && n < MAX_THREADS && (e = readdir(d)))
		if (e->d_name[0] != '.')
			tids[n++] = atoi(e->d_name);
	if (d)
		closedir(d);
	return n ? tids[(unsigned)random() % n] : pid;
}

struct run {
	const struct program *p;
	pid_t pid;
	unsigned tally[CLASS_COUNT], stops, restarts;
};

/* One stop of one thread, unless it is just ending. */
static void stop_once(struct run *r)
{
	uint64_t regs[UNWIND_REGS];
	enum unwind_end end;
	enum class class;
	int status;
	pid_t tid;

	usleep((unsigned)random() % STOP_MAX_US);
	tid = any_thread(r->pid);
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return;
	space_read(&space, r->pid);
	ptrace_regs(tid, regs);
	end = table_walk(&space_ops, &space, regs, ours.pc, MAX_FRAMES, &ours.n);
	ours.complete = end == UNWIND_END_ROOT;
	walk_libunwind(tid);
	class = classify(r->pid, tid, end);
	r->tally[class]++;
	r->stops++;
	if (class == CLASS_WRONG || (class != CLASS_SAME && getenv("KILN_TEST_SHOW")))
		print_chains(r->p->name, end);
	ptrace(PTRACE_DETACH, tid, NULL,
	       (void *)(long)(status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status)));
}

static bool have(const char *tools)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "for t in %s; do command -v $t || exit 1; done >/dev/null",
		 tools);
	return system(cmd) == 0;
}

static void report(const struct run *r)
{
	printf("%-12s %6u stops:", r->p->name, r->stops);
	for (int c = 0; c < CLASS_COUNT; c++)
		if (r->tally[c])
			printf(" %u %s;", r->tally[c], class_text[c]);
	printf("\n");
}

/* How often another unwinder found the same. Of stops in a throw, which are a matter of chance, up to a third. */
static unsigned agreeing(const struct run *r)
{
	unsigned landing = r->tally[CLASS_LANDING], third = r->stops / 3;

	return r->tally[CLASS_SAME] + r->tally[CLASS_THIRD] + r->tally[CLASS_THIRD_FURTHER] +
	       (landing < third ? landing : third);
}

static void run_program(const struct program *p)
{
	struct run r = {.p = p};
	pid_t beside = 0;
	int status;

	if (!have(p->needs)) {
		printf("%-12s left out: not all of %s are installed\n", p->name, p->needs);
		return;
	}
	while (r.stops < stops_wanted && r.restarts < RESTARTS_MAX) {
		if (!r.pid || waitpid(r.pid, &status, WNOHANG)) { /* gone, or reaped */
			r.pid = spawn(p->command);
			r.restarts++;
			if (p->beside && !beside) {
				usleep(300000);
				beside = spawn(p->beside);
			}
		}
		stop_once(&r);
	}
	end(r.pid);
	end(beside);
	report(&r);
	assert_true(r.stops >= stops_wanted);
	assert_int_equal(r.tally[CLASS_WRONG], 0);
	assert_true(agreeing(&r) * 10 >= r.stops * 9);
}

static const struct program programs[] = {
	{"redis", "redis-server redis-benchmark",
	 "redis-server --port 0 --unixsocket ./r.sock --save '' --appendonly no",
	 "redis-benchmark -s ./r.sock -c 10 -n 100000000 -q -t set,get,lpush,zadd"},
	{"python3", "/usr/bin/python3",
	 "/usr/bin/python3 -c 'import json, re, zlib\n"
	 "d = {str(i): [i, i / 2, {\"k\": \"v\" * (i % 9)}] for i in range(500)}\n"
	 "while True:\n"
	 "    t = json.dumps(d); json.loads(t); re.findall(r\"(\\d+)[.]5\", t)\n"
	 "    sorted(d, key=lambda k: hash(k)); zlib.compress(t.encode())'",
	 NULL},
	{"perl", "perl",
	 "perl -e 'while (1) { my %h; $h{$_ % 97} .= sprintf(\"%x,\", $_) for 1 .. 20000; "
	 "my $t = join \"\", map { $h{$_} } sort { $a cmp $b } keys %h; $t =~ s/([a-f]+)/uc $1/ge "
	 "}'",
	 NULL},
	{"sqlite3", "sqlite3",
	 "sqlite3 :memory: \"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); WITH RECURSIVE n(i) AS "
	 "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO t SELECT i, "
	 "printf('%x', i * 7919 % 65537) FROM n; CREATE INDEX x ON t(b); "
	 "SELECT count(*), max(upper(b)) FROM t GROUP BY substr(b, 1, 2) ORDER BY 2;\"",
	 NULL},
	{"sha256", "openssl", "openssl speed -seconds 100 sha256", NULL},
	{"sha512", "openssl", "openssl speed -seconds 100 sha512", NULL},
	{"md5", "openssl", "openssl speed -seconds 100 md5", NULL},
	{"aes-gcm", "openssl", "openssl speed -seconds 100 -evp aes-256-gcm", NULL},
	{"aes-cbc", "openssl", "openssl speed -seconds 100 -evp aes-128-cbc-hmac-sha256", NULL},
	{"chacha20", "openssl", "openssl speed -seconds 100 -evp chacha20-poly1305", NULL},
	{"rsa", "openssl", "openssl speed -seconds 100 rsa2048", NULL},
	{"ecdsa", "openssl", "openssl speed -seconds 100 ecdsap256", NULL},
	{"x25519", "openssl", "openssl speed -seconds 100 ecdhx25519", NULL},
	{"xz", "xz", "xz -T1 -3 -k -c numbers", NULL},
	{"git", "git", "git -C repo log -p --stat", NULL},
	{"nginx", "nginx curl",
	 "nginx -p . -e stderr -g 'daemon off; master_process off; error_log stderr; pid n.pid;' "
	 "-c nginx.conf",
	 "sh -c 'while :; do curl -s --unix-socket ./n.sock http://x/[1-999] >/dev/null; done'"},
	{"php", "php",
	 "php -r 'function f($n) { return $n < 2 ? $n : f($n - 1) + f($n - 2); } while (1) { "
	 "f(15); "
	 "$a = range(1, 999); shuffle($a); sort($a); preg_replace(\"/(\\d)2/\", \"$1\", "
	 "implode(\" \", $a)); serialize($a); }'",
	 NULL},
	{"cc1", "gcc", "$(gcc -print-prog-name=cc1) -quiet -O2 large.c -o /dev/null", NULL},
	{"go", "go", "./goprog 1000", NULL},
	{"c++", "g++", "./exceptions 1000", NULL},
	{"rust", "rustc", "./closures 1000", NULL},
};

static void test_program(void **state)
{
	run_program(*state);
}

static int setup(void **state)
{
	if (!getcwd(source_dir, sizeof(source_dir)) || fixture_setup(state))
		return -1;
	srandom(1);
	fixture_run("g++ -O2 %s/tests/fixtures/unwind/exceptions.cc -o exceptions", source_dir);
	if (have("rustc"))
		fixture_run("rustc -O %s/tests/fixtures/unwind/closures.rs -o closures 2>/dev/null",
			    source_dir);
	/* libunwind and libdwfl know Go's code by .debug_frame, if it is not compressed. */
	if (have("go"))
		fixture_run("HOME=$PWD go build -ldflags=-compressdwarf=false -o goprog "
			    "%s/tests/fixtures/unwind/goroutines.go",
			    source_dir);
	fixture_run("echo 'events {} http { access_log off; server { listen unix:./n.sock; "
		    "location / { return 200 \"$request_id $uri\"; } } }' >nginx.conf");
	fixture_run(
		"for i in $(seq 400); do echo \"int f$i(int *a, int n) { int s = $i; for (int i = "
		"0; i < n; i++) { a[i] += s * $i; s ^= a[n - i] %% 7 ? s + i : n; } return s; }\"; "
		"done >large.c");
	fixture_run("seq 2000000 >numbers");
	fixture_run("git init -q repo && cd repo && for i in $(seq 100); do "
		    "echo 'commit refs/heads/master'; "
		    "echo \"committer A <a@example.org> $((1700000000 + i)) +0000\"; "
		    "echo 'data 0'; echo \"M 644 inline file$((i %% 7))\"; "
		    "seq $i 3 $((i * 40)) >../blob; echo \"data $(stat -c %%s ../blob)\"; "
		    "cat ../blob; echo; done | git fast-import --quiet && "
		    "git symbolic-ref HEAD refs/heads/master");
	return 0;
}

static int teardown(void **state)
{
	space_release(&space);
	return fixture_teardown(state);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc <= 2;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[sizeof(programs) / sizeof(programs[0])];
	size_t n = 0;

	if (argc > 1)
		stops_wanted = (unsigned)atoi(argv[1]);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (is_wanted(programs[i].name, argc, argv))
			tests[n++] = (struct CMUnitTest){programs[i].name, test_program, NULL, NULL,
							 (void *)&programs[i]};
	return _cmocka_run_group_tests("stack_agreement", tests, n, setup, teardown);
}
