// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbolizer/lines/line_table.h against symbolizer/dwarf/dwarf.h: every address of programs built here (from
 * tests/fixtures/dwarf), of the C library if its debug file is there; and damaged tables.
 */
#include "tests/lib/fixture.h"
#include "tests/lib/line_seal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/lines/line_table.h"

#define LLVM "/usr/lib/llvm-19/bin/"

static char source_dir[PATH_MAX];

/* --- asking both ---------------------------------------------------------------------------------- */

struct answers {
	char **text; /* one string an address */
	size_t n, deep;
};

static void take(void *ctx, size_t index, const struct dwarf_frame *f, size_t n,
		 enum dwarf_reason reason)
{
	struct answers *a = ctx;
	struct buf b = {0};

	assert_in_range(index, 0, a->n - 1);
	assert_null(a->text[index]); /* once per address */
	assert_int_equal(reason, n ? DWARF_OK : DWARF_NO_UNIT);
	a->deep += n > 1;
	for (size_t i = 0; i < n; i++) {
		const char *name =
			f[i].linkage_name && *f[i].linkage_name ? f[i].linkage_name : f[i].name;

		buf_printf(&b, "%s %s:%u from %u\n", name ?: "-", f[i].file ?: "(none)", f[i].line,
			   f[i].start_line);
	}
	buf_cstr(&b);
	a->text[index] = buf_take(&b);
}

static struct answers answers_for(size_t n)
{
	struct answers a = {calloc(n, sizeof(char *)), n, 0};

	assert_non_null(a.text);
	return a;
}

static void answers_free(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->text[i]);
	free(a->text);
}

struct program {
	struct elf_obj *obj, *alt, *dwp;
	struct dwarf *d;
};

static struct elf_obj *open_elf(const char *path)
{
	struct elf_obj *obj;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	return obj;
}

static struct elf_obj *open_dwo(void *ctx, const char *name, const char *comp_dir, uint64_t dwo_id)
{
	char path[PATH_MAX];

	(void)ctx;
	(void)dwo_id;
	snprintf(path, sizeof(path), "%s/%s", comp_dir ?: "", name);
	return access(path, R_OK) ? NULL : open_elf(path);
}

static void program_open(struct program *p, const char *path)
{
	struct dwarf_opts opts = {.open_dwo = open_dwo};

	p->obj = open_elf(path);
	p->alt = access("alt", R_OK) ? NULL : open_elf("alt");
	p->dwp = access("prog.dwp", R_OK) ? NULL : open_elf("prog.dwp");
	assert_int_equal(dwarf_new(&p->d, p->obj, p->alt, p->dwp, &opts), 0);
}

static void program_close(struct program *p)
{
	dwarf_free(p->d);
	elf_obj_free(p->obj);
	elf_obj_free(p->alt);
	elf_obj_free(p->dwp);
}

/* Every n-th address of .text, and of a little around it. */
static uint64_t *addresses(const struct elf_obj *obj, size_t step, size_t *n)
{
	const struct elf_section *text = elf_obj_section(obj, ".text");
	uint64_t *va;

	assert_non_null(text);
	*n = (text->size + 128) / step;
	va = calloc(*n, sizeof(*va));
	assert_non_null(va);
	for (size_t i = 0; i < *n; i++)
		va[i] = text->va - 64 + i * step;
	return va;
}

static struct line_source source_of(const struct elf_obj *obj)
{
	struct line_source s = {.build_id = *elf_obj_build_id(obj), .size = 4711, .bias = 42};

	assert_in_range(s.build_id.len, 8, BUILD_ID_MAX);
	return s;
}

static int new_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static struct line_table *build_table(struct program *p, const char *path)
{
	struct line_source source = source_of(p->obj);
	struct line_table *t;
	int fd = new_file(path);

	assert_int_equal(line_table_build(p->d, &source, fd, NULL), 0);
	assert_int_equal(line_table_open(&t, fd, &source.build_id), 0);
	assert_memory_equal(&line_table_source(t)->build_id, &source.build_id,
			    sizeof(source.build_id));
	assert_int_equal(line_table_source(t)->size, 4711);
	assert_int_equal(line_table_source(t)->bias, 42);
	close(fd);
	return t;
}

struct permuted {
	const size_t *order;
	struct answers answers;
};

static void take_permuted(void *ctx, size_t index, const struct dwarf_frame *f, size_t n,
			  enum dwarf_reason reason)
{
	struct permuted *p = ctx;

	take(&p->answers, p->order[index], f, n, reason);
}

static int by_hash(const void *pa, const void *pb)
{
	uint64_t a = hash_u64(*(const size_t *)pa + 1), b = hash_u64(*(const size_t *)pb + 1);

	return (a > b) - (a < b);
}

