// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_source.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/min.h"
#include "symbolizer/unwind/cfi_regs.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/go/gopclntab.h"
#include "symbolizer/unwind/unwind_blob.h"

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct cfi_section section_for(const struct elf_obj *obj)
{
	return (struct cfi_section){.is_32 = elf_obj_is_32(obj),
				    .is_i386 = elf_obj_machine(obj) == EM_386};
}

static int section_of(struct elf_obj *obj, const char *name, struct cfi_section *out)
{
	const struct elf_section *sec = elf_obj_section(obj, name);
	int err;

	if (!sec)
		return -ENODATA;
	err = elf_obj_data(obj, sec, &out->data, &out->len);
	if (err)
		return err;
	out->va = sec->va;
	return out->len ? 0 : -ENODATA;
}

/* LSB 5.0 Core, 10.6.2: version, three encodings, then the address of .eh_frame. */
static int read_eh_frame_ptr(struct elf_obj *obj, uint64_t *eh_frame)
{
	const struct elf_segment *seg = elf_obj_eh_frame_hdr(obj);
	uint8_t hdr[4 + 16];
	struct cfi_section sec = {.data = hdr, .is_32 = elf_obj_is_32(obj)};
	struct bytes b;
	long n;

	if (!seg)
		return -ENODATA;
	n = elf_obj_pread(obj, hdr, sizeof(hdr), seg->file_off);
	if (n < 8 || hdr[0] != 1)
		return -ENODATA;
	sec.len = (size_t)n;
	sec.va = seg->va;
	b = bytes_of(hdr, sec.len);
	bytes_skip(&b, 4);
	return cfi_read_pointer(&sec, &b, hdr[1], eh_frame) ? 0 : -ENODATA;
}

/* Without section headers the size of .eh_frame is unknown. It ends with a zero length, and with
 * its segment at the latest. */
static int segment_of(struct unwind_source *src, struct elf_obj *obj, struct cfi_section *out)
{
	const struct elf_segment *seg;
	uint64_t va, off, len;
	long n;
	int err = read_eh_frame_ptr(obj, &va);

	if (err)
		return err;
	seg = elf_obj_segment_at_va(obj, va);
	if (!seg || va - seg->va >= seg->file_len)
		return -ENODATA;
	off = seg->file_off + (va - seg->va);
	if (off >= elf_obj_file_size(obj))
		return -ENODATA;
	len = min_u64(seg->file_len - (va - seg->va), elf_obj_file_size(obj) - off);
	len = min_u64(len, CFI_SECTION_MAX);
	src->owned = malloc(len);
	if (!src->owned)
		return -ENOMEM;
	n = elf_obj_pread(obj, src->owned, len, off);
	if (n < 0)
		return (int)n;
	out->data = src->owned;
	out->len = (size_t)n;
	out->va = va;
	out->zero_ends = true;
	return 0;
}

static int find_section(struct unwind_source *src, struct elf_obj *obj, struct cfi_section *sec)
{
	int err = section_of(obj, ".eh_frame", sec);

	if (err == -ENODATA)
		err = segment_of(src, obj, sec);
	if (err == -ENODATA) {
		err = section_of(obj, ".debug_frame", sec);
		sec->debug_frame = true;
	}
	return err;
}

bool unwind_is_go(const struct elf_obj *obj)
{
	static const char *const marks[] = {
		".gopclntab",
		".data.rel.ro.gopclntab",
		".note.go.buildid",
		".go.buildinfo",
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (elf_obj_section(obj, marks[i]))
			return true;
	return false;
}

static int text_range(struct unwind_source *src, struct elf_obj *obj)
{
	size_t n;
	const struct elf_segment *seg = elf_obj_segments(obj, &n);

	src->begin_va = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		/* Ignores code beyond the end of the file. */
		uint64_t len = min_u64(seg[i].file_len, elf_obj_file_size(obj));

		if (!seg[i].exec || !len)
			continue;
		if (seg[i].va < src->begin_va)
			src->begin_va = seg[i].va;
		if (seg[i].va + len > src->end_va)
			src->end_va = seg[i].va + len;
	}
	src->known.begin_va = src->begin_va;
	src->known.end_va = src->end_va;
	return src->begin_va < src->end_va ? 0 : -ENODATA;
}

