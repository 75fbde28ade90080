// SPDX-License-Identifier: GPL-2.0-or-later
/* Debug files of a kernel and its modules, in a tree made up for it: which are believed, and where in
 * them an address of the running kernel is. */
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/naming/kernel_debug.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(kernel_debug, kernel_debug_free)
#define _cleanup_kernel_ _cleanup_(kernel_debug_freep)

#define RELEASE "6.6.6-test"
#define MOVED	0x12000000ull /* what KASLR did to this kernel */
#define LOADED	0xffffffffc0400000ull

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_write("k.c", "int x;\n"
			     "static inline int in_it(int a)\n"
			     "{\n"
			     "	return a * x;\n"
			     "}\n"
			     "int do_it(int a)\n"
			     "{\n"
			     "	return in_it(a) + 1;\n"
			     "}\n"
			     "__attribute__((section(\".init.text\"))) int at_start(int a)\n"
			     "{\n"
			     "	return in_it(a) - 1;\n"
			     "}\n");
	fixture_run("gcc -g -O2 -fno-pic -c k.c && objcopy --rename-section .init.text=.text k.o "
		    "v.o && "
		    "ld -o vmlinux -Ttext=0xffffffff81000000 -e do_it --build-id=sha1 v.o && "
		    "ld -o other -Ttext=0xffffffff81000000 -e do_it --build-id=md5 v.o && "
		    "ld -r --build-id=sha1 -o whole.ko k.o && "
		    "objcopy -O binary --only-section=.note.gnu.build-id vmlinux notes && "
		    "objcopy -O binary --only-section=.note.gnu.build-id whole.ko mod.notes");
	return 0;
}

/* A root with nothing but what the running kernel says of itself. */
static void fresh_tree(void)
{
	fixture_run(
		"rm -rf root && mkdir -p root/sys/kernel root/usr/lib/debug/boot "
		"root/usr/lib/debug/lib/modules/" RELEASE "/kernel/a "
		"root/lib/modules/" RELEASE "/build root/lib/modules/" RELEASE "/kernel/a "
		"root/boot root/sys/module/snd_thing/notes root/sys/module/snd_thing/sections && "
		"(printf '\\4\\0\\0\\0\\6\\0\\0\\0\\1\\0\\0\\0Xen\\0kernel\\0\\0'; cat notes) "
		">root/sys/kernel/notes && "
		"cp mod.notes root/sys/module/snd_thing/notes/.note.gnu.build-id && "
		"echo 0x%llx >root/sys/module/snd_thing/sections/.text && "
		"echo 0x%llx >root/sys/module/snd_thing/sections/.init.text && "
		"printf 'kernel/a/thing.ko: kernel/b.ko\\nkernel/a/snd-thing.ko.xz: "
		"kernel/a/thing.ko\\n' "
		">root/lib/modules/" RELEASE "/modules.dep",
		LOADED, LOADED + 0x8000);
}

static struct kernel_debug *open_debug(uint64_t stext)
{
	struct kernel_debug_opts opts = {
		.root = fixture_at("root"), .release = RELEASE, .stext = stext};
	struct kernel_debug *k;

	assert_int_equal(kernel_debug_new(&k, &opts), 0);
	return k;
}

static bool is_found(uint64_t stext, const char *module)
{
	_cleanup_kernel_ struct kernel_debug *k = open_debug(stext);
	const struct kernel_file *f;
	int err = kernel_debug_file(k, module, &f);

	if (err)
		assert_int_equal(err, -ENOENT);
	assert_int_equal(kernel_debug_file(k, module, &f), err); /* and remembered */
	return !err;
}

struct said {
	char text[256];
};

static void on_result(void *ctx, size_t index, const struct sym_result *r)
{
	struct said *s = ctx;
	int n = 0;

	(void)index;
	for (size_t i = 0; i < r->n_frames; i++)
		n += snprintf(s->text + n, sizeof(s->text) - (size_t)n, "%s:%u;", r->frames[i].name,
			      r->frames[i].line);
}

/* What the symbolizer finds there. */
static const char *resolve(const struct kernel_file *f, uint64_t addr)
{
	struct symbolizer_opts opts = {0};
	struct sym_file file = {.fd = kernel_file_fd(f),
				.root_fd = -1,
				.path = kernel_file_path(f),
				.build_id = kernel_file_build_id(f)};
	static struct said said;
	struct symbolizer *s;
	uint64_t va;

	said.text[0] = '\0';
	if (!kernel_file_va(f, addr, &va))
		return "not in it";
	assert_int_equal(symbolizer_new(&s, &opts), 0);
	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, on_result, &said), 0);
	symbolizer_free(s);
	return said.text;
}

/* It is parsed with privileges, so nobody else may have written it. */
static void test_only_of_root(void **state)
{
	static const char at[] = "root/usr/lib/debug/boot/vmlinux-" RELEASE;
	const uint64_t stext = 0xffffffff81000000;

	(void)state;
	fresh_tree();
	fixture_run("install -m 644 vmlinux %s", at);
	assert_true(is_found(stext, ""));
	fixture_run("chmod 664 %s", at);
	assert_false(is_found(stext, ""));
	fixture_run("chmod 646 %s", at);
	assert_false(is_found(stext, ""));
	if (getuid())
		return;
	fixture_run("chmod 644 %s; chown 4242 %s", at, at);
	assert_false(is_found(stext, ""));
}

