// SPDX-License-Identifier: GPL-2.0-or-later
/* What bad or many files must not do: stop, block, fill memory, or use up descriptors. */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/sanitizer.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(symbolizer, symbolizer_free)
DEFINE_CLEANUP(elf_obj, elf_obj_free)
#define _cleanup_sym_ _cleanup_(symbolizer_freep)
#define _cleanup_elf_ _cleanup_(elf_obj_freep)

#define CACHE_BYTES (64ul << 20)
/* Blocking for ever ends the test. */
#define SECONDS_TO_HANG 60

static char debug_dir[128], place[256]; /* of debug files; of prog's in it */
static bool apart;			/* everything is tried in this process and in another */

static struct got {
	char name[300], file[300];
	enum sym_reason reason;
	size_t n_frames;
} got;

static void take(void *ctx, size_t index, const struct sym_result *r)
{
	(void)ctx;
	(void)index;
	got.reason = r->reason;
	got.n_frames = r->n_frames;
	snprintf(got.name, sizeof(got.name), "%s", r->frames[r->n_frames - 1].name);
	snprintf(got.file, sizeof(got.file), "%s", r->frames[0].file ?: "");
}

static struct symbolizer *new_symbolizer(const char *const *dirs)
{
	struct symbolizer_opts opts = {
		.cache_bytes = CACHE_BYTES, .debug_dirs = dirs, .sandbox = apart};
	struct symbolizer *s = NULL;

	assert_int_equal(symbolizer_new(&s, &opts), 0);
	return s;
}

static void resolve_fd(struct symbolizer *s, int fd, const char *path, uint64_t va)
{
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = path};

	memset(&got, 0, sizeof(got));
	alarm(SECONDS_TO_HANG);
	assert_int_equal(symbolizer_resolve_va(s, &file, &va, 1, take, NULL), 0);
	alarm(0);
	assert_true(got.n_frames >= 1);
}

static void resolve(struct symbolizer *s, const char *name, uint64_t va)
{
	_cleanup_close_ int fd = fixture_open(name);

	resolve_fd(s, fd, fixture_at(name), va);
}

static void expect_reason(enum sym_reason want)
{
	assert_string_equal(sym_reason_text(got.reason), sym_reason_text(want));
}

/* whole; plain and prog, stripped of kept.debug, prog with a link to good.debug; other. */
static int setup(void **state)
{
	int err = fixture_setup(state);
	_cleanup_free_ uint8_t *text = NULL;
	size_t len;

	fixture_write("p.c",
		      "volatile int sink;\n"
		      "__attribute__((noinline)) static int hidden(int x) { return sink * x; }\n"
		      "int main(int argc, char **argv) { (void)argv; return hidden(argc); }\n");
	fixture_run("gcc -g -O1 -Wl,--build-id=sha1 p.c -o whole && "
		    "objcopy --only-keep-debug whole good.debug && cp good.debug kept.debug && "
		    "objcopy --strip-all --add-gnu-debuglink=good.debug whole prog && "
		    "objcopy --strip-all whole plain && "
		    "gcc -g -O2 -Wl,--build-id=sha1 -DX p.c -o other && "
		    "objcopy --only-keep-debug other other.debug && "
		    "id=$(readelf -n whole | sed -n 's/.*Build ID: //p') && "
		    "mkdir -p debug/.build-id/$(echo $id | cut -c1-2) && "
		    "echo debug/.build-id/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-).debug "
		    "> place");
	text = fixture_read("place", &len);
	snprintf(place, sizeof(place), "%.*s", (int)len - 1, (const char *)text);
	snprintf(debug_dir, sizeof(debug_dir), "%s/debug", fixture_dir);
	return err;
}

/* --- debug files that are none ------------------------------------------------------------------ */

