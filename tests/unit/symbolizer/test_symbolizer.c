// SPDX-License-Identifier: GPL-2.0-or-later
/* The door of the symbolizer: names for addresses of files in every state files are found in. */
#include <elf.h>
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)
#define _cleanup_sym_ _cleanup_(symbolizer_freep)

static const char source[] =
	"volatile int sink;\n"
	"__attribute__((noinline)) static int hidden(int x) { sink = x; return sink * 3; }\n"
	"__attribute__((noinline)) int shown(int x) { sink = x; return hidden(x) + 1; }\n"
	"int main(int argc, char **argv) { (void)argv; return shown(argc); }\n";

static bool apart; /* everything is tried in this process and in another */

struct got {
	char name[300], raw[300];
	enum sym_reason reason;
	uint64_t elf_va;
	size_t n_frames;
	int calls;
};

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	struct got *g = (struct got *)ctx + index;
	const struct sym_frame *outer = &r->frames[r->n_frames - 1];

	assert_true(r->n_frames >= 1);
	for (size_t i = 0; i < r->n_frames; i++) {
		assert_true(text_is_clean(r->frames[i].name, strlen(r->frames[i].name)));
		assert_true(text_is_clean(r->frames[i].raw_name, strlen(r->frames[i].raw_name)));
	}
	snprintf(g->name, sizeof(g->name), "%s", outer->name);
	snprintf(g->raw, sizeof(g->raw), "%s", outer->raw_name);
	g->reason = r->reason;
	g->elf_va = r->elf_va;
	g->n_frames = r->n_frames;
	g->calls++;
}

static struct symbolizer *new_symbolizer(const char *const *dirs)
{
	struct symbolizer_opts opts = {.names_only = true, .debug_dirs = dirs, .sandbox = apart};
	struct symbolizer *s = NULL;

	assert_int_equal(symbolizer_new(&s, &opts), 0);
	return s;
}

static struct got resolve_va(struct symbolizer *s, const char *name, uint64_t va)
{
	_cleanup_close_ int fd = fixture_open(fixture_at(name));
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(name)};
	struct got g = {{0}};

	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, take, &g), 0);
	assert_int_equal(g.calls, 1);
	return g;
}

static void expect(struct symbolizer *s, const char *name, uint64_t va, const char *want,
		   enum sym_reason reason)
{
	struct got g = resolve_va(s, name, va);

	assert_string_equal(g.name, want);
	assert_string_equal(sym_reason_text(g.reason), sym_reason_text(reason));
	assert_int_equal(g.elf_va, va);
}

static void build_id_of(const char *path, struct build_id *id)
{
	struct elf_obj *obj;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	*id = *elf_obj_build_id(obj);
	elf_obj_free(obj);
}

/* ".build-id/ab/cdef....debug" */
static const char *build_id_path(const char *path)
{
	static char out[128];
	char hex[2 * BUILD_ID_MAX + 1];
	struct build_id id;

	build_id_of(path, &id);
	assert_true(id.len > 2);
	text_hex(id.data, id.len, hex);
	snprintf(out, sizeof(out), ".build-id/%.2s/%s.debug", hex, hex + 2);
	return out;
}

/* prog: as linked; stripped: without .symtab; prog.debug: what was stripped. */
static int setup(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	fixture_write("prog.c", source);
	fixture_run(
		"gcc -O1 -g -Wl,--build-id=sha1 prog.c -o prog && strip -o stripped prog && "
		"objcopy --only-keep-debug prog prog.debug && "
		"gcc -O1 -g -Wl,--build-id=none prog.c -o anon && strip -o anon-stripped anon && "
		"objcopy --only-keep-debug anon anon.debug");
	return 0;
}

