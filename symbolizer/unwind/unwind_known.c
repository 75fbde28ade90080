// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/elf/return_stub.h"
#include "symbolizer/unwind/cfi.h"

/* Text is searched in pieces of this size. */
#define SCAN_PIECE (256u << 10)

static const uint8_t endbr[] = UNWIND_ENDBR;

void unwind_add_known(struct unwind_knowns *k, uint64_t va, uint64_t end, struct unwind_rule rule)
{
	size_t at = k->n;

	while (at && k->at[at - 1].va > va)
		at--;
	if (va >= end || va < k->begin_va || end > k->end_va || k->n == UNWIND_KNOWN_MAX ||
	    (at && k->at[at - 1].end > va) || (at < k->n && k->at[at].va < end))
		return;
	memmove(&k->at[at + 1], &k->at[at], (k->n - at) * sizeof(k->at[0]));
	k->at[at] = (struct unwind_known){va, end, rule};
	k->n++;
}

/* What stands between functions. */
static bool is_padding(uint8_t byte)
{
	return byte == 0 || byte == 0x90 || byte == 0xcc || byte == 0x66 || byte == 0x0f ||
	       byte == 0xf4;
}

/*
 * One byte early, because it is looked up as a return address minus one. The call itself is made from the address
 * behind it. That is a piece of its own: where .eh_frame describes the stub, it does not describe this address.
 */
static void add_stub(struct unwind_knowns *k, uint64_t va, uint64_t end, bool is_last)
{
	const struct unwind_rule signal = {.cfa = UNWIND_CFA_SIGNAL,
					   .cfa_off = UNWIND_UCONTEXT_GREGS};

	unwind_add_known(k, va - 1, end, signal);
	if (is_last)
		unwind_add_known(k, end, end + 1, signal);
}

static void note_stubs(struct unwind_knowns *k, const uint8_t *p, size_t len, uint64_t va)
{
	const uint8_t *end = p + len, *at = p;

	/* Searches for the last byte: memchr() is many times faster than memmem() on a short
	 * string. */
	for (; k->n < UNWIND_STUBS_MAX && (at = memchr(at, RETURN_STUB_LAST, (size_t)(end - at)));
	     at++) {
		uint64_t behind = (uint64_t)(at + 1 - p);
		size_t stub = return_stub_len(p, behind);

		if (stub)
			add_stub(k, va + behind - stub, va + behind,
				 at + 1 < end && is_padding(at[1]));
	}
}

/*
 * glibc's makecontext() makes a stack on which a coroutine begins. Its outermost return address is where
 * __start_context begins, which goes on with another stack: mov %rbx, %rsp; mov (%rsp), %rdi; test %rdi, %rdi.
 */
static const uint8_t context_start[] = {0x48, 0x89, 0xdc, 0x48, 0x8b, 0x3c, 0x24, 0x48, 0x85, 0xff};

static struct cfi_fde *fde_at(struct cfi *cfi, uint64_t va)
{
	struct cfi_fde *fdes = cfi->fdes.data;
	size_t lo = 0, hi = cfi->fdes.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (fdes[mid].start < va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < cfi->fdes.len && fdes[lo].start == va ? &fdes[lo] : NULL;
}

/* No call has left that return address: so it is looked up in what stands before the function, and its frame is the
 * address itself. The description of the function is wrong. */
static void add_context(struct unwind_knowns *k, struct cfi *cfi, uint64_t va)
{
	const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
	const struct unwind_rule root_at = {.cfa = UNWIND_CFA_ROOT, .cfa_off = 1};
	struct cfi_fde *fde = fde_at(cfi, va);
	uint64_t end;

	if (!fde)
		return;
	end = fde->end;
	memmove(fde, fde + 1, (size_t)(cfi->fdes.data + --cfi->fdes.len - fde) * sizeof(*fde));
	unwind_add_known(k, va - 1, va, root_at);
	unwind_add_known(k, va, end, root);
}

static void note_contexts(struct unwind_knowns *k, struct cfi *cfi, const uint8_t *p, size_t len,
			  uint64_t va)
{
	const uint8_t *at = p, *end = p + len;

	while (k->n < UNWIND_STUBS_MAX &&
	       (at = memmem(at, (size_t)(end - at), context_start, sizeof(context_start)))) {
		uint64_t here = va + (uint64_t)(at - p);

		if (at - p >= (long)sizeof(endbr) &&
		    !memcmp(at - sizeof(endbr), endbr, sizeof(endbr)))
			here -= sizeof(endbr);
		add_context(k, cfi, here);
		at += sizeof(context_start);
	}
}

/*
 * glibc's __clone3() does not describe the call itself, since the thread that begins in it has another stack: mov $435,
 * %eax; syscall; test %rax, %rax; jl; je; ret. For whoever calls it, nothing has changed on the stack.
 */
static const uint8_t clone3_call[] = {0xb8, 0xb3, 0x01, 0, 0, 0x0f, 0x05, 0x48, 0x85, 0xc0};
#define CLONE3_SYSCALL 5  /* offset in it */
#define CLONE3_BYTES   15 /* with what follows */

static void note_clone3(struct unwind_knowns *k, const uint8_t *p, size_t len, uint64_t va)
{
	const struct unwind_rule caller = {.cfa = UNWIND_CFA_RSP, .cfa_off = 8};
	const uint8_t *at = p, *end = p + len;

	while (k->n < UNWIND_STUBS_MAX &&
	       (at = memmem(at, (size_t)(end - at), clone3_call, sizeof(clone3_call)))) {
		uint64_t here = va + (uint64_t)(at - p);

		if (end - at >= CLONE3_BYTES && at[10] == 0x7c && at[12] == 0x74 && at[14] == 0xc3)
			unwind_add_known(k, here + CLONE3_SYSCALL, here + CLONE3_BYTES, caller);
		at += sizeof(clone3_call);
	}
}

int unwind_find_stubs(struct unwind_knowns *k, struct cfi *cfi, struct elf_obj *obj)
{
	_cleanup_free_ uint8_t *piece = malloc(SCAN_PIECE);
	const uint64_t overlap = CLONE3_BYTES + sizeof(context_start);
	size_t n;
	const struct elf_segment *seg = elf_obj_segments(obj, &n);

	if (!piece)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t off = 0, len = seg[i].exec ? seg[i].file_len : 0;

		for (; off < len && k->n < UNWIND_STUBS_MAX; off += SCAN_PIECE - overlap) {
			uint64_t want = len - off < SCAN_PIECE ? len - off : SCAN_PIECE;
			long got = elf_obj_pread(obj, piece, want, seg[i].file_off + off);

			if (got <= 0)
				break;
			note_stubs(k, piece, (size_t)got, seg[i].va + off);
			if (!cfi->signal_frames)
				continue;
			note_contexts(k, cfi, piece, (size_t)got, seg[i].va + off);
			note_clone3(k, piece, (size_t)got, seg[i].va + off);
		}
	}
	return 0;
}
