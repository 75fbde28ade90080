// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The build takes one object out of libc++abi's static archive. It renames what the object calls of
 * the C and C++ runtimes to llvm_NAME. Those functions are defined here, so no C++ runtime is
 * linked. The object throws nothing: it refers to exceptions only for its noexcept functions.
 */
#include "symbolizer/symbols/llvm_demangle.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* The longest names need 220 KiB. */
#define HEAP_MAX (1ul << 20)

enum { GAVE_UP = 1, OVERFLOWED };

struct block {
	struct block *next;
	size_t size;
	max_align_t data[];
};

struct run {
	struct llvm_name *out;
	struct block *blocks; /* all allocations; they are freed together at the end */
	size_t bytes;
	jmp_buf leave;
};

/* The demangler passes no context to the functions it calls. */
static _Thread_local struct run *current;

char *llvm___cxa_demangle(const char *mangled, char *text, size_t *size, int *status);

/* --- its memory ----------------------------------------------------------------------------------- */

void *llvm_malloc(size_t size);
void *llvm_realloc(void *old, size_t size);
void llvm_free(void *p);

/* Never returns NULL, because the demangler ends the process when out of memory. */
void *llvm_malloc(size_t size)
{
	struct block *b;

	if (size > HEAP_MAX - current->bytes)
		longjmp(current->leave, GAVE_UP);
	b = malloc(sizeof(*b) + size);
	if (!b)
		longjmp(current->leave, GAVE_UP);
	b->next = current->blocks;
	b->size = size;
	current->blocks = b;
	current->bytes += size;
	return b->data;
}

void *llvm_realloc(void *old, size_t size)
{
	size_t old_size = 0;
	void *p;

	if (old == current->out->text)
		longjmp(current->leave, OVERFLOWED);
	if (old)
		old_size = ((struct block *)((char *)old - offsetof(struct block, data)))->size;
	if (old && size <= old_size)
		return old;
	p = llvm_malloc(size);
	if (old)
		memcpy(p, old, old_size);
	return p;
}

void llvm_free(void *p)
{
	(void)p;
}

static void free_blocks(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

/* --- what it calls to end the process ------------------------------------------------------------- */

/* Leaves the demangling of a hostile name. The demangler's arguments are ignored. */
#define LEAVES(name)                                                                               \
	_Noreturn void llvm_##name(void);                                                          \
	_Noreturn void llvm_##name(void)                                                           \
	{                                                                                          \
		longjmp(current->leave, GAVE_UP);                                                  \
	}

LEAVES(abort)
LEAVES(abort_message) /* a failed assertion */
LEAVES(_ZSt9terminatev)
LEAVES(__cxa_begin_catch)
LEAVES(_Unwind_Resume)
LEAVES(_ZdlPvm)

int llvm___gxx_personality_v0(void);

/* Called if the stack is unwound through the demangler. It has no handlers. */
int llvm___gxx_personality_v0(void)
{
	return 8; /* _URC_CONTINUE_UNWIND */
}

/* The type information of its classes refers to these. No code reads them. */
extern const char llvm__ZTVN10__cxxabiv117__class_type_infoE[64];
extern const char llvm__ZTVN10__cxxabiv120__si_class_type_infoE[64];
const char llvm__ZTVN10__cxxabiv117__class_type_infoE[64];
const char llvm__ZTVN10__cxxabiv120__si_class_type_infoE[64];

/* -------------------------------------------------------------------------------------------------- */

bool llvm_demangle(struct llvm_name *out, const char *mangled)
{
	struct run run;
	bool ok;

	if (strlen(mangled) > LLVM_MANGLED_MAX)
		return false;
	run.out = out;
	run.blocks = NULL;
	run.bytes = 0;
	current = &run;
	out->len = sizeof(out->text);
	out->cut = false;
	switch (setjmp(run.leave)) {
	case 0:
		ok = llvm___cxa_demangle(mangled, out->text, &out->len, NULL);
		out->len -= ok; /* LLVM counts the NUL */
		break;
	case OVERFLOWED:
		out->cut = ok = true;
		break;
	default:
		ok = false;
	}
	if (out->len > LLVM_TEXT_MAX) {
		out->len = LLVM_TEXT_MAX;
		out->cut = true;
	}
	free_blocks(run.blocks);
	current = NULL;
	return ok;
}