static const struct bad_place {
	const char *what, *make; /* a shell command, $p: where a debug file is looked for */
} bad_places[] = {
	{"FIFO", "mkfifo $p"},
	{"device that never ends", "ln -s /dev/zero $p"},
	{"terminal", "ln -s /dev/tty $p"},
	{"socket", "python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX)"
		   ".bind(\"sock\")' && mv sock $p"},
	{"directory", "mkdir $p"},
	{"loop of links", "ln -s $(basename $p) $p"},
	{"two links in a loop", "ln -s $(basename $p)2 $p && ln -s $(basename $p) ${p}2"},
	{"link to nowhere", "ln -s /nonexistent/file $p"},
	{"empty file", ": > $p"},
	{"text", "echo not an ELF file at all > $p"},
	{"ELF header only", "head -c 64 kept.debug > $p"},
	{"debug file of another build", "cp other.debug $p"},
	{"the stripped file itself", "cp prog $p"},
	{"hole of a terabyte", "truncate -s 1T $p"},
	{"ELF header before a hole", "head -c 64 kept.debug > $p && truncate -s 1T $p"},
	{"unreadable file", "cp kept.debug $p && chmod 0 $p"},
};

/* Whatever is there, the function is named by what the program itself has, and nothing blocks. */
static void check_bad_place(const struct bad_place *bad, const char *at, const char *prog)
{
	const char *dirs[] = {debug_dir, NULL};
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);

	fixture_run("p=%s; rm -rf $p ${p}2; %s", at, bad->make);
	resolve(s, prog, fixture_nm("whole", "hidden"));
	fixture_run("p=%s; rm -rf $p ${p}2", at);
	/* Root reads what is not readable. */
	if (strstr(bad->what, "unreadable") && got.reason == SYM_OK)
		return;
	if (got.reason != SYM_FDE_START)
		fail_msg("%s at %s: %s", bad->what, at, sym_reason_text(got.reason));
}

static void test_places_of_debug_files(void **state)
{
	const char *dirs[] = {debug_dir, NULL};
	_cleanup_sym_ struct symbolizer *s = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_places) / sizeof(*bad_places); i++)
		check_bad_place(&bad_places[i], place, "plain");
	fixture_run("cp kept.debug %s", place);
	s = new_symbolizer(dirs);
	resolve(s, "plain", fixture_nm("whole", "hidden"));
	assert_string_equal(got.name, "hidden");
	assert_non_null(strstr(got.file, "p.c"));
	fixture_run("rm %s", place);
}

static void check_good_link(void)
{
	const char *dirs[] = {debug_dir, NULL};
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);

	resolve(s, "prog", fixture_nm("whole", "hidden"));
	assert_string_equal(got.name, "hidden");
}

static void test_places_of_debug_links(void **state)
{
	(void)state;
	fixture_run("rm good.debug && mkdir .debug");
	for (size_t i = 0; i < sizeof(bad_places) / sizeof(*bad_places); i++) {
		check_bad_place(&bad_places[i], "good.debug", "prog");
		check_bad_place(&bad_places[i], ".debug/good.debug", "prog");
	}
	/* A link that leads to the file itself, under another name. */
	fixture_run("ln prog good.debug");
	check_bad_place(&bad_places[0], ".debug/good.debug", "prog");
	fixture_run("cp kept.debug good.debug");
	check_good_link();
}

static void test_directories(void **state)
{
	const char *dirs[] = {fixture_at("p.c"),
			      "/proc/self/mem",
			      "/nonexistent",
			      "relative",
			      "",
			      fixture_at("loop"),
			      NULL};
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);

	(void)state;
	fixture_run("ln -s loop loop");
	resolve(s, "plain", fixture_nm("whole", "hidden"));
	expect_reason(SYM_FDE_START);
}

/* --- files that change -------------------------------------------------------------------------- */

/* Cut short after its tables were read: names are read when they are asked for. */
static void test_file_cut_while_in_use(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	uint64_t main_va = fixture_nm("whole", "main"), hidden = fixture_nm("whole", "hidden");
	_cleanup_close_ int fd = -1;

	(void)state;
	fixture_run("cp whole cut");
	fd = open("cut", O_RDWR | O_CLOEXEC);
	resolve_fd(s, fd, "/cut", main_va);
	assert_string_equal(got.name, "main");
	for (long size = 20000; size >= 0; size -= 500) {
		assert_int_equal(ftruncate(fd, size), 0);
		resolve_fd(s, fd, "/cut", hidden);
	}
	assert_true(got.reason != SYM_OK || !strcmp(got.name, "hidden"));
}