/* A look-up goes on from where the last one was: what it says must not depend on that one. */
static void check_order(struct line_table *t, const uint64_t *va, const struct answers *want,
			const size_t *order)
{
	struct permuted p = {order, answers_for(want->n)};
	uint64_t *asked = calloc(want->n, sizeof(*asked));
	size_t done;

	assert_non_null(asked);
	for (size_t i = 0; i < want->n; i++)
		asked[i] = va[order[i]];
	assert_int_equal(line_table_resolve(t, asked, want->n, take_permuted, &p, &done), 0);
	for (size_t i = 0; i < want->n; i++)
		assert_string_equal(p.answers.text[i], want->text[i]);
	answers_free(&p.answers);
	free(asked);
}

static void check_orders(struct line_table *t, const uint64_t *va, const struct answers *want)
{
	size_t *order = calloc(want->n, sizeof(*order));

	assert_non_null(order);
	for (size_t i = 0; i < want->n; i++)
		order[i] = want->n - 1 - i;
	check_order(t, va, want, order);
	qsort(order, want->n, sizeof(*order), by_hash);
	check_order(t, va, want, order);
	free(order);
}

/* Both give the same, for all addresses. */
static void check_program(const char *name, const char *path, size_t step)
{
	struct program p;
	struct answers dwarf, table;
	struct line_table *t;
	size_t n, done, known = 0;
	uint64_t *va;

	program_open(&p, path);
	va = addresses(p.obj, step, &n);
	dwarf = answers_for(n);
	table = answers_for(n);
	t = build_table(&p, "lines");
	assert_int_equal(dwarf_resolve(p.d, va, n, take, &dwarf), 0);
	assert_int_equal(line_table_resolve(t, va, n, take, &table, &done), 0);
	assert_int_equal(done, n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(dwarf.text[i], table.text[i]))
			fail_msg("%s: %#" PRIx64 "\ndwarf:\n%stable:\n%s", name, va[i],
				 dwarf.text[i], table.text[i]);
		known += dwarf.text[i][0] != 0;
	}
	check_orders(t, va, &table);
	assert_true(known > n / 4);
	print_message("%-60s %7zu addresses, %7zu known, %7zu inlined\n", name, n, known,
		      dwarf.deep);
	answers_free(&dwarf);
	answers_free(&table);
	line_table_free(t);
	program_close(&p);
	free(va);
}

/* --- programs ------------------------------------------------------------------------------------- */

static const char *const programs[] = {
#define CC_LINE(cc, flags) cc " -Wl,--build-id " flags " -o prog $S/one.cc $S/two.cc"
	CC_LINE("g++", "-g -O0 -gdwarf-4"),
	CC_LINE("g++", "-g -O3 -gdwarf-4"),
	CC_LINE("g++", "-g -O0 -gdwarf-5"),
	CC_LINE("g++", "-g -O2 -gdwarf-5"),
	CC_LINE("g++", "-g1 -O2"),
	CC_LINE("g++", "-g -O2 -gdwarf-2"),
	CC_LINE("g++", "-g -O2 -flto"),
	CC_LINE("g++", "-g -O2 -ffunction-sections -Wl,--gc-sections"),
	CC_LINE("clang++", "-g -O0 -gdwarf-4"),
	CC_LINE("clang++", "-g -O2 -gdwarf-4"),
	CC_LINE("clang++", "-g -O0 -gdwarf-5"),
	CC_LINE("clang++", "-g -O3 -gdwarf-5"),
	"g++ -Wl,--build-id -g -O2 -o prog $S/stl.cc",
	"clang++ -Wl,--build-id -g -O2 -o prog $S/stl.cc",
	"gcc -Wl,--build-id -shared -fPIC -g -O2 -o prog $S/four.c",
	"g++ -g -O2 -c $S/one.cc && clang++ -g -O2 -c $S/two.cc && "
	"g++ -Wl,--build-id -o prog one.o two.o",
	"g++ -g -O2 -gsplit-dwarf -gdwarf-5 -c $S/one.cc $S/two.cc && "
	"g++ -Wl,--build-id -o prog one.o two.o",
	"clang++ -g -O2 -gsplit-dwarf -gdwarf-4 -c $S/one.cc $S/two.cc && "
	"clang++ -Wl,--build-id -o prog one.o two.o && " LLVM
	"llvm-dwp -e prog -o prog.dwp && rm one.dwo two.dwo",
	"g++ -Wl,--build-id -g -O2 -o plain $S/one.cc $S/two.cc && "
	"cp plain prog && cp plain other && dwz -m alt prog other",
	"g++ -Wl,--build-id -g -O2 -o plain $S/one.cc $S/two.cc && "
	"objcopy --only-keep-debug plain prog",
};

