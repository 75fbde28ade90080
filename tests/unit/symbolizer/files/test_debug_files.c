// SPDX-License-Identifier: GPL-2.0-or-later
/* Where dwz's common files, split units and packages are found. (Debug files: test_symbolizer.c.) */
#include <elf.h>
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/files/debug_files.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/files/rooted.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
#define _cleanup_elf_ _cleanup_(elf_obj_freep)

static const char *dirs[] = {NULL, NULL}; /* "<fixtures>/debug" */
static char prog_path[256];		  /* "<fixtures>/bin/prog" */
static struct build_id alt_id;

static struct elf_obj *open_obj(const char *path)
{
	struct elf_obj *obj = NULL;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	return obj;
}

/* bin/prog, alt (with a build id of its own), and links to alt in different words. */
static int setup(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	static char debug[256];
	int err = fixture_setup(state);
	FILE *f;

	if (err)
		return err;
	snprintf(debug, sizeof(debug), "%s/debug", fixture_dir);
	snprintf(prog_path, sizeof(prog_path), "%s/bin/prog", fixture_dir);
	dirs[0] = debug;
	fixture_write("a.c", "int x; int main(void) { return x; }\n");
	fixture_write("b.c", "int y = 3; int main(void) { return y; }\n");
	fixture_run("mkdir -p bin debug && gcc -Wl,--build-id=sha1 a.c -o bin/prog && "
		    "gcc -Wl,--build-id=sha1 b.c -o alt");
	obj = open_obj("alt");
	alt_id = *elf_obj_build_id(obj);
	f = fopen("id", "we");
	fwrite(alt_id.data, 1, alt_id.len, f);
	return fclose(f);
}

static void link_alt(const char *name)
{
	fixture_run("(printf '%s\\0'; cat id) > link && "
		    "objcopy --add-section .gnu_debugaltlink=link bin/prog linked",
		    name);
}

static int open_alt(const struct debug_search *s)
{
	_cleanup_elf_ struct elf_obj *debug = open_obj("linked"), *alt = NULL,
				     *want = open_obj("alt");
	int err = debug_altfile_open(&alt, debug, s);

	if (!err)
		assert_memory_equal(elf_obj_build_id(alt), elf_obj_build_id(want),
				    sizeof(struct build_id));
	return err;
}

static void test_altlink_by_name(void **state)
{
	struct debug_search s = {.root_fd = -1, .path = prog_path, .dirs = dirs};
	char name[256];

	(void)state;
	snprintf(name, sizeof(name), "%s/alt", fixture_dir);
	link_alt(name);
	assert_int_equal(open_alt(&s), 0);
	link_alt("../alt"); /* from where the file is */
	assert_int_equal(open_alt(&s), 0);
	link_alt("bin/prog");
	assert_int_equal(open_alt(&s), -ENOENT);
	snprintf(name, sizeof(name), "%s/bin/prog", fixture_dir); /* there, but another build id */
	link_alt(name);
	assert_int_equal(open_alt(&s), -ENOENT);
}

static void test_altlink_by_build_id(void **state)
{
	struct debug_search s = {.root_fd = -1, .path = prog_path, .dirs = dirs};
	char hex[2 * BUILD_ID_MAX + 1];

	(void)state;
	link_alt("/nonexistent");
	assert_int_equal(open_alt(&s), -ENOENT);
	text_hex(alt_id.data, alt_id.len, hex);
	fixture_run("mkdir -p debug/.build-id/%.2s && cp alt debug/.build-id/%.2s/%s.debug", hex,
		    hex, hex + 2);
	assert_int_equal(open_alt(&s), 0);
}

static void test_malformed_altlinks(void **state)
{
	struct debug_search s = {.root_fd = -1, .path = prog_path, .dirs = dirs};

	(void)state;
	fixture_run("printf 'no end' > link && "
		    "objcopy --add-section .gnu_debugaltlink=link bin/prog linked");
	assert_int_equal(open_alt(&s), -ENOENT);
	fixture_run("(printf '/x\\0'; head -c 33 /dev/zero) > link && "
		    "objcopy --add-section .gnu_debugaltlink=link bin/prog linked");
	assert_int_equal(open_alt(&s), -ENOENT);
	fixture_run("printf '/x\\0' > link && "
		    "objcopy --add-section .gnu_debugaltlink=link bin/prog linked");
	assert_int_equal(open_alt(&s), -ENOENT);
	fixture_run("cp bin/prog linked");
	assert_int_equal(open_alt(&s), -ENOENT);
}

