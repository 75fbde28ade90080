// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files with 1 to 40 bytes changed in their headers, debug and symbol sections: no crash, no hang, no
 * more memory than allowed. MUTANTS=2000 tries that many (the default is 400); mutant i of a subject
 * is always the same one.
 *
 *   test_corruption write FILE I OUT     writes mutant I of FILE, for other tools to try
 *   test_corruption subjects             builds the subjects in the current directory
 */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/sanitizer.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

#define MUTANTS_DEFAULT 400
#define ADDRESSES	100
#define BATCH		20 /* mutants of one child */
/* Of processor time. What hangs takes any number; machines that run tests differ by ten. */
#define SECONDS_MAX 10.0
#define CACHE_BYTES (64ul << 20)
/* The largest unit of the subjects with all that is made of it, and what the process has anyway. */
#define UNIT_BYTES (32ul << 20)
#if SANITIZED /* freed memory is kept for a while, and has a shadow */
#define RSS_MAX SIZE_MAX
#else
#define RSS_MAX (CACHE_BYTES + UNIT_BYTES + (64ul << 20))
#endif

static const char *const subjects[] = {"libc", "gcc", "clang", "gcc.zlib", "gcc.zstd"};

#define N_SUBJECTS (sizeof(subjects) / sizeof(*subjects))

/* --- mutants ------------------------------------------------------------------------------------ */

struct change {
	uint64_t off;
	uint8_t old, new;
};

struct subject {
	uint8_t *data;
	size_t len;
	struct elf_obj *obj;
	uint64_t va[ADDRESSES];
};

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

static bool is_target(const struct elf_section *sec)
{
	static const char *const prefixes[] = {".debug", ".zdebug", ".symtab",	 ".strtab",
					       ".dynsy", ".dynstr", ".eh_frame", ".gnu_debug"};

	if (sec->type == SHT_NOBITS || !sec->size)
		return false;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (text_has_prefix(sec->name, prefixes[i]))
			return true;
	return false;
}

/* A place in the headers (one in eight), or in a section, half of the time near its start. */
static uint64_t pick_place(const struct subject *s, uint64_t *random)
{
	Elf64_Ehdr eh;
	size_t count = elf_obj_section_count(s->obj);

	memcpy(&eh, s->data, sizeof(eh));
	switch (next_random(random) % 16) {
	case 0:
		return 16 + next_random(random) % (sizeof(eh) + 8 * sizeof(Elf64_Phdr) - 16);
	case 1:
		return eh.e_shoff + next_random(random) % (count * sizeof(Elf64_Shdr));
	}
	for (;;) {
		const struct elf_section *sec =
			elf_obj_section_by_index(s->obj, next_random(random) % count);
		uint64_t span = next_random(random) % 2 && sec->size > 64 ? 64 : sec->size;

		if (is_target(sec))
			return sec->file_off + next_random(random) % span;
	}
}

static size_t mutant(const struct subject *s, unsigned number, struct change change[40])
{
	uint64_t random = 0x9e3779b97f4a7c15ull * (number + 1);
	size_t n = 1 + next_random(&random) % 40;

	for (size_t i = 0; i < n; i++) {
		change[i].off = pick_place(s, &random);
		change[i].old = s->data[change[i].off];
		change[i].new = (uint8_t)next_random(&random);
	}
	return n;
}

static void load_subject(struct subject *s, const char *path)
{
	const struct elf_section *text;

	s->data = fixture_read(path, &s->len);
	assert_int_equal(elf_obj_open_bytes(&s->obj, s->data, s->len, NULL), 0);
	text = elf_obj_section(s->obj, ".text");
	assert_non_null(text);
	for (size_t i = 0; i < ADDRESSES; i++)
		s->va[i] = text->va + text->size * i / ADDRESSES;
}

static void release_subject(struct subject *s)
{
	elf_obj_free(s->obj);
	free(s->data);
}

static int write_mutant(const char *path, unsigned number, const char *out)
{
	struct change change[40];
	struct subject s;
	FILE *f = fopen(out, "we");
	size_t n;

	load_subject(&s, path);
	n = mutant(&s, number, change);
	for (size_t i = 0; i < n; i++)
		s.data[change[i].off] = change[i].new;
	if (!f || fwrite(s.data, 1, s.len, f) != s.len || fclose(f))
		return 1;
	release_subject(&s);
	return 0;
}

/* --- trying them -------------------------------------------------------------------------------- */

struct tally { /* shared with the children */
	unsigned current, answered, named, slow, fat;
	double slowest;
	size_t bytes_peak;
};

static void count(void *ctx, size_t index, const struct sym_result *r)
{
	struct tally *t = ctx;

	(void)index;
	t->answered++;
	t->named += r->reason == SYM_OK;
	for (size_t i = 0; i < r->n_frames; i++)
		if (!text_is_clean(r->frames[i].name, strlen(r->frames[i].name)))
			abort();
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void try_file(struct tally *t, const struct subject *s, int fd)
{
	struct symbolizer_opts opts = {.cache_bytes = CACHE_BYTES};
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = "/mutant"};
	struct symbolizer_stats stats;
	struct symbolizer *sym;
	double before = cpu_seconds(), took;

	alarm(60);
	if (symbolizer_new(&sym, &opts) ||
	    symbolizer_resolve_va(sym, &file, s->va, ADDRESSES, count, t))
		abort();
	symbolizer_stats(sym, &stats);
	symbolizer_free(sym);
	took = cpu_seconds() - before;
	t->slowest = took > t->slowest ? took : t->slowest;
	t->slow += took > SECONDS_MAX;
	t->bytes_peak = stats.bytes_peak > t->bytes_peak ? stats.bytes_peak : t->bytes_peak;
}