/* Widens a range to what is described of the text. */
static void add_described_range(const struct unwind_source *src, const struct cfi *cfi,
				uint64_t *first, uint64_t *last)
{
	const struct cfi_fde *fdes = cfi->fdes.data;
	size_t at = 0, end = cfi->fdes.len;

	while (at < end && fdes[at].end <= src->begin_va)
		at++;
	while (at < end && fdes[end - 1].start >= src->end_va)
		end--;
	if (at < end) {
		*first = min_u64(*first, fdes[at].start);
		*last = max_u64(*last, fdes[end - 1].end);
	}
}

/* If code without CFI has no rule, the table spans only what is described or known. */
static int narrow_range(struct unwind_source *src)
{
	uint64_t first = UINT64_MAX, last = 0;

	if (src->gap_cfa == UNWIND_CFA_NONE) {
		add_described_range(src, &src->cfi, &first, &last);
		add_described_range(src, &src->more, &first, &last);
		if (src->known.n) {
			first = min_u64(first, src->known.at[0].va);
			last = max_u64(last, src->known.at[src->known.n - 1].end);
		}
		src->begin_va = max_u64(src->begin_va, first);
		src->end_va = min_u64(src->end_va, last);
		if (src->begin_va >= src->end_va)
			return -ENODATA;
	}
	return src->end_va - src->begin_va > UNWIND_TEXT_MAX ? -EFBIG : 0;
}

static const uint8_t endbr[] = UNWIND_ENDBR;

/*
 * Some libraries have a function as their entry point. Real start code clears rbp or reads rsp,
 * which no function does first.
 */
static bool is_start_code(const uint8_t *code, size_t len)
{
	static const struct {
		uint8_t len, bytes[4];
	} starts[] = {
		{2, {0x31, 0xed}},	 /* xor %ebp, %ebp */
		{3, {0x48, 0x31, 0xed}}, /* xor %rbp, %rbp */
		{3, {0x48, 0x89, 0xe7}}, /* mov %rsp, %rdi */
		{2, {0x89, 0xe0}},	 /* mov %esp, %eax: i386's dynamic linker */
	};
	size_t at = len >= sizeof(endbr) && !memcmp(code, endbr, sizeof(endbr)) ? sizeof(endbr) : 0;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (len - at >= starts[i].len && !memcmp(code + at, starts[i].bytes, starts[i].len))
			return true;
	return false;
}

/* The length of an instruction as start code has them, without its REX prefix; 0: of another one. */
static size_t plain_insn_len(const uint8_t *p)
{
	bool regs_only = p[1] >= 0xc0;

	if (p[0] >= 0x50 && p[0] <= 0x5f)
		return 1; /* push, pop */
	if ((p[0] == 0x31 || p[0] == 0x89) && regs_only)
		return 2; /* xor, mov */
	if (p[0] == 0x83 && regs_only)
		return 3; /* and $-16, %rsp */
	if (p[0] == 0x8d && (p[1] & 0xc7) == 0x05)
		return 6; /* lea DISP(%rip), REG */
	if (p[0] == 0xc7 && regs_only)
		return 6; /* mov $IMM, REG */
	return p[0] >= 0xb8 && p[0] <= 0xbf ? 5 : 0;
}

/* glibc's dynamic linker goes on behind its first call: it saves the program's entry point, which it was given. */
static size_t end_at_call(const uint8_t *code, size_t len, size_t end)
{
	static const uint8_t saves[] = {0x49, 0x89, 0xc4}; /* mov %rax, %r12 */
	static const uint8_t saves_32[] = {0x89, 0xc7};	   /* mov %eax, %edi */

	if (len - end >= sizeof(saves) && (!memcmp(code + end, saves, sizeof(saves)) ||
					   !memcmp(code + end, saves_32, sizeof(saves_32))))
		return UNWIND_ENTRY_MAX;
	return end;
}