/* --- addresses -------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	uint64_t hidden = fixture_nm("prog", "hidden");

	(void)state;
	expect(s, "prog", hidden, "hidden", SYM_OK);
	expect(s, "prog", hidden + 3, "hidden", SYM_OK);
	expect(s, "prog", fixture_nm("prog", "main"), "main", SYM_OK);
	expect(s, "prog", 0x10, "prog+0x10", SYM_NO_SYMBOL);
	expect(s, "prog", UINT64_MAX, "prog+0xffffffffffffffff", SYM_NO_SYMBOL);
}

/* Samples come as file offsets; here they differ from addresses by much. */
static void test_file_offsets(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	_cleanup_close_ int fd = -1;
	struct got g[3] = {{{0}}};
	struct elf_segment seg;
	struct sym_file file;
	uint64_t hidden, off[3] = {0, UINT64_MAX, 0};

	(void)state;
	fixture_run("gcc -O1 -no-pie -Wl,-Ttext-segment=0x40000000 -Wl,-z,separate-code prog.c "
		    "-o shifted");
	hidden = fixture_nm("shifted", "hidden");
	fd = fixture_open("shifted");
	file = (struct sym_file){.fd = fd, .root_fd = -1, .path = "/x/shifted"};
	assert_int_equal(symbolizer_segment(s, &file, hidden, &seg), 0);
	assert_true(seg.exec && hidden - seg.va < seg.mem_len);
	assert_int_equal(symbolizer_segment(s, &file, 0x10, &seg), -ENOENT);
	assert_int_equal(symbolizer_segment(s, &file, hidden, &seg), 0);
	off[0] = hidden - seg.va + seg.file_off;
	off[2] = off[0] + 1;
	assert_int_not_equal(off[0], hidden);
	assert_int_equal(symbolizer_resolve(s, &file, off, 3, take, g), 0);
	assert_string_equal(g[0].name, "hidden");
	assert_int_equal(g[0].elf_va, hidden);
	assert_string_equal(g[1].name, "shifted+0xffffffffffffffff");
	assert_int_equal(g[1].reason, SYM_NO_SYMBOL);
	assert_int_equal(g[1].elf_va, UINT64_MAX);
	assert_string_equal(g[2].name, "hidden");
	assert_int_equal(g[0].calls + g[1].calls + g[2].calls, 3);
}

static void test_function_starts_for_stripped_code(void **state)
{
	static const char *const nowhere[] = {"/nonexistent", NULL};
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(nowhere);
	uint64_t hidden = fixture_nm("prog", "hidden");
	char want[64];

	(void)state;
	snprintf(want, sizeof(want), "stripped+sub_%lx", (unsigned long)hidden);
	expect(s, "stripped", hidden, want, SYM_FDE_START);
	expect(s, "stripped", hidden + 4, want, SYM_FDE_START);
}

static void test_object_files(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	struct elf_obj *obj;
	uint64_t off;
	struct got g = {{0}};
	struct sym_file file;
	_cleanup_close_ int fd = -1;

	(void)state;
	fixture_run("gcc -O1 -c -ffunction-sections prog.c -o prog.o");
	assert_int_equal(elf_obj_open(&obj, fixture_open("prog.o"), NULL), 0);
	off = elf_obj_section(obj, ".text.shown")->file_off + 2;
	elf_obj_free(obj);
	fd = fixture_open("prog.o");
	file = (struct sym_file){.fd = fd, .root_fd = -1, .path = "/lib/modules/prog.o"};
	assert_int_equal(symbolizer_resolve(s, &file, &off, 1, take, &g), 0);
	assert_string_equal(g.name, "shown");
}

/* Every function of a real program, compared with nm. */
static void test_against_nm(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	char line[512], name[300], type;
	unsigned long va, size;
	size_t n = 0;
	FILE *f;

	(void)state;
	fixture_run("gcc -O1 -g -static prog.c -o static");
	f = popen("nm -S static | grep -i ' t ' | awk 'NR % 7 == 0'", "re");
	while (fgets(line, sizeof(line), f)) {
		struct got a, b;

		if (sscanf(line, "%lx %lx %c %299s", &va, &size, &type, name) != 4 || size < 2)
			continue;
		a = resolve_va(s, "static", va);
		b = resolve_va(s, "static", va + size - 1);
		assert_int_equal(a.reason, SYM_OK);
		assert_int_equal(b.reason, SYM_OK);
		/* An alias may be preferred, or another function start inside; both are named. */
		n += !strcmp(a.raw, name) && !strcmp(b.raw, name);
	}
	pclose(f);
	assert_true(n > 100);
}

