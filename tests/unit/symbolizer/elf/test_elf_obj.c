// SPDX-License-Identifier: GPL-2.0-or-later
/* elf_obj against readelf and objcopy, and against files made to hurt it. */
#include <elf.h>
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/elf/elf_obj.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
#define _cleanup_elf_ _cleanup_(elf_obj_freep)

static const char source[] =
	"static int table[64];\n"
	"__attribute__((noinline)) int alpha(int x) { return table[x & 63] + x; }\n"
	"__attribute__((noinline)) int beta(int x) { return alpha(x) * 3; }\n"
	"int main(int argc, char **argv) { (void)argv; return beta(argc); }\n";

static void build(const char *name, const char *flags)
{
	fixture_write("a.c", source);
	fixture_run("gcc -O1 -g %s a.c -o %s", flags, name);
}

static struct elf_obj *open_obj(const char *path)
{
	struct elf_obj *obj = NULL;

	assert_int_equal(elf_obj_open(&obj, fixture_open(path), NULL), 0);
	return obj;
}

static int open_error(const char *path)
{
	struct elf_obj *obj = (void *)1;
	int err = elf_obj_open(&obj, fixture_open(path), NULL);

	assert_ptr_equal(obj, (void *)1);
	return err;
}

static void check_sections(struct elf_obj *obj, unsigned least)
{
	FILE *f = popen(
		"readelf -SW plain | sed -n 's/^ *\\[ *\\([0-9]*\\)\\] \\(\\.[^ ]*\\) *[A-Z_]* "
		"*\\([0-9a-f]*\\) \\([0-9a-f]*\\) \\([0-9a-f]*\\) .*/\\1 \\2 \\3 \\4 \\5/p'",
		"re");
	unsigned long va, off, size;
	char line[512], name[128];
	unsigned index, n = 0;

	for (; fgets(line, sizeof(line), f); n++) {
		const struct elf_section *sec;

		assert_int_equal(
			sscanf(line, "%u %127s %lx %lx %lx", &index, name, &va, &off, &size), 5);
		sec = elf_obj_section_by_index(obj, index);
		assert_non_null(sec);
		assert_string_equal(sec->name, name);
		assert_ptr_equal(elf_obj_section(obj, name), sec);
		assert_int_equal(sec->va, va);
		assert_int_equal(sec->file_off, off);
		assert_int_equal(sec->size, size);
	}
	pclose(f);
	assert_true(n >= least);
	assert_int_equal(elf_obj_section_count(obj), n + 1);
	assert_null(elf_obj_section_by_index(obj, n + 1));
	assert_null(elf_obj_section(obj, ".nosuch"));
}

static void check_segments(struct elf_obj *obj, unsigned least)
{
	FILE *f = popen("readelf -lW plain | awk '$1==\"LOAD\"{print $2,$3,$5,$6}'", "re");
	unsigned long va, off, size, filesz;
	char line[512];
	size_t n, n_segs = 0;

	for (n = 0; fgets(line, sizeof(line), f); n++) {
		const struct elf_segment *seg = elf_obj_segments(obj, &n_segs);

		assert_true(n < n_segs);
		assert_int_equal(sscanf(line, "%lx %lx %lx %lx", &off, &va, &filesz, &size), 4);
		assert_int_equal(seg[n].va, va);
		assert_int_equal(seg[n].file_off, off);
		assert_int_equal(seg[n].file_len, filesz);
		assert_int_equal(seg[n].mem_len, size);
	}
	pclose(f);
	assert_true(n >= least);
	assert_int_equal(n, n_segs);
}