static void test_kernel_moved_by_kaslr(void **state)
{
	uint64_t stext = 0xffffffff81000000 + MOVED, do_it = fixture_nm("vmlinux", "do_it") + MOVED;
	const struct kernel_file *f;
	uint64_t va;

	(void)state;
	fresh_tree();
	fixture_run("cp vmlinux root/usr/lib/debug/boot/vmlinux-" RELEASE);
	{
		_cleanup_kernel_ struct kernel_debug *k = open_debug(stext);

		assert_int_equal(kernel_debug_file(k, "", &f), 0);
		assert_true(kernel_file_va(f, do_it, &va) && va == do_it - MOVED);
		assert_string_equal(resolve(f, do_it), "in_it:4;do_it:8;");
		assert_false(kernel_file_va(f, do_it - MOVED, &va));
		assert_false(kernel_file_va(f, LOADED, &va));
		assert_false(kernel_file_va(f, 0, &va));
	}
}

static void test_places_of_the_kernel(void **state)
{
	static const char *const places[] = {
		"usr/lib/debug/boot/vmlinux-" RELEASE,
		"usr/lib/debug/boot/vmlinux-" RELEASE ".debug",
		"usr/lib/debug/lib/modules/" RELEASE "/vmlinux",
		"lib/modules/" RELEASE "/build/vmlinux",
		"boot/vmlinux-" RELEASE,
	};
	uint64_t stext = 0xffffffff81000000;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		fresh_tree();
		assert_false(is_found(stext, ""));
		fixture_run("cp other root/%s", places[i]); /* of another build */
		assert_false(is_found(stext, ""));
		fixture_run("strip -o root/%s vmlinux", places[i]); /* without lines */
		assert_false(is_found(stext, ""));
		fixture_run("rm root/%s && mkfifo root/%s", places[i], places[i]);
		assert_false(is_found(stext, ""));
		fixture_run("rm root/%s && cp vmlinux root/%s", places[i], places[i]);
		assert_true(is_found(stext, ""));
		assert_false(is_found(0, "")); /* kptr_restrict */
		fixture_run("rm root/sys/kernel/notes");
		assert_false(is_found(stext, ""));
	}
	fresh_tree();
	fixture_run("id=$(readelf -n vmlinux | sed -n 's/.*Build ID: //p') && "
		    "d=root/usr/lib/debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $d && "
		    "cp vmlinux $d/$(echo $id | cut -c3-).debug");
	assert_true(is_found(stext, ""));
}

static void test_notes_that_lie(void **state)
{
	(void)state;
	fresh_tree();
	fixture_run("cp vmlinux root/boot/vmlinux-" RELEASE);
	for (int len = 0; len < 20 + 4 + 12 + 20; len++) {
		fixture_run("head -c %d notes >root/sys/kernel/notes", len);
		assert_int_equal(is_found(1, ""), len >= 12 + 4 + 20);
	}
	fixture_run("head -c 60000 /dev/zero >root/sys/kernel/notes");
	assert_false(is_found(1, ""));
	fixture_run("printf '\\377\\377\\377\\377\\377\\377\\377\\377\\3\\0\\0\\0GNU' "
		    ">root/sys/kernel/notes");
	assert_false(is_found(1, ""));
}

static void check_module(void)
{
	_cleanup_kernel_ struct kernel_debug *k = open_debug(1);
	const struct kernel_file *f;
	uint64_t va;

	assert_int_equal(kernel_debug_file(k, "snd_thing", &f), 0);
	assert_string_equal(resolve(f, LOADED + fixture_nm("whole.ko", "do_it")),
			    "in_it:4;do_it:8;");
	assert_string_equal(resolve(f, LOADED + 0x8000), "in_it:4;at_start:12;");
	assert_false(kernel_file_va(f, LOADED + 0x4000, &va));
	assert_false(kernel_file_va(f, LOADED - 1, &va));
}

static void test_places_of_modules(void **state)
{
	static const char *const places[] = {
		"usr/lib/debug/lib/modules/" RELEASE "/kernel/a/snd-thing.ko.debug",
		"usr/lib/debug/lib/modules/" RELEASE "/kernel/a/snd-thing.ko",
		"lib/modules/" RELEASE "/kernel/a/snd-thing.ko",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		fresh_tree();
		assert_false(is_found(1, "snd_thing"));
		fixture_run("cp whole.ko root/%s", places[i]);
		check_module();
		fixture_run("objcopy --only-keep-debug whole.ko root/%s", places[i]);
		check_module();
		assert_false(is_found(1, "thing")); /* not of a file that ends like it */
		fixture_run("cp notes root/sys/module/snd_thing/notes/.note.gnu.build-id");
		assert_false(is_found(1, "snd_thing"));
	}
}

static void test_module_that_hides(void **state)
{
	(void)state;
	fresh_tree();
	fixture_run("cp whole.ko root/lib/modules/" RELEASE "/kernel/a/snd-thing.ko");
	assert_true(is_found(1, "snd_thing"));
	assert_false(is_found(1, "../module/snd_thing"));
	assert_false(is_found(1, ".."));
	/* Who may not read addresses reads zeros. */
	fixture_run("echo 0x0000000000000000 >root/sys/module/snd_thing/sections/.text; "
		    "rm root/sys/module/snd_thing/sections/.init.text");
	assert_false(is_found(1, "snd_thing"));
	fixture_run("rm root/sys/module/snd_thing/sections/.text");
	assert_false(is_found(1, "snd_thing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_of_root),
		cmocka_unit_test(test_kernel_moved_by_kaslr),
		cmocka_unit_test(test_places_of_the_kernel),
		cmocka_unit_test(test_notes_that_lie),
		cmocka_unit_test(test_places_of_modules),
		cmocka_unit_test(test_module_that_hides),
	};

	return cmocka_run_group_tests_name("kernel_debug", tests, setup, fixture_teardown);
}