/* --- debug files ------------------------------------------------------------------------------ */

static void expect_hidden(const char *const *dirs, const char *path, const char *want)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);
	struct got g = resolve_va(s, path, fixture_nm("prog", "hidden"));

	assert_string_equal(g.name, want);
}

static const char *sub_name(const char *module)
{
	static char name[128];

	snprintf(name, sizeof(name), "%s+sub_%lx", module,
		 (unsigned long)fixture_nm("prog", "hidden"));
	return name;
}

static void test_debug_file_by_build_id(void **state)
{
	const char *dirs[] = {"/nonexistent", fixture_at("debug1"), NULL};

	(void)state;
	fixture_run("mkdir -p debug1/$(dirname %s)", build_id_path("prog"));
	expect_hidden(dirs, "stripped", sub_name("stripped"));
	/* The wrong file in the right place is not believed; a FIFO there does not hang us. */
	fixture_run("cp anon.debug debug1/%s", build_id_path("prog"));
	expect_hidden(dirs, "stripped", sub_name("stripped"));
	fixture_run("rm debug1/%s && mkfifo debug1/%s", build_id_path("prog"),
		    build_id_path("prog"));
	expect_hidden(dirs, "stripped", sub_name("stripped"));
	fixture_run("rm debug1/%s && cp prog.debug debug1/%s", build_id_path("prog"),
		    build_id_path("prog"));
	expect_hidden(dirs, "stripped", "hidden");
}

static void test_debug_file_by_link(void **state)
{
	const char *dirs[] = {fixture_at("debug2"), NULL};

	(void)state;
	fixture_run("mkdir -p d/.debug debug2%s/d && cp prog.debug link.debug && "
		    "objcopy --add-gnu-debuglink=link.debug stripped d/linked",
		    fixture_dir);
	expect_hidden(dirs, "d/linked", sub_name("linked"));
	fixture_run("cp prog.debug d/link.debug");
	expect_hidden(dirs, "d/linked", "hidden");
	fixture_run("mv d/link.debug d/.debug/");
	expect_hidden(dirs, "d/linked", "hidden");
	fixture_run("mv d/.debug/link.debug debug2%s/d/", fixture_dir);
	expect_hidden(dirs, "d/linked", "hidden");
	/* Another build of the same program. */
	fixture_run("gcc -O0 -g -Wl,--build-id=sha1 prog.c -o other && "
		    "objcopy --only-keep-debug other debug2%s/d/link.debug",
		    fixture_dir);
	expect_hidden(dirs, "d/linked", sub_name("linked"));
}

/* Without a build id the checksum decides. */
static void test_debug_file_by_crc(void **state)
{
	static const char *const dirs[] = {"/nonexistent", NULL};
	uint64_t hidden = fixture_nm("anon", "hidden");
	struct symbolizer *s = new_symbolizer(dirs);

	(void)state;
	fixture_run("mkdir -p e && cp anon.debug e/ && cd e && "
		    "objcopy --add-gnu-debuglink=anon.debug ../anon-stripped linked");
	expect(s, "e/linked", hidden, "hidden", SYM_OK);
	symbolizer_free(s);
	s = new_symbolizer(dirs);
	fixture_run("cd e && printf x >> anon.debug");
	assert_int_equal(resolve_va(s, "e/linked", hidden).reason, SYM_FDE_START);
	symbolizer_free(s);
}

/* A link that names a path, or the file itself, leads nowhere. */
static void test_debug_links_that_lie(void **state)
{
	static const char *const dirs[] = {"/nonexistent", NULL};

	(void)state;
	fixture_run("mkdir -p g/h && cp prog.debug g/ && cd g && "
		    "(printf '../prog.debug\\0\\0\\0\\0\\0\\0\\0') > link.bin && "
		    "objcopy --add-section .gnu_debuglink=link.bin ../stripped h/up && "
		    "(printf 'self\\0\\0\\0\\0\\0\\0\\0\\0') > link.bin && "
		    "objcopy --add-section .gnu_debuglink=link.bin ../stripped self && "
		    "(printf 'no end') > link.bin && "
		    "objcopy --add-section .gnu_debuglink=link.bin ../stripped endless");
	expect_hidden(dirs, "g/h/up", sub_name("up"));
	expect_hidden(dirs, "g/self", sub_name("self"));
	expect_hidden(dirs, "g/endless", sub_name("endless"));
}