/* Bytes of start code up to its first call, if it has only well-known instructions. */
static size_t start_code_len(const uint8_t *code, size_t len)
{
	size_t at = len >= sizeof(endbr) && !memcmp(code, endbr, sizeof(endbr)) ? sizeof(endbr) : 0;
	const size_t longest = 7;
	size_t n;

	while (len - at >= longest) {
		at += (code[at] & 0xf0) == 0x40;
		if (code[at] == 0xe8)
			return end_at_call(code, len, at + 5);
		if (code[at] == 0xff && code[at + 1] == 0x15)
			return end_at_call(code, len, at + 6);
		n = plain_insn_len(code + at);
		if (!n)
			break;
		at += n;
	}
	return UNWIND_ENTRY_MAX;
}

uint64_t unwind_entry(struct elf_obj *obj, uint64_t *end)
{
	const struct elf_segment *seg;
	uint8_t code[UNWIND_ENTRY_MAX];
	uint64_t entry = elf_obj_entry(obj);
	long n;

	seg = elf_obj_segment_at_va(obj, entry);
	if (!seg || !seg->exec)
		return 0;
	n = elf_obj_pread(obj, code, sizeof(code), seg->file_off + (entry - seg->va));
	if (n <= 0 || !is_start_code(code, (size_t)n))
		return 0;
	*end = entry + start_code_len(code, (size_t)n);
	return entry;
}

static void find_entry(struct unwind_source *src, struct elf_obj *obj)
{
	const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
	uint64_t end, va = unwind_entry(obj, &end);

	if (va && va < src->end_va)
		unwind_add_known(&src->known, va, min_u64(end, src->end_va), root);
}

/*
 * The linker joins .init and .fini from pieces of every object, so they have no CFI. They are
 * [endbr64;] sub $8, %rsp; ...; add $8, %rsp; ret (glibc's crti.S and crtn.S).
 */
#define INIT_MAX 64 /* libraries add a call or two */

static void find_init(struct unwind_source *src, struct elf_obj *obj, const char *name)
{
	static const uint8_t sub[] = {0x48, 0x83, 0xec, 8};
	static const uint8_t end[] = {0x48, 0x83, 0xc4, 8, 0xc3};
	const struct unwind_rule outside = {.cfa = UNWIND_CFA_RSP, .cfa_off = 8};
	const struct unwind_rule inside = {.cfa = UNWIND_CFA_RSP, .cfa_off = 16};
	const struct elf_section *sec = elf_obj_section(obj, name);
	size_t len, body = 0;
	const uint8_t *code;

	if (!sec || sec->size > INIT_MAX || elf_obj_data(obj, sec, &code, &len))
		return;
	if (len >= sizeof(endbr) && !memcmp(code, endbr, sizeof(endbr)))
		body = sizeof(endbr);
	if (len < body + sizeof(sub) + sizeof(end) || memcmp(code + body, sub, sizeof(sub)) ||
	    memcmp(code + len - sizeof(end), end, sizeof(end)))
		return;
	body += sizeof(sub);
	unwind_add_known(&src->known, sec->va, sec->va + body, outside);
	unwind_add_known(&src->known, sec->va + body, sec->va + len - 1, inside);
	unwind_add_known(&src->known, sec->va + len - 1, sec->va + len, outside);
}

/*
 * lld and mold describe no stub of calls to other libraries. lld's .plt has entries of 16 bytes. The first is jumped
 * to by the others, which have pushed a number by then, and pushes another: push *(%rip); jmp *(%rip). The others
 * are jmp *(%rip); push $n; jmp or, with IBT, endbr64; push $n; jmp. mold's others only jump; its first, of 32
 * bytes, runs once for each function.
 */
#define PLT_ENTRY 16