static void make_program(const char *build)
{
	fixture_run("rm -rf ./* && S=%s && { %s; } 2>build.log || { cat build.log; false; }",
		    source_dir, build);
}

static void test_programs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		make_program(programs[i]);
		check_program(programs[i], "prog", 1);
	}
}

static void test_c_library(void **state)
{
	char path[PATH_MAX] = "";
	FILE *f = popen(
		"readelf -n $(gcc -print-file-name=libc.so.6) | sed -n "
		"'s|.*Build ID: \\(..\\)|/usr/lib/debug/.build-id/\\1/|p' | sed 's/$/.debug/'",
		"re");

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(path, sizeof(path), f));
	pclose(f);
	path[strcspn(path, "\n")] = 0;
	if (access(path, R_OK)) {
		print_message("left out: package libc6-dbg is not installed\n");
		skip();
	}
	fixture_run("rm -rf ./*");
	check_program("libc6-dbg", path, 7);
}

/* --- what cannot be built --------------------------------------------------------------------------- */

static void check_not_built(struct program *p, const struct line_limits *limits, int want)
{
	struct line_source source = source_of(p->obj);
	struct line_table *t;
	int fd = new_file("lines");

	assert_int_equal(line_table_build(p->d, &source, fd, limits), want);
	assert_int_equal(line_table_open(&t, fd, &source.build_id), -ENOENT);
	close(fd);
}

static void test_limits(void **state)
{
	struct line_limits no_time = {.cpu_ns = 1}, no_memory = {.bytes = 1};
	struct program p;

	(void)state;
	make_program(programs[1]);
	program_open(&p, "prog");
	check_not_built(&p, &no_time, -ETIME);
	check_not_built(&p, &no_memory, -EFBIG);
	program_close(&p);
}

/* A table without them would hide the split units when they come back. */
static void test_missing_units(void **state)
{
	struct program p;

	(void)state;
	make_program("g++ -g -O2 -gsplit-dwarf -c $S/one.cc $S/two.cc && "
		     "g++ -Wl,--build-id -o prog one.o two.o && rm two.dwo");
	program_open(&p, "prog");
	check_not_built(&p, NULL, -ENOENT);
	program_close(&p);
}

/* The file system takes only so much: whatever was written, there is no table. */
static void test_short_writes(void **state)
{
	struct rlimit old, less;
	struct program p;
	size_t len;

	(void)state;
	make_program(programs[1]);
	program_open(&p, "prog");
	line_table_free(build_table(&p, "lines"));
	free(fixture_read("lines", &len));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	for (size_t i = 0; i < 16; i++) {
		less = (struct rlimit){i * len / 16, old.rlim_max};
		setrlimit(RLIMIT_FSIZE, &less);
		check_not_built(&p, NULL, -EFBIG);
		setrlimit(RLIMIT_FSIZE, &old);
	}
	signal(SIGXFSZ, SIG_DFL);
	program_close(&p);
}

static void test_refusal(void **state)
{
	struct line_source source = {.build_id = {.data = {1, 2, 3}, .len = 3}};
	int fd = new_file("refused");
	struct line_table *t;

	(void)state;
	assert_int_equal(line_table_refuse(&source, fd, -EFBIG), 0);
	assert_int_equal(line_table_open(&t, fd, &source.build_id), -ENODATA);
	source.build_id.data[0]++;
	assert_int_equal(line_table_open(&t, fd, &source.build_id), -EBADMSG);
	close(fd);
}

/* --- damage ----------------------------------------------------------------------------------------- */

struct damaged {
	uint8_t *data;
	size_t len;
	struct build_id id;
	uint64_t *va;
	struct answers want;
};

static void damaged_setup(struct damaged *x)
{
	struct program p;
	size_t n;

	make_program("g++ -Wl,--build-id -g -O2 -o prog $S/stl.cc");
	program_open(&p, "prog");
	line_table_free(build_table(&p, "lines"));
	x->data = fixture_read("lines", &x->len);
	x->id = *elf_obj_build_id(p.obj);
	x->va = addresses(p.obj, 2, &n);
	x->want = answers_for(n);
	assert_int_equal(dwarf_resolve(p.d, x->va, n, take, &x->want), 0);
	program_close(&p);
}

static void damaged_release(struct damaged *x)
{
	answers_free(&x->want);
	free(x->data);
	free(x->va);
}

static int open_bytes(struct damaged *x, size_t len, struct line_table **t)
{
	int fd = new_file("damaged"), err;

	assert_int_equal(write(fd, x->data, len), len);
	err = line_table_open(t, fd, &x->id);
	close(fd);
	return err;
}