/* The root of the process is searched first, and absolute links in it stay in it. */
static void test_debug_file_in_another_root(void **state)
{
	static const char *const dirs[] = {"/kiln-test-debug", NULL};
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);
	_cleanup_close_ int fd = fixture_open("stripped");
	_cleanup_close_ int root = -1;
	uint64_t hidden = fixture_nm("prog", "hidden");
	struct sym_file file;
	struct got g = {{0}};

	(void)state;
	fixture_run("mkdir -p root/kiln-test-debug/$(dirname %s) root/store && "
		    "cp prog.debug root/store/the.debug && "
		    "ln -s /store/the.debug root/kiln-test-debug/%s",
		    build_id_path("prog"), build_id_path("prog"));
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	file = (struct sym_file){.fd = fd, .root_fd = root, .path = "/bin/stripped"};
	assert_int_equal(symbolizer_resolve_va(s, &file, &hidden, 1, take, &g), 0);
	assert_string_equal(g.name, "hidden");
}

/* Prelink moved the file after its debug file was split off: move the debug file instead. */
static void test_debug_file_with_other_addresses(void **state)
{
	enum { BY = 0x7000000 };
	const char *dirs[] = {fixture_at("debug3"), NULL};
	size_t len;
	uint8_t *data = fixture_read("prog.debug", &len);
	Elf64_Ehdr *eh = (void *)data;
	Elf64_Phdr *ph = (void *)(data + eh->e_phoff);
	Elf64_Shdr *sh = (void *)(data + eh->e_shoff);
	FILE *f;

	(void)state;
	for (int i = 0; i < eh->e_phnum; i++)
		ph[i].p_vaddr += BY;
	for (int i = 0; i < eh->e_shnum; i++) {
		if (sh[i].sh_flags & SHF_ALLOC)
			sh[i].sh_addr += BY;
		for (size_t k = 0; sh[i].sh_type == SHT_SYMTAB && k < sh[i].sh_size / 24; k++)
			((Elf64_Sym *)(data + sh[i].sh_offset))[k].st_value += BY;
	}
	f = fopen("moved.debug", "we");
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	free(data);
	fixture_run("mkdir -p debug3/$(dirname %s) && mv moved.debug debug3/%s",
		    build_id_path("prog"), build_id_path("prog"));
	expect_hidden(dirs, "stripped", "hidden");
}

/* --- what is wrong with files ----------------------------------------------------------------- */

static void test_replaced_file(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	uint64_t hidden = fixture_nm("prog", "hidden");
	_cleanup_close_ int fd = fixture_open("prog");
	struct build_id id;
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = "/usr/bin/prog", .build_id = &id};
	struct file_identity identity;
	struct got g = {{0}};

	(void)state;
	build_id_of("prog", &id);
	id.data[3] ^= 1;
	assert_int_equal(symbolizer_resolve_va(s, &file, &hidden, 1, take, &g), 0);
	assert_int_equal(g.reason, SYM_REPLACED);
	assert_int_equal(strncmp(g.name, "prog+0x", 7), 0);
	id.data[3] ^= 1;
	assert_int_equal(symbolizer_resolve_va(s, &file, &hidden, 1, take, &g), 0);
	assert_int_equal(g.reason, SYM_OK);
	/* Once seen, a known identity is enough: the file may be gone. A build id is not. */
	assert_true(sym_file_identity(&file, &identity));
	file.fd = -1;
	assert_int_equal(symbolizer_resolve_va(s, &file, &hidden, 1, take, &g), 0);
	assert_int_equal(g.reason, SYM_NO_FILE);
	file.identity = &identity;
	assert_int_equal(symbolizer_resolve_va(s, &file, &hidden, 1, take, &g), 0);
	assert_int_equal(g.reason, SYM_OK);
}