/* What patchelf makes of a program: its first segment begins earlier, and its code lies where it did. */
static void grow_first_segment(const char *path, const char *from)
{
	_cleanup_free_ uint8_t *data = NULL;
	Elf64_Phdr *ph;
	size_t len;
	FILE *f;

	data = fixture_read(from, &len);
	ph = (Elf64_Phdr *)(data + ((Elf64_Ehdr *)data)->e_phoff);
	while (ph->p_type != PT_LOAD)
		ph++;
	ph->p_vaddr -= 0x1000;
	ph->p_filesz += 0x1000;
	ph->p_memsz += 0x1000;
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void test_bias(void **state)
{
	_cleanup_elf_ struct elf_obj *prog = NULL, *debug = NULL, *patched = NULL, *moved = NULL;

	(void)state;
	fixture_run("gcc -no-pie a.c -o fixed && objcopy --only-keep-debug fixed fixed.debug && "
		    "gcc -no-pie -Wl,-Ttext-segment=0x800000 a.c -o moved");
	grow_first_segment("patched", "fixed");
	prog = open_obj("fixed");
	debug = open_obj("fixed.debug");
	patched = open_obj("patched");
	moved = open_obj("moved");
	assert_int_equal(debug_file_bias(prog, debug), 0);
	assert_int_equal(debug_file_bias(patched, debug), 0);
	assert_int_equal(debug_file_bias(moved, debug), 0x400000);
}

static int open_dwo(const struct debug_search *s, const char *name, const char *comp_dir)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;

	return debug_dwo_open(&obj, s, name, comp_dir);
}

static void test_dwo(void **state)
{
	struct debug_search s = {.root_fd = -1, .path = prog_path, .dirs = dirs};
	char path[256];

	(void)state;
	fixture_run("mkdir -p build/sub && gcc -c a.c -o build/sub/a.dwo && "
		    "cp build/sub/a.dwo bin/b.dwo && echo text > build/sub/c.dwo && "
		    "mkfifo build/sub/d.dwo");
	snprintf(path, sizeof(path), "%s/build", fixture_dir);
	assert_int_equal(open_dwo(&s, "sub/a.dwo", path), 0);
	assert_int_equal(open_dwo(&s, "sub/a.dwo", NULL), -ENOENT);
	assert_int_equal(open_dwo(&s, "sub/a.dwo", "/nonexistent"), -ENOENT);
	/* Moved next to the file. */
	assert_int_equal(open_dwo(&s, "sub/b.dwo", "/nonexistent"), 0);
	assert_int_equal(open_dwo(&s, "/gone/b.dwo", NULL), 0);
	assert_int_equal(open_dwo(&s, "sub/c.dwo", path), -ENOENT);
	assert_int_equal(open_dwo(&s, "sub/d.dwo", path), -ENOENT);
	snprintf(path, sizeof(path), "%s/build/sub/a.dwo", fixture_dir);
	assert_int_equal(open_dwo(&s, path, "/whatever"), 0);
}

static void test_dwp(void **state)
{
	struct debug_search s = {.root_fd = -1, .path = prog_path, .dirs = dirs};
	_cleanup_elf_ struct elf_obj *obj = NULL;

	(void)state;
	assert_int_equal(debug_dwp_open(&obj, &s), -ENOENT);
	fixture_run("gcc -c a.c -o bin/prog.dwp");
	assert_int_equal(debug_dwp_open(&obj, &s), 0);
	s.path = NULL;
	assert_int_equal(debug_dwp_open(&obj, &s), -ENOENT);
}

/* "..", absolute links and magic links do not lead out of a root. */
static void test_rooted_open(void **state)
{
	_cleanup_close_ int root = -1, host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	(void)state;
	fixture_run("mkdir -p root/sub && echo in > root/secret && echo out > secret && "
		    "ln -s /secret root/sub/link && ln -s ../../../secret root/sub/up && "
		    "ln -s /proc/self/root/etc/passwd root/magic && mkfifo root/fifo && "
		    "ln -s %s/secret root/absolute",
		    fixture_dir);
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 4; i++) {
		static const char *const paths[] = {"/sub/link", "sub/up", "../secret", "/secret"};
		char text[8] = "";

		fd = rooted_open(root, paths[i]);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof(text)), 3);
		assert_string_equal(text, "in\n");
		close(fd);
	}
	assert_int_equal(rooted_open(root, "absolute"), -ENOENT);
	assert_int_equal(rooted_open(root, "magic"), -ENOENT);
	assert_int_equal(rooted_open(root, "fifo"), -EINVAL);
	assert_int_equal(rooted_open(root, "sub"), -EINVAL);
	/* a link of procfs leads to a file without a path, whatever root it is in */
	assert_int_equal(rooted_open(host, "/proc/self/exe"), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_altlink_by_name),
		cmocka_unit_test(test_altlink_by_build_id),
		cmocka_unit_test(test_malformed_altlinks),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_dwo),
		cmocka_unit_test(test_dwp),
		cmocka_unit_test(test_rooted_open),
	};

	return cmocka_run_group_tests_name("debug_files", tests, setup, fixture_teardown);
}