static void test_damaged_header(void **state)
{
	struct line_table *t;
	struct damaged x;

	(void)state;
	damaged_setup(&x);
	for (size_t bit = 0; bit < 8 * sizeof(struct line_header); bit++) {
		int err;

		x.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		err = open_bytes(&x, x.len, &t);
		x.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit < 64)
			assert_int_equal(err, -ENOENT);
		else if (bit < 96)
			assert_int_equal(err, -EPROTO);
		else
			assert_int_equal(err, -EBADMSG);
	}
	for (size_t len = 0; len < x.len; len += 1 + x.len / 64) /* cut short */
		assert_int_equal(open_bytes(&x, len, &t),
				 len < sizeof(struct line_header) ? -ENOENT : -EBADMSG);
	assert_int_equal(open_bytes(&x, x.len, &t), 0);
	line_table_free(t);
	x.id.data[3]++;
	assert_int_equal(open_bytes(&x, x.len, &t), -EBADMSG);
	damaged_release(&x);
}

/* Answers are right up to where damage shows. True if it showed. */
static bool check_damaged(struct damaged *x)
{
	struct answers got = answers_for(x->want.n);
	struct line_table *t;
	size_t done = 0;
	int err = open_bytes(x, x->len, &t);

	if (!err) {
		err = line_table_resolve(t, x->va, x->want.n, take, &got, &done);
		for (size_t i = 0; i < x->want.n; i++) {
			assert_int_equal(got.text[i] != NULL, i < done);
			if (i < done)
				assert_string_equal(got.text[i], x->want.text[i]);
		}
		if (err)
			assert_int_equal(line_table_resolve(t, x->va, 1, take, &got, &done),
					 -EBADMSG);
		line_table_free(t);
	}
	assert_true(!err || err == -EBADMSG);
	answers_free(&got);
	return err;
}

/* One bit in every chunk, and many at random places. */
static void test_damaged_contents(void **state)
{
	struct damaged x;
	size_t shown = 0, tries = 0;

	(void)state;
	damaged_setup(&x);
	assert_true(x.len > 8 * LINE_CHUNK);
	for (size_t i = 0; i < 200 || i < x.len / LINE_CHUNK; i++) {
		size_t chunks = x.len / LINE_CHUNK, at = hash_u64(i) % LINE_CHUNK;

		at += LINE_CHUNK + i % chunks * LINE_CHUNK;
		if (at >= x.len)
			continue;
		tries++;
		x.data[at] ^= (uint8_t)(1u << i % 8);
		shown += check_damaged(&x);
		x.data[at] ^= (uint8_t)(1u << i % 8);
	}
	assert_int_equal(shown, tries); /* every chunk is used by some address */
	assert_false(check_damaged(&x));
	damaged_release(&x);
}

static void ignore(void *ctx, size_t index, const struct dwarf_frame *f, size_t n,
		   enum dwarf_reason reason)
{
	size_t *chars = ctx;

	(void)index;
	(void)reason;
	assert_in_range(n, 0, 256);
	for (size_t i = 0; i < n; i++)
		*chars += strlen(f[i].name ?: "") + strlen(f[i].file ?: "");
}

/* Checksums that are right do not make contents right. */
static void test_hostile(void **state)
{
	size_t chars = 0, done, opened = 0;
	struct line_table *t;
	struct damaged x;
	uint8_t *good;

	(void)state;
	damaged_setup(&x);
	good = malloc(x.len);
	memcpy(good, x.data, x.len);
	for (uint64_t seed = 0; seed < 400; seed++) {
		for (uint64_t i = 0; i <= seed % 32; i++) {
			uint64_t r = hash_u64(seed * 64 + i), from = seed % 4 ? LINE_CHUNK : 24;

			/* the header's lengths too, and more often the small sections at the end */
			if (seed % 4 == 3)
				from = x.len / 8 * 7;
			x.data[from + r % (x.len - from)] = (uint8_t)(r >> 56);
		}
		line_seal(x.data, x.len);
		if (!open_bytes(&x, x.len, &t)) {
			opened++;
			line_table_resolve(t, x.va, x.want.n, ignore, &chars, &done);
			line_table_free(t);
		}
		memcpy(x.data, good, x.len);
	}
	assert_true(opened > 200);
	free(good);
	damaged_release(&x);
}

static int setup(void **state)
{
	const char *dir = getcwd(source_dir, sizeof(source_dir) - 32);

	return dir ? (strcat(source_dir, "/tests/fixtures/dwarf"), fixture_setup(state)) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),       cmocka_unit_test(test_c_library),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_missing_units),
		cmocka_unit_test(test_short_writes),   cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_damaged_header), cmocka_unit_test(test_damaged_contents),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