static void test_files_of_other_kinds(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	struct sym_file file = {.fd = -1, .root_fd = -1, .path = "/memfd:x\033 (deleted)"};
	uint64_t off = 0x1234;
	struct got g = {{0}};

	(void)state;
	assert_int_equal(symbolizer_resolve(s, &file, &off, 1, take, &g), 0);
	assert_int_equal(g.reason, SYM_NO_FILE);
	assert_int_equal(g.elf_va, off);
	assert_string_equal(g.name, "memfd:x\xef\xbf\xbd (deleted)+0x1234");
	fixture_write("script",
		      "#!/bin/sh\necho this is a script of more than sixty-four bytes in all\n");
	expect(s, "script", 0x10, "script+0x10", SYM_NOT_ELF);
	file.path = NULL;
	assert_int_equal(symbolizer_resolve(s, &file, &off, 1, take, &g), 0);
	assert_string_equal(g.name, "[unknown]+0x1234");
}

static void test_truncated_file(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);

	(void)state;
	fixture_run("head -c 9000 prog > truncated && head -c 100 prog > stump");
	/* The section table is gone: what the program headers lead to is still known. */
	expect(s, "truncated", fixture_nm("prog", "hidden"), sub_name("truncated"), SYM_FDE_START);
	expect(s, "truncated", 0x10, "truncated+0x10", SYM_MALFORMED);
	expect(s, "stump", 0x10, "stump+0x10", SYM_MALFORMED);
}

static void test_limit(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	struct symbolizer_stats stats;

	(void)state;
	fixture_run("head -c 70000000 /dev/zero | xz -0 > bomb.xz && "
		    "objcopy --add-section .gnu_debugdata=bomb.xz anon-stripped bomb");
	expect(s, "bomb", 0x10, "bomb+0x10", SYM_LIMIT);
	symbolizer_stats(s, &stats);
	assert_int_equal(stats.limit_hits, 1);
}

static void test_names_are_cleaned(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	struct got g;

	(void)state;
	fixture_write("evil.s", ".text\n.globl \"f\033[31mred\"\n.type \"f\033[31mred\",@function\n"
				"\"f\033[31mred\": .skip 16\n.size \"f\033[31mred\",16\nend:\n");
	fixture_run("gcc -nostdlib -shared evil.s -o evil.so");
	g = resolve_va(s, "evil.so", fixture_nm("evil.so", "end") - 1);
	assert_string_equal(g.name, "f\xef\xbf\xbd[31mred");
}

static void test_folded_and_raw(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	struct got g;

	(void)state;
	fixture_write("part.s", ".text\n.type _Z3foov.part.0,@function\n_Z3foov.part.0: .skip 16\n"
				".size _Z3foov.part.0,16\nend:\n");
	fixture_run("gcc -nostdlib -shared part.s -o part.so");
	g = resolve_va(s, "part.so", fixture_nm("part.so", "end") - 1);
	assert_string_equal(g.name, "foo()");
	assert_string_equal(g.raw, "_Z3foov.part.0");
}

/* --- cache ------------------------------------------------------------------------------------ */

static void test_cache_by_identity(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	uint64_t hidden = fixture_nm("prog", "hidden"), anon = fixture_nm("anon", "hidden");
	struct symbolizer_stats stats;

	(void)state;
	fixture_run("cp prog prog-copy");
	expect(s, "prog", hidden, "hidden", SYM_OK);
	expect(s, "prog", hidden, "hidden", SYM_OK);
	symbolizer_stats(s, &stats);
	assert_true(stats.files_opened == 1 && stats.cache_hits == 1);
	assert_true(stats.lookups == 2 && stats.bytes && stats.bytes <= stats.bytes_peak);
	/* Another inode of the same build id is another file. So is a file that changed. */
	expect(s, "prog-copy", hidden, "hidden", SYM_OK);
	symbolizer_stats(s, &stats);
	assert_true(stats.files_opened == 2 && stats.bytes == stats.bytes_peak);
	fixture_run("cp anon anon2 && touch -d @1000000000 anon2");
	expect(s, "anon2", anon, "hidden", SYM_OK);
	fixture_run("cat anon-stripped > anon2 && touch -d @1000000001 anon2");
	assert_int_equal(resolve_va(s, "anon2", anon).reason, SYM_FDE_START);
}