static void test_headers_match_readelf(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	char line[512], hex[2 * BUILD_ID_MAX + 1];
	FILE *f;

	(void)state;
	build("plain", "-Wl,--build-id");
	obj = open_obj("plain");
	assert_int_equal(elf_obj_type(obj), ET_DYN);
	check_sections(obj, 20);
	check_segments(obj, 3);
	f = popen("readelf -n plain | sed -n 's/.*Build ID: //p'", "re");
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	text_hex(elf_obj_build_id(obj)->data, elf_obj_build_id(obj)->len, hex);
	line[strcspn(line, "\n")] = 0;
	assert_string_equal(hex, line);
	assert_non_null(elf_obj_eh_frame_hdr(obj));
	assert_int_equal(elf_obj_eh_frame_hdr(obj)->va, elf_obj_section(obj, ".eh_frame_hdr")->va);
	assert_false(elf_obj_truncated(obj));
}

static void test_segment_lookup(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	const struct elf_section *text;
	const struct elf_segment *seg;

	(void)state;
	/* File offsets and addresses differ by much, and the text is not at the front. */
	build("shifted", "-no-pie -Wl,-Ttext-segment=0x40000000 -Wl,-z,separate-code");
	obj = open_obj("shifted");
	assert_int_equal(elf_obj_type(obj), ET_EXEC);
	text = elf_obj_section(obj, ".text");
	seg = elf_obj_segment_at_va(obj, text->va);
	assert_non_null(seg);
	assert_true(seg->exec);
	assert_int_equal(text->va - seg->va, text->file_off - seg->file_off);
	assert_ptr_equal(elf_obj_segment_at_off(obj, text->file_off), seg);
	assert_null(elf_obj_segment_at_va(obj, 0x1000));
	assert_null(elf_obj_segment_at_va(obj, UINT64_MAX));
	assert_null(elf_obj_segment_at_off(obj, UINT64_MAX));
	assert_null(elf_obj_segment_at_va(obj, seg->va + seg->mem_len));
}

static void test_exec_segment_wins_for_shared_offset(void **state)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		uint8_t rest[64];
	} f = {
		.eh = {.e_ident = ELFMAG "\2\1\1",
		       .e_type = ET_DYN,
		       .e_machine = EM_AARCH64,
		       .e_phoff = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2},
		/* Out of order, too: lookups must not rely on the file's word. */
		.ph = {{.p_type = PT_LOAD,
			.p_flags = PF_R,
			.p_vaddr = 0x20000,
			.p_filesz = 200,
			.p_memsz = 200},
		       {.p_type = PT_LOAD,
			.p_flags = PF_X,
			.p_vaddr = 0x10000,
			.p_filesz = 200,
			.p_memsz = 300}},
	};
	_cleanup_elf_ struct elf_obj *obj = NULL;
	size_t n;

	(void)state;
	assert_int_equal(elf_obj_open_bytes(&obj, &f, sizeof(f), NULL), 0);
	assert_int_equal(elf_obj_machine(obj), EM_AARCH64);
	assert_int_equal(elf_obj_segment_at_off(obj, 100)->va, 0x10000);
	assert_int_equal(elf_obj_segments(obj, &n)[0].va, 0x10000);
	assert_int_equal(n, 2);
	assert_int_equal(elf_obj_segment_at_va(obj, 0x10000 + 250)->va, 0x10000);
	assert_int_equal(elf_obj_build_id(obj)->len, 0);
	assert_int_equal(elf_obj_section_count(obj), 0);
	elf_obj_free(steal_ptr(obj));
	f.ph[0].p_memsz = UINT64_MAX;
	assert_int_equal(elf_obj_open_bytes(&obj, &f, sizeof(f), NULL), -EBADMSG);
	f.ph[0].p_memsz = 200;
	f.eh.e_phoff = sizeof(f) - 8;
	assert_int_equal(elf_obj_open_bytes(&obj, &f, sizeof(f), NULL), -EBADMSG);
}