static void put(int fd, const struct change *c, size_t n, bool new)
{
	for (size_t i = 0; i < n; i++) {
		const struct change *x = &c[new ? i : n - 1 - i];

		if (pwrite(fd, new ? &x->new : &x->old, 1, (off_t)x->off) != 1)
			abort();
	}
}

/* In a child: mutants [from, to) of a copy that is changed and changed back. */
static void try_batch(struct tally *t, const struct subject *s, unsigned from, unsigned to)
{
	int fd = memfd_create("mutant", MFD_CLOEXEC);
	struct rusage usage;
	struct change change[40];

	if (fd < 0 || io_write(fd, s->data, s->len))
		abort();
	for (unsigned i = from; i < to; i++) {
		size_t n = mutant(s, i, change);

		t->current = i;
		put(fd, change, n, true);
		try_file(t, s, fd);
		put(fd, change, n, false);
	}
	getrusage(RUSAGE_SELF, &usage);
	t->fat += (size_t)usage.ru_maxrss * 1024 > RSS_MAX;
}

/* Mutants [0, n), a child for each batch. Returns how many were deadly. */
static unsigned try_all(struct tally *t, const struct subject *s, const char *name, unsigned n)
{
	unsigned deaths = 0, next = 0;

	while (next < n) {
		unsigned end = next + BATCH < n ? next + BATCH : n;
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			try_batch(t, s, next, end);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		next = end;
		if (status) {
			print_message("mutant %u of %s: status %#x\n", t->current, name, status);
			deaths++;
			next = t->current + 1;
		}
	}
	return deaths;
}

static void check_subject(const char *name, unsigned n)
{
	struct tally *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct subject s;
	unsigned deaths;

	assert_ptr_not_equal(t, MAP_FAILED);
	load_subject(&s, name);
	deaths = try_all(t, &s, name, n);
	print_message("%s: %u mutants, %u died, %u slow (slowest %.2f s), %u fat (%zu KiB parsed), "
		      "%u of %u addresses named\n",
		      name, n, deaths, t->slow, t->slowest, t->fat, t->bytes_peak >> 10, t->named,
		      t->answered);
	assert_int_equal(deaths, 0);
	assert_int_equal(t->slow, 0);
	assert_int_equal(t->fat, 0);
	assert_in_range(t->bytes_peak, 1, CACHE_BYTES + UNIT_BYTES);
	assert_int_equal(t->answered, n * ADDRESSES);
	/* Most damage is local: were everything refused, nothing would be tested. */
	assert_true(t->named > t->answered / 10);
	release_subject(&s);
	munmap(t, sizeof(*t));
}

/* --- subjects ----------------------------------------------------------------------------------- */

/* C++ with calls inlined many levels deep, and the C library's own debug file, which is compressed. */
static void build_subjects(void)
{
	fixture_write("deep.cc",
		      "#include <algorithm>\n#include <map>\n#include <string>\n#include <vector>\n"
		      "#include <functional>\n"
		      "template <int N> struct deep { static int f(const std::string &s) {\n"
		      "  return deep<N - 1>::f(s) + (int)s.find((char)N); } };\n"
		      "template <> struct deep<0> { static int f(const std::string &s) {\n"
		      "  return (int)s.size(); } };\n"
		      "int table(const std::vector<std::string> &v) {\n"
		      "  std::map<std::string, std::function<int(int)>> m;\n"
		      "  for (auto &s : v) m[s] = [&](int x) { return x + deep<40>::f(s); };\n"
		      "  std::vector<int> out;\n"
		      "  for (auto &p : m) out.push_back(p.second((int)p.first.size()));\n"
		      "  std::sort(out.begin(), out.end(), [](int a, int b) { return b < a; });\n"
		      "  return out.empty() ? 0 : out[0]; }\n"
		      "int main(int argc, char **argv) {\n"
		      "  return table(std::vector<std::string>(argv, argv + argc)); }\n");
	fixture_run("g++ -g -O2 -o gcc deep.cc && clang++ -g -O2 -o clang deep.cc && "
		    "objcopy --compress-debug-sections=zlib gcc gcc.zlib && "
		    "objcopy --compress-debug-sections=zstd gcc gcc.zstd && "
		    "id=$(readelf -n /lib/*-linux-gnu/libc.so.6 | sed -n 's/.*Build ID: //p') && "
		    "cp /usr/lib/debug/.build-id/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-)"
		    ".debug libc && chmod u+w libc");
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	build_subjects();
	return err;
}

static void test_mutants(void **state)
{
	const char *wanted = getenv("MUTANTS");
	unsigned n = wanted ? (unsigned)atoi(wanted) : MUTANTS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < N_SUBJECTS; i++)
		check_subject(subjects[i], n / N_SUBJECTS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutants)};

	if (argc == 5 && !strcmp(argv[1], "write"))
		return write_mutant(argv[2], (unsigned)atoi(argv[3]), argv[4]);
	if (argc == 2 && !strcmp(argv[1], "subjects")) {
		build_subjects();
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