/* Overwritten in place with another program: the old answers or none, and the new ones by its key. */
static void test_file_overwritten_while_in_use(void **state)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	_cleanup_elf_ struct elf_obj *obj = NULL;
	uint64_t main_va = fixture_nm("whole", "main");
	_cleanup_close_ int fd = -1;
	struct sym_file file = {.root_fd = -1, .path = "/over"};

	(void)state;
	fixture_run("cp whole over");
	assert_int_equal(elf_obj_open(&obj, fixture_open("whole"), NULL), 0);
	file.build_id = elf_obj_build_id(obj);
	fd = open("over", O_RDWR | O_CLOEXEC);
	resolve_fd(s, fd, "/over", main_va);
	assert_string_equal(got.name, "main");
	fixture_run("head -c 30000 /dev/urandom | dd of=over conv=notrunc status=none");
	resolve_fd(s, fd, "/over", fixture_nm("whole", "hidden"));
	fixture_run("dd if=other of=over conv=notrunc status=none");
	symbolizer_free(s);
	s = new_symbolizer(NULL);
	file.fd = fd;
	assert_int_equal(symbolizer_resolve_va(s, &file, &main_va, 1, take, NULL), 0);
	expect_reason(SYM_REPLACED);
}

/* --- bombs -------------------------------------------------------------------------------------- */

/* An object with one compressed section: `bomb` bytes of payload, which claim to be 2 GiB. */
static void write_bomb(const char *payload, const char *section, uint32_t codec, uint64_t inflated)
{
	struct bomb {
		Elf64_Ehdr eh;
		Elf64_Phdr ph;
		Elf64_Shdr sh[3];
		char names[32];
		Elf64_Chdr ch;
	} f = {.eh = {.e_ident = ELFMAG "\2\1\1",
		      .e_type = ET_DYN,
		      .e_machine = EM_X86_64,
		      .e_phoff = sizeof(Elf64_Ehdr),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 1,
		      .e_shoff = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
		      .e_shstrndx = 2,
		      .e_shnum = 3,
		      .e_shentsize = sizeof(Elf64_Shdr)},
	       .ph = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 64, .p_memsz = 4096}};
	_cleanup_free_ uint8_t *data = NULL;
	size_t len, head = sizeof(f) - (codec ? 0 : sizeof(f.ch));
	FILE *out = fopen("bomb", "we");

	data = fixture_read(payload, &len);
	f.sh[1] = (Elf64_Shdr){.sh_name = 1,
			       .sh_type = SHT_PROGBITS,
			       .sh_flags = codec ? SHF_COMPRESSED : 0,
			       .sh_offset = offsetof(struct bomb, ch),
			       .sh_size = len + (codec ? sizeof(f.ch) : 0)};
	f.sh[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
			       .sh_size = sizeof(f.names),
			       .sh_offset = offsetof(struct bomb, names)};
	memcpy(f.names + 1, section, strlen(section));
	f.ch = (Elf64_Chdr){.ch_type = codec, .ch_size = inflated};
	assert_int_equal(fwrite(&f, 1, head, out), head);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static long peak_kb(void)
{
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmHWM: %ld", &kb);
	fclose(f);
	return kb;
}

static void check_bomb(const char *payload, const char *section, uint32_t codec, uint64_t inflated,
		       enum sym_reason want)
{
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(NULL);
	struct symbolizer_stats stats;
	struct stat st;

	write_bomb(payload, section, codec, inflated);
	assert_int_equal(stat("bomb", &st), 0);
	assert_true(st.st_size < 3 << 20);
	resolve(s, "bomb", 0x10);
	expect_reason(want);
	symbolizer_stats(s, &stats);
	assert_true(want != SYM_LIMIT || stats.limit_hits > 0);
	assert_true(stats.bytes_peak < CACHE_BYTES);
}