/* objcopy -O binary is the oracle for the bytes of a section. */
static void check_same_contents(const char *path, const char *want_path)
{
	static const char *const names[] = {".debug_info", ".debug_line", ".debug_str",
					    ".debug_abbrev"};
	_cleanup_elf_ struct elf_obj *obj = open_obj(path);
	size_t total = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct elf_section *sec = elf_obj_section(obj, names[i]);
		_cleanup_free_ uint8_t *raw = NULL;
		const uint8_t *data;
		size_t len, raw_len;

		assert_non_null(sec);
		assert_int_equal(elf_obj_data(obj, sec, &data, &len), 0);
		fixture_run(
			"objcopy -O binary --only-section=%s --set-section-flags %s=alloc %s s.bin",
			names[i], names[i], want_path);
		raw = fixture_read("s.bin", &raw_len);
		assert_int_equal(len, raw_len);
		assert_memory_equal(data, raw, len);
		assert_int_equal(data[len], 0);
		total += len;
		assert_int_equal(elf_obj_bytes(obj), total);
	}
	elf_obj_drop(obj, elf_obj_section(obj, ".debug_info"));
	assert_true(elf_obj_bytes(obj) < total);
}

static void test_contents_plain_and_compressed(void **state)
{
	static const char *const kinds[] = {"zlib-gnu", "zlib-gabi"};

	(void)state;
	build("plain", "");
	check_same_contents("plain", "plain");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		fixture_run("objcopy --compress-debug-sections=%s plain packed", kinds[i]);
		check_same_contents("packed", "plain");
	}
}

/* An ELF file with one compressed section, whose bytes follow this head. */
struct one_section {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[3];
	char names[32];
	Elf64_Chdr ch;
};

static struct one_section one_section(uint32_t codec, uint64_t inflated, uint64_t stored)
{
	return (struct one_section){
		.eh = {.e_ident = ELFMAG "\2\1\1",
		       .e_type = ET_DYN,
		       .e_machine = EM_X86_64,
		       .e_shoff = offsetof(struct one_section, sh),
		       .e_shstrndx = 2,
		       .e_shnum = 3,
		       .e_shentsize = sizeof(Elf64_Shdr)},
		.sh = {[1] = {.sh_name = 1,
			      .sh_type = SHT_PROGBITS,
			      .sh_flags = SHF_COMPRESSED,
			      .sh_offset = offsetof(struct one_section, ch),
			      .sh_size = sizeof(Elf64_Chdr) + stored},
		       [2] = {.sh_type = SHT_STRTAB,
			      .sh_size = 32,
			      .sh_offset = offsetof(struct one_section, names)}},
		.names = "\0.debug_info",
		.ch = {.ch_type = codec, .ch_size = inflated},
	};
}

#define ZLIB 1
#define ZSTD 2

static void write_one(const char *payload, uint32_t codec, uint64_t inflated)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct one_section f;
	size_t len;
	FILE *out = fopen("one", "we");

	data = fixture_read(payload, &len);
	f = one_section(codec, inflated, len);
	assert_int_equal(fwrite(&f, 1, sizeof(f), out), sizeof(f));
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

static int load_one(const struct elf_limits *limits)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	const uint8_t *data;
	size_t len;
	int err;

	assert_int_equal(elf_obj_open(&obj, fixture_open("one"), limits), 0);
	assert_false(elf_obj_truncated(obj));
	err = elf_obj_data(obj, elf_obj_section(obj, ".debug_info"), &data, &len);
	if (err)
		assert_int_equal(elf_obj_bytes(obj), 0);
	return err;
}

static void make_payloads(void)
{
	fixture_run("seq 1 60000 > seq.txt && zstd -qf seq.txt -o seq.zst && "
		    "python3 -c \"import zlib,sys; sys.stdout.buffer.write("
		    "zlib.compress(open('seq.txt','rb').read()))\" > seq.z");
}