static void test_eviction(void **state)
{
	struct symbolizer_opts opts = {.names_only = true, .cache_bytes = 100000, .sandbox = apart};
	_cleanup_sym_ struct symbolizer *s = NULL;
	struct symbolizer_stats stats;

	(void)state;
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	for (int round = 0; round < 3; round++) {
		expect(s, "prog", fixture_nm("prog", "hidden"), "hidden", SYM_OK);
		expect(s, "anon", fixture_nm("anon", "hidden"), "hidden", SYM_OK);
		symbolizer_stats(s, &stats);
		assert_true(stats.bytes <= opts.cache_bytes);
	}
	assert_true(stats.evictions >= 4);
	assert_int_equal(stats.files_opened, 6);
	symbolizer_free(s);
	/* Too small for any file: nothing is kept, everything is right. */
	opts.cache_bytes = 1;
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	expect(s, "prog", fixture_nm("prog", "hidden"), "hidden", SYM_OK);
	expect(s, "prog", fixture_nm("prog", "main"), "main", SYM_OK);
	symbolizer_stats(s, &stats);
	assert_int_equal(stats.bytes, 0);
}

static void test_descriptors_are_given_back(void **state)
{
	const char *dirs[] = {fixture_at("debug1"), NULL};
	int before, after;

	(void)state;
	before = dup(0);
	close(before);
	for (int i = 0; i < 10; i++) {
		_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);

		expect(s, "prog", 0x10, "prog+0x10", SYM_NO_SYMBOL);
		resolve_va(s, "stripped", 0x10);
		expect(s, "stump", 0x10, "stump+0x10", SYM_MALFORMED);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

/* More than one batch: every index is answered once, with its own answer. */
static void test_many_addresses(void **state)
{
	enum { N = 150000 };
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	uint64_t hidden = fixture_nm("prog", "hidden"), main_va = fixture_nm("prog", "main");
	_cleanup_close_ int fd = fixture_open("prog");
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = "prog"};
	_cleanup_free_ uint64_t *va = calloc(N, sizeof(*va));
	_cleanup_free_ struct got *g = calloc(N, sizeof(*g));

	(void)state;
	for (size_t i = 0; i < N; i++)
		va[i] = i % 3 ? i % 3 == 1 ? hidden : main_va : 0x10;
	assert_int_equal(symbolizer_resolve_va(s, &file, va, N, take, g), 0);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(g[i].calls, 1);
		assert_string_equal(g[i].name,
				    i % 3 ? i % 3 == 1 ? "hidden" : "main" : "prog+0x10");
	}
	assert_int_equal(symbolizer_resolve_va(s, &file, va, 0, take, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_file_offsets),
		cmocka_unit_test(test_function_starts_for_stripped_code),
		cmocka_unit_test(test_object_files),
		cmocka_unit_test(test_against_nm),
		cmocka_unit_test(test_debug_file_by_build_id),
		cmocka_unit_test(test_debug_file_by_link),
		cmocka_unit_test(test_debug_file_by_crc),
		cmocka_unit_test(test_debug_links_that_lie),
		cmocka_unit_test(test_debug_file_in_another_root),
		cmocka_unit_test(test_debug_file_with_other_addresses),
		cmocka_unit_test(test_replaced_file),
		cmocka_unit_test(test_files_of_other_kinds),
		cmocka_unit_test(test_truncated_file),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_names_are_cleaned),
		cmocka_unit_test(test_folded_and_raw),
		cmocka_unit_test(test_cache_by_identity),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_descriptors_are_given_back),
		cmocka_unit_test(test_many_addresses),
	};
	int failed = cmocka_run_group_tests_name("here", tests, setup, fixture_teardown);

	apart = true;
	return failed + cmocka_run_group_tests_name("apart", tests, setup, fixture_teardown);
}