/* 2 GiB of zeros in 2 MB, as zlib, zstd and xz make them. */
static void test_bombs(void **state)
{
	static const char *const sections[] = {".debug_info",	".debug_str",	  ".debug_line",
					       ".debug_abbrev", ".debug_aranges", ".symtab"};
	const uint64_t size = 2ull << 30;
	long before;

	(void)state;
	/* Flushed fully, a compressed MiB is whole bytes and knows nothing of what was before. */
	fixture_run(
		"python3 -c \"\n"
		"import zlib,struct\n"
		"c=zlib.compressobj(9); head=c.compress(bytes(1<<20))+c.flush(zlib.Z_FULL_FLUSH)\n"
		"part=c.compress(bytes(1<<20))+c.flush(zlib.Z_FULL_FLUSH)\n"
		"n=2048<<20\n"
		"end=b'\\\\3\\\\0'+struct.pack('>I',(n%%65521)<<16|1)\n"
		"open('zeros.z','wb').write(head+part*2047+end)\n\"");
	fixture_run("head -c 1M /dev/zero | zstd -q > mib.zst && "
		    "for i in $(seq 2048); do cat mib.zst; done > zeros.zst && "
		    "head -c 100M /dev/zero | xz -0 > zeros.xz");
	before = peak_kb();
	check_bomb("zeros.z", ".debug_info", ELFCOMPRESS_ZLIB, size, SYM_LIMIT);
	check_bomb("zeros.zst", ".debug_info", 2, size, SYM_LIMIT);
	check_bomb("zeros.xz", ".gnu_debugdata", 0, 0, SYM_LIMIT);
	/* Claiming less than there is: as much as that is looked at. */
	check_bomb("zeros.z", ".debug_info", ELFCOMPRESS_ZLIB, 16 << 20, SYM_NO_SYMBOL);
	check_bomb("zeros.z", ".debug_info", ELFCOMPRESS_ZLIB, UINT64_MAX, SYM_LIMIT);
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		check_bomb("zeros.zst", sections[i], 2, 15 << 20, SYM_NO_SYMBOL);
#if SANITIZED /* freed memory is kept for a while, and has a shadow */
	(void)before;
#else
	assert_true(peak_kb() - before < 160 << 10);
#endif
}

/* --- many files --------------------------------------------------------------------------------- */

static long resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) >> 10);
}

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Another file of the same contents but for the build id. */
static int nth_file(const uint8_t *data, size_t len, size_t id_off, uint32_t n)
{
	int fd = memfd_create("nth", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, data, len), 0);
	assert_int_equal(pwrite(fd, &n, sizeof(n), (off_t)id_off), sizeof(n));
	return fd;
}

static void test_ten_thousand_files(void **state)
{
	enum { FILES = 10000, WARM = 2000 };
	const char *dirs[] = {NULL};
	_cleanup_sym_ struct symbolizer *s = new_symbolizer(dirs);
	_cleanup_free_ uint8_t *data = NULL;
	_cleanup_elf_ struct elf_obj *obj = NULL;
	uint64_t hidden = fixture_nm("whole", "hidden");
	long resident = 0, bytes = 0;
	struct symbolizer_stats stats;
	const uint8_t *id;
	size_t len;
	int fds = 0;

	(void)state;
	data = fixture_read("whole", &len);
	assert_int_equal(elf_obj_open(&obj, fixture_open("whole"), NULL), 0);
	id = memmem(data, len, elf_obj_build_id(obj)->data, elf_obj_build_id(obj)->len);
	assert_non_null(id);
	for (uint32_t i = 0; i < FILES; i++) {
		_cleanup_close_ int fd = nth_file(data, len, (size_t)(id - data), i);

		resolve_fd(s, fd, "/nth", hidden);
		assert_string_equal(got.name, "hidden");
		assert_non_null(strstr(got.file, "p.c"));
		if (i + 1 != WARM && i + 1 != FILES)
			continue;
		symbolizer_stats(s, &stats);
		if (i + 1 == FILES) {
			assert_int_equal(open_fds(), fds);
			assert_true(labs((long)stats.bytes - bytes) < 64 << 10);
		}
		resident = i + 1 == WARM ? resident_kb() : resident;
		bytes = (long)stats.bytes;
		fds = open_fds();
	}
	assert_int_equal(stats.files_opened, FILES);
	assert_true(stats.bytes_peak < CACHE_BYTES);
#if SANITIZED /* freed memory is kept for a while, and has a shadow */
	resident = LONG_MAX / 2;
#endif
	if (resident_kb() - resident > 1024)
		fail_msg("resident memory grew from %ld to %ld KiB", resident, resident_kb());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_of_debug_files),
		cmocka_unit_test(test_places_of_debug_links),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_file_cut_while_in_use),
		cmocka_unit_test(test_file_overwritten_while_in_use),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_ten_thousand_files),
	};
	int failed = cmocka_run_group_tests_name("here", tests, setup, fixture_teardown);

	apart = true;
	return failed + cmocka_run_group_tests_name("apart", tests, setup, fixture_teardown);
}