static void test_inflated_size_must_be_exact(void **state)
{
	static const char *const payload[] = {[ZLIB] = "seq.z", [ZSTD] = "seq.zst"};
	_cleanup_free_ uint8_t *text = NULL;
	size_t want;

	(void)state;
	make_payloads();
	text = fixture_read("seq.txt", &want);
	for (uint32_t codec = ZLIB; codec <= ZSTD; codec++) {
		write_one(payload[codec], codec, want);
		assert_int_equal(load_one(NULL), 0);
		write_one(payload[codec], codec, want - 1);
		assert_int_equal(load_one(NULL), -EBADMSG);
		write_one(payload[codec], codec, want + 1);
		assert_int_equal(load_one(NULL), -EBADMSG);
		write_one(payload[codec], codec, 0);
		assert_int_equal(load_one(NULL), -EBADMSG);
		write_one(payload[ZLIB + ZSTD - codec], codec, want);
		assert_int_equal(load_one(NULL), -EBADMSG);
		fixture_run("head -c 9000 %s > cut", payload[codec]);
		write_one("cut", codec, want);
		assert_int_equal(load_one(NULL), -EBADMSG);
	}
	write_one("seq.z", 77, want);
	assert_int_equal(load_one(NULL), -EBADMSG);
}

static void test_zstd_contents(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	_cleanup_free_ uint8_t *text = NULL;
	const uint8_t *data;
	size_t want, len;

	(void)state;
	make_payloads();
	text = fixture_read("seq.txt", &want);
	write_one("seq.zst", ZSTD, want);
	obj = open_obj("one");
	assert_int_equal(elf_obj_data(obj, elf_obj_section(obj, ".debug_info"), &data, &len), 0);
	assert_int_equal(len, want);
	assert_memory_equal(data, text, want);
}

static void test_bombs_are_refused(void **state)
{
	struct elf_limits small = {.section_bytes = 100000, .total_bytes = 100000};

	(void)state;
	/* 2 MB that do inflate to 2 GB: refused for the ratio before anything is allocated. */
	fixture_run("python3 -c \"import zlib,sys\nc = zlib.compressobj(9)\n"
		    "for i in range(2000): sys.stdout.buffer.write(c.compress(bytes(1000000)))\n"
		    "sys.stdout.buffer.write(c.flush())\" > bomb.z");
	write_one("bomb.z", ZLIB, 2000000000);
	assert_int_equal(load_one(NULL), -EFBIG);
	write_one("bomb.z", ZSTD, UINT64_MAX);
	assert_int_equal(load_one(NULL), -EFBIG);
	make_payloads();
	write_one("seq.z", ZLIB, 100001);
	assert_int_equal(load_one(&small), -EFBIG);
}

static void test_total_limit_counts_what_is_held(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	const struct elf_section *info, *text;
	struct elf_limits limits;
	const uint8_t *data;
	size_t len;

	(void)state;
	build("plain", "");
	obj = open_obj("plain");
	info = elf_obj_section(obj, ".debug_info");
	limits = (struct elf_limits){1 << 20, info->size + 1};
	elf_obj_free(steal_ptr(obj));
	assert_int_equal(elf_obj_open(&obj, fixture_open("plain"), &limits), 0);
	info = elf_obj_section(obj, ".debug_info");
	text = elf_obj_section(obj, ".text");
	assert_int_equal(elf_obj_data(obj, info, &data, &len), 0);
	assert_int_equal(elf_obj_data(obj, text, &data, &len), -EFBIG);
	elf_obj_drop(obj, info);
	assert_int_equal(elf_obj_bytes(obj), 0);
	assert_int_equal(elf_obj_data(obj, text, &data, &len), 0);
}

/* The tables that a relocation needs are held as well, beside the section that it is for. */
static void test_total_limit_of_relocations(void **state)
{
	struct elf_limits limits = {1 << 20, 0};
	size_t refused = 0;
	int err = -EFBIG;

	(void)state;
	fixture_write("limit.s", ".globl f\nf: ret\n.section .debug_big, \"\", @progbits\n"
				 ".quad f\n.fill 4096\n");
	fixture_run("gcc -c limit.s -o limit.o");
	for (; err == -EFBIG; limits.total_bytes += 64) {
		_cleanup_elf_ struct elf_obj *obj = NULL;
		const struct elf_section *big;
		const uint8_t *data;
		size_t len;

		assert_int_equal(elf_obj_open(&obj, fixture_open("limit.o"), &limits), 0);
		big = elf_obj_section(obj, ".debug_big");
		err = elf_obj_data(obj, big, &data, &len);
		assert_true(elf_obj_bytes(obj) <= limits.total_bytes);
		refused += err && big->size <= limits.total_bytes;
	}
	assert_int_equal(err, 0);
	assert_true(refused > 0);
}