static void note_plt(struct unwind_knowns *k, const uint8_t *code, size_t len, uint64_t va)
{
	static const uint8_t lld[] = {0xff, 0x35}, lazy[] = {0xff, 0x25};
	static const uint8_t ibt[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x68};
	static const uint8_t mold[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x53, 0xff, 0x35};
	const struct unwind_rule jump = {.cfa = UNWIND_CFA_RSP, .cfa_off = 8};
	struct unwind_rule rule = {.cfa = UNWIND_CFA_PLT, .cfa_off = UNWIND_PACK(16, 6)};
	const uint8_t *second = code + PLT_ENTRY;
	bool is_lazy, is_ibt;

	if (va % PLT_ENTRY || len < 2 * PLT_ENTRY)
		return;
	is_lazy = !memcmp(second, lazy, sizeof(lazy));
	is_ibt = !memcmp(second, ibt, sizeof(ibt));
	if (!memcmp(code, lld, sizeof(lld)) && (is_lazy || is_ibt)) {
		unwind_add_known(k, va, va + PLT_ENTRY, rule);
		rule.cfa_off = UNWIND_PACK(8, is_lazy ? 11 : 9);
		unwind_add_known(k, va + PLT_ENTRY, va + len, rule);
	} else if (!memcmp(code, mold, sizeof(mold))) {
		unwind_add_known(k, va + 2 * PLT_ENTRY, va + len, jump);
	}
}

static void find_plt(struct unwind_source *src, struct elf_obj *obj)
{
	const struct elf_section *sec = elf_obj_section(obj, ".plt");
	const uint8_t *code;
	size_t len;

	if (!sec || elf_obj_data(obj, sec, &code, &len))
		return;
	note_plt(&src->known, code, len, sec->va);
	elf_obj_drop(obj, sec);
}

/* Stubs of one jump each. */
static void find_jumps(struct unwind_source *src, struct elf_obj *obj)
{
	static const char *const names[] = {".plt.sec", ".plt.got", ".iplt"};
	const struct unwind_rule rule = {.cfa = UNWIND_CFA_RSP, .cfa_off = 8};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct elf_section *sec = elf_obj_section(obj, names[i]);

		if (sec && (sec->flags & SHF_EXECINSTR) && sec->size < UINT32_MAX)
			unwind_add_known(&src->known, sec->va, sec->va + sec->size, rule);
	}
}

/* Only small files are searched, because libgcc_s is small. */
static int find_landings(struct unwind_source *src, struct elf_obj *obj)
{
	_cleanup_free_ uint8_t *text = NULL;
	size_t n;
	const struct elf_segment *seg = elf_obj_segments(obj, &n);
	long got;

	for (size_t i = 0; i < n && !text; i++) {
		if (!seg[i].exec || seg[i].file_len > UNWIND_LANDING_TEXT_MAX)
			continue;
		text = malloc(seg[i].file_len + 1);
		if (!text)
			return -ENOMEM;
		got = elf_obj_pread(obj, text, seg[i].file_len, seg[i].file_off);
		if (got > 0)
			src->n_landings =
				unwind_landings_find(src->landings, text, (size_t)got, seg[i].va);
	}
	return 0;
}

static int find_patterns(struct unwind_source *src, struct elf_obj *obj)
{
	int err = unwind_find_stubs(&src->known, &src->cfi, obj);

	return err ?: find_landings(src, obj);
}

/* Opens Go's own table if it is usable. A file is searched for it if it looks like Go or has no
 * other CFI. */
static int open_go(struct unwind_source *src, struct elf_obj *obj)
{
	int err = gopclntab_open(&src->go, obj);

	if (!err && !gopclntab_has_depths(src->go)) {
		gopclntab_free(src->go);
		src->go = NULL;
	}
	if (!err)
		src->gap_cfa = UNWIND_CFA_FP;
	return err == -ENODATA ? 0 : err;
}