/* .debug_aranges of DWARF 4: a header of 16 bytes, then pairs of address and length (6.1.2). */
static void test_relocated_addresses(void **state)
{
	_cleanup_elf_ struct elf_obj *rel = NULL;
	const struct elf_section *alpha, *beta;
	const uint8_t *data;
	uint64_t start;
	size_t len;

	(void)state;
	build("a.o", "-c -ffunction-sections -gdwarf-4");
	rel = open_obj("a.o");
	assert_int_equal(elf_obj_type(rel), ET_REL);
	alpha = elf_obj_section(rel, ".text.alpha");
	beta = elf_obj_section(rel, ".text.beta");
	assert_int_equal(alpha->va, alpha->file_off);
	assert_int_not_equal(alpha->va, beta->va);
	assert_int_equal(elf_obj_section(rel, ".debug_info")->va, 0);
	assert_int_equal(elf_obj_data(rel, elf_obj_section(rel, ".debug_aranges"), &data, &len), 0);
	assert_true(len >= 48);
	memcpy(&start, data + 16, 8);
	assert_int_equal(start, alpha->va);
	memcpy(&start, data + 32, 8);
	assert_int_equal(start, beta->va);
}

/* The producer of the first unit is a relocated offset into .debug_str, right behind its abbrev. */
static void test_relocated_strings(void **state)
{
	_cleanup_elf_ struct elf_obj *rel = NULL;
	const uint8_t *data, *str;
	size_t len, str_len;
	uint32_t got;

	(void)state;
	build("a.o", "-c -ffunction-sections -gdwarf-4");
	rel = open_obj("a.o");
	assert_int_equal(elf_obj_data(rel, elf_obj_section(rel, ".debug_info"), &data, &len), 0);
	assert_int_equal(elf_obj_data(rel, elf_obj_section(rel, ".debug_str"), &str, &str_len), 0);
	memcpy(&got, data + 12, 4);
	assert_true(got < str_len);
	assert_int_equal(strncmp((const char *)str + got, "GNU C", 5), 0);
}

static void test_nobits_and_debug_file(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL, *plain = NULL;
	const uint8_t *data;
	size_t len;

	(void)state;
	build("plain", "-Wl,--build-id");
	fixture_run("objcopy --only-keep-debug plain plain.debug");
	obj = open_obj("plain.debug");
	plain = open_obj("plain");
	assert_int_equal(elf_obj_data(obj, elf_obj_section(obj, ".text"), &data, &len), -ENODATA);
	assert_int_equal(elf_obj_data(plain, elf_obj_section(plain, ".bss"), &data, &len),
			 -ENODATA);
	assert_int_equal(elf_obj_data(obj, elf_obj_section_by_index(obj, 0), &data, &len),
			 -ENODATA);
	assert_int_equal(elf_obj_build_id(obj)->len, 20);
	assert_memory_equal(elf_obj_build_id(obj), elf_obj_build_id(plain),
			    sizeof(struct build_id));
}

static void test_not_elf(void **state)
{
	struct elf_obj *obj = NULL;

	(void)state;
	fixture_write("text",
		      "#!/bin/sh\necho a script, and long enough to hold an ELF header, yes\n");
	assert_int_equal(open_error("text"), -ENOEXEC);
	fixture_write("empty", "");
	assert_int_equal(open_error("empty"), -ENOEXEC);
	assert_int_equal(open_error("."), -EINVAL);
	assert_int_equal(open_error("/dev/null"), -EINVAL);
	assert_int_equal(elf_obj_open(&obj, -1, NULL), -EBADF);
	build("plain", "");
	fixture_run("printf '\\003' | dd of=plain bs=1 seek=4 conv=notrunc status=none");
	assert_int_equal(open_error("plain"), -ENOEXEC);
	build("object", "-m32 -c");
	assert_int_equal(open_error("object"), -ENOEXEC);
}