/* True if half of the code is described. What the C runtime adds to a program always is. */
static bool covers_code(const struct unwind_source *src, const struct elf_obj *obj)
{
	const struct elf_section *text = elf_obj_section(obj, ".text");
	uint64_t described = 0;

	for (size_t i = 0; i < src->cfi.fdes.len; i++)
		described += src->cfi.fdes.data[i].end - src->cfi.fdes.data[i].start;
	for (size_t i = 0; i < src->more.fdes.len; i++)
		described += src->more.fdes.data[i].end - src->more.fdes.data[i].start;
	return src->go || !text || described >= text->size / 2;
}

/* Reads .debug_frame of the separate debug file, where stripped programs have it (GraalVM, musl's packages). */
static int open_debug(struct unwind_source *src, struct elf_obj *obj,
		      const struct unwind_debug *debug)
{
	struct cfi_section sec = section_for(obj);
	int err;

	src->is_partial = !covers_code(src, obj);
	if (!src->is_partial || !debug || src->more.fdes.len ||
	    debug->open(debug->ctx, &src->debug, obj))
		return 0;
	err = section_of(src->debug, ".debug_frame", &sec);
	if (err || elf_obj_machine(src->debug) != elf_obj_machine(obj))
		return err == -ENOMEM ? err : 0;
	sec.debug_frame = true;
	err = cfi_open(&src->more, &sec);
	src->is_partial = !covers_code(src, obj);
	return err == -ENOMEM ? err : 0;
}

/*
 * A program may have a little .eh_frame, of the files that start it, and all else in .debug_frame
 * (-fno-asynchronous-unwind-tables -g; musl). A bad one counts as none.
 */
static int open_more(struct unwind_source *src, struct elf_obj *obj)
{
	struct cfi_section sec = section_for(obj);
	int err = section_of(obj, ".debug_frame", &sec);

	sec.debug_frame = true;
	if (!err)
		err = cfi_open(&src->more, &sec);
	return err == -ENOMEM ? err : 0;
}

/* Collects what describes frames. -ENODATA if nothing does. */
static int open_frames(struct unwind_source *src, struct elf_obj *obj,
		       const struct unwind_debug *debug)
{
	struct cfi_section sec = section_for(obj);
	int err = find_section(src, obj, &sec);

	if ((err == -ENODATA || src->gap_cfa == UNWIND_CFA_FP) && open_go(src, obj))
		return -ENOMEM;
	if (!err && !(sec.debug_frame && src->gap_cfa == UNWIND_CFA_FP))
		err = cfi_open(&src->cfi, &sec);
	if (src->gap_cfa == UNWIND_CFA_FP)
		return err == -ENODATA ? 0 : err;
	if (err && err != -ENODATA)
		return err;
	if (!err && !sec.debug_frame && open_more(src, obj))
		return -ENOMEM;
	if (open_debug(src, obj, debug))
		return -ENOMEM;
	return err && !src->more.fdes.len ? err : 0;
}

int unwind_source_open(struct unwind_source *src, struct elf_obj *obj,
		       const struct unwind_debug *debug)
{
	int err;

	if (elf_obj_machine(obj) != EM_X86_64 && elf_obj_machine(obj) != EM_386)
		return -EOPNOTSUPP;
	src->is_i386 = elf_obj_machine(obj) == EM_386;
	err = text_range(src, obj);
	if (err)
		return err;
	if (unwind_is_go(obj))
		src->gap_cfa = UNWIND_CFA_FP;
	err = open_frames(src, obj, debug);
	if (!err && !src->is_i386) /* patterns of x86-64's code */
		err = find_patterns(src, obj);
	if (err)
		return err;
	if (src->gap_cfa == UNWIND_CFA_NONE) {
		find_entry(src, obj);
		find_init(src, obj, ".init");
		find_init(src, obj, ".fini");
		if (!src->is_i386) {
			find_plt(src, obj);
			find_jumps(src, obj);
		}
	}
	return narrow_range(src);
}

void unwind_source_release(struct unwind_source *src)
{
	gopclntab_free(src->go);
	cfi_release(&src->cfi);
	cfi_release(&src->more);
	free(src->owned);
	elf_obj_free(src->debug);
}