/* Headers, sections, symbols and compressed sections of i386 and x32 have other layouts. */
static void test_32_bits(void **state)
{
	static const struct {
		const char *flags;
		uint16_t machine;
	} cases[] = {{"-m32", EM_386}, {"-mx32", EM_X86_64}};
	const uint8_t *data;
	size_t len;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_elf_ struct elf_obj *obj = NULL;
		char flags[128]; /* which need no C library of that kind */
		unsigned long entry;
		FILE *f;

		snprintf(flags, sizeof(flags), "%s -gz=zlib -nostdlib -static -no-pie -Wl,-e,main",
			 cases[i].flags);
		build("plain", flags);
		obj = open_obj("plain");
		assert_true(elf_obj_is_32(obj));
		assert_int_equal(elf_obj_machine(obj), cases[i].machine);
		check_sections(obj, 10);
		check_segments(obj, 2);
		f = popen("readelf -hW plain | sed -n 's/.*Entry point address: *0x//p'", "re");
		assert_int_equal(fscanf(f, "%lx", &entry), 1);
		pclose(f);
		assert_int_equal(elf_obj_entry(obj), entry);
		assert_int_equal(
			elf_obj_data(obj, elf_obj_section(obj, ".debug_info"), &data, &len), 0);
		assert_true(len > elf_obj_section(obj, ".debug_info")->size);
	}
}

/* Cut anywhere, a file opens or is refused; what is out of reach says so. */
static void test_truncation(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t len, opened = 0, refused = 0;

	(void)state;
	build("plain", "");
	data = fixture_read("plain", &len);
	for (size_t cut = 0; cut < len; cut += cut < 2048 ? 1 : 97) {
		/* An exact copy, so that ASan sees a read past the end. */
		_cleanup_free_ uint8_t *copy = malloc(cut ?: 1);
		_cleanup_elf_ struct elf_obj *obj = NULL;
		int err;

		memcpy(copy, data, cut);
		err = elf_obj_open_bytes(&obj, copy, cut, NULL);
		if (err) {
			assert_true(err == -ENOEXEC || err == -EBADMSG);
			refused++;
			continue;
		}
		assert_true(elf_obj_truncated(obj));
		assert_int_equal(elf_obj_section_count(obj), 0);
		opened++;
	}
	assert_true(refused > 64);
	assert_true(opened > 100);
}

static void test_file_that_shrinks_under_us(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = NULL;
	const uint8_t *data;
	size_t len;

	(void)state;
	build("plain", "");
	obj = open_obj("plain");
	assert_int_equal(truncate("plain", 4096), 0);
	assert_int_equal(elf_obj_data(obj, elf_obj_section(obj, ".debug_info"), &data, &len),
			 -EBADMSG);
	assert_int_equal(elf_obj_bytes(obj), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_match_readelf),
		cmocka_unit_test(test_segment_lookup),
		cmocka_unit_test(test_exec_segment_wins_for_shared_offset),
		cmocka_unit_test(test_contents_plain_and_compressed),
		cmocka_unit_test(test_inflated_size_must_be_exact),
		cmocka_unit_test(test_zstd_contents),
		cmocka_unit_test(test_bombs_are_refused),
		cmocka_unit_test(test_total_limit_counts_what_is_held),
		cmocka_unit_test(test_total_limit_of_relocations),
		cmocka_unit_test(test_relocated_addresses),
		cmocka_unit_test(test_relocated_strings),
		cmocka_unit_test(test_nobits_and_debug_file),
		cmocka_unit_test(test_not_elf),
		cmocka_unit_test(test_32_bits),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_file_that_shrinks_under_us),
	};

	return cmocka_run_group_tests_name("elf_obj", tests, fixture_setup, fixture_teardown);
}
