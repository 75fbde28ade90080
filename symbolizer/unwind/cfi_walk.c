// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/cfi_walk.h"
#include "symbolizer/unwind/unwind_source.h"
#include "symbolizer/unwind/table_walk.h"

bool cfi_walk_wants_table(const struct elf_obj *obj)
{
	return unwind_is_go(obj) || !elf_obj_section(obj, ".eh_frame_hdr");
}

#if defined(__x86_64__)
#include <elf.h>
#include <libunwind-x86_64.h>

/* libunwind exports this for profilers, but no installed header declares it. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di,
				       unw_proc_info_t *pi, int need_unwind_info, void *arg);

/* Bytes to read ahead from a file, because libunwind asks for single words. */
#define PAGE_BYTES 1024
#define N_PAGES	   64
/* DW_EH_PE_datarel | DW_EH_PE_sdata4: the only search table format that linkers write (LSB 5.0,
 * 10.6.2) */
#define TABLE_ENC 0x3b
#define ENC_OMIT  0xff

struct page {
	const struct elf_obj *obj;
	uint64_t va; /* first ELF address */
	size_t len;
	uint8_t data[PAGE_BYTES];
};

struct cfi_walk {
	unw_addr_space_t as;
	struct page pages[N_PAGES];
	/* Of the current sample. */
	const struct captured_stack *sample;
	cfi_place_fn place;
	void *place_ctx;
	struct cfi_place current; /* mapping whose CFI is being read */
	bool past_slice;
	bool described;	  /* the last frame has CFI */
	uint64_t zero_at; /* where its step read a 0 last */
};

static bool read_elf(struct cfi_walk *u, struct elf_obj *obj, uint64_t elf_va, void *out,
		     size_t len)
{
	uint64_t first = elf_va & ~(uint64_t)(PAGE_BYTES - 1);
	struct page *p = &u->pages[(elf_va / PAGE_BYTES ^ (uintptr_t)obj / 64) % N_PAGES];

	if (p->obj != obj || p->va != first) {
		const struct elf_segment *seg = elf_obj_segment_at_va(obj, elf_va);
		uint64_t from;
		long n;

		p->obj = NULL;
		if (!seg)
			return false;
		from = first < seg->va ? seg->va : first;
		n = elf_obj_pread(obj, p->data + (from - first), PAGE_BYTES - (from - first),
				  seg->file_off + (from - seg->va));
		if (n < 0)
			return false;
		p->obj = obj;
		p->va = first;
		p->len = (size_t)n + (from - first);
	}
	if (elf_va - first > p->len || p->len - (elf_va - first) < len)
		return false;
	memcpy(out, p->data + (elf_va - first), len);
	return true;
}

static bool read_stack(const struct cfi_walk *u, uint64_t addr, uint64_t *value)
{
	uint64_t off = addr - (u->sample->regs[7] - u->sample->below);

	if (off >= u->sample->stack_len || u->sample->stack_len - off < sizeof(*value))
		return false;
	memcpy(value, u->sample->stack + off, sizeof(*value));
	return true;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value, int write, void *arg)
{
	struct cfi_walk *u = arg;

	(void)as;
	if (write)
		return -UNW_EINVAL;
	if (read_stack(u, addr, value)) {
		u->zero_at = *value ? u->zero_at : addr;
		return 0;
	}
	/* .eh_frame is in a segment that is not executable, and kiln does not track where that
	 * is mapped */
	if (u->current.obj &&
	    read_elf(u, u->current.obj, addr - u->current.bias, value, sizeof(*value)))
		return 0;
	u->past_slice = true;
	return -UNW_EINVAL;
}

/* libunwind's register numbers for x86-64 equal DWARF's (libunwind-x86_64.h). */
static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	struct cfi_walk *u = arg;

	(void)as;
	if (write || reg < 0 || reg >= CFI_WALK_REGS)
		return -UNW_EREADONLYREG;
	*value = u->sample->regs[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write,
			void *arg)
{
	(void)as, (void)reg, (void)value, (void)write, (void)arg;
	return -UNW_EINVAL;
}

static int no_dyn_info(unw_addr_space_t as, unw_word_t *addr, void *arg)
{
	(void)as, (void)addr, (void)arg;
	return -UNW_ENOINFO;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *c, void *arg)
{
	(void)as, (void)c, (void)arg;
	return -UNW_EINVAL;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
	(void)as, (void)pi, (void)arg;
}

/* Size of a DW_EH_PE value format in .eh_frame_hdr; 0: not supported. */
static unsigned encoded_size(uint8_t enc)
{
	switch (enc & 0xf) {
	case 0x03: /* udata4 */
	case 0x0b: /* sdata4 */
		return 4;
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return 8;
	default:
		return 0;
	}
}

/* Describes the search table of .eh_frame_hdr (LSB 5.0 Core, 10.6.2) in the process's addresses. */
static int describe_table(struct cfi_walk *u, const struct cfi_place *place, unw_dyn_info_t *di)
{
	const struct elf_section *sec = elf_obj_section(place->obj, ".eh_frame_hdr");
	uint8_t head[4], count[8] = {0};
	unsigned ptr_size, count_size;
	uint64_t n;

	if (!sec || !read_elf(u, place->obj, sec->va, head, sizeof(head)))
		return -UNW_ENOINFO;
	ptr_size = encoded_size(head[1]);
	count_size = encoded_size(head[2]);
	if (head[0] != 1 || head[2] == ENC_OMIT || head[3] != TABLE_ENC || !ptr_size || !count_size)
		return -UNW_ENOINFO;
	if (!read_elf(u, place->obj, sec->va + 4 + ptr_size, count, count_size))
		return -UNW_ENOINFO;
	memcpy(&n, count, sizeof(n));
	if (n > sec->size / 8)
		return -UNW_EBADFRAME;
	di->format = UNW_INFO_FORMAT_REMOTE_TABLE;
	di->start_ip = 0;
	di->end_ip = ~(unw_word_t)0;
	di->u.rti.segbase = sec->va + place->bias;
	di->u.rti.table_data = sec->va + place->bias + 4 + ptr_size + count_size;
	di->u.rti.table_len = n * 8 / sizeof(unw_word_t);
	return 0;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need_info,
			  void *arg)
{
	struct cfi_walk *u = arg;
	unw_dyn_info_t di = {0};
	int err;

	(void)as;
	u->described = false;
	u->current = (struct cfi_place){0};
	u->place(u->place_ctx, ip, &u->current);
	if (!u->current.obj)
		return -UNW_ENOINFO;
	err = describe_table(u, &u->current, &di)
		      ?: UNW_OBJ(dwarf_search_unwind_table)(as, ip, &di, pi, need_info, u);
	u->described = !err;
	return err;
}

static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = no_dyn_info,
	.access_mem = access_mem,
	.access_reg = access_reg,
	.access_fpreg = access_fpreg,
	.resume = no_resume,
};

int cfi_walk_new(struct cfi_walk **out)
{
	struct cfi_walk *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->as = unw_create_addr_space(&accessors, 0);
	if (!u->as) {
		free(u);
		return -ENOMEM;
	}
	/* cached steps have only ip as their key, and each sample may be of another process */
	unw_set_caching_policy(u->as, UNW_CACHE_NONE);
	*out = u;
	return 0;
}

void cfi_walk_free(struct cfi_walk *u)
{
	if (!u)
		return;
	unw_destroy_addr_space(u->as);
	free(u);
}

static bool is_code(struct cfi_walk *u, uint64_t ip)
{
	struct cfi_place place = {0};

	u->place(u->place_ctx, ip, &place);
	return place.obj || place.is_jit;
}

/* The dynamic linker's start code has no CFI. */
static bool is_start(struct cfi_walk *u, uint64_t va)
{
	struct cfi_place place = {0};
	uint64_t entry, end;

	u->place(u->place_ctx, va, &place);
	entry = place.obj ? unwind_entry(place.obj, &end) : 0;
	return entry && va - place.bias - entry < end - entry;
}

static bool has_table(struct cfi_walk *u, uint64_t va)
{
	struct cfi_place place = {0};

	u->place(u->place_ctx, va, &place);
	return place.table;
}

/* Frame-pointer steps through code without CFI would end at a root that is only guessed. */
static enum unwind_in table_place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	struct cfi_walk *u = ctx;
	struct cfi_place place = {0};

	u->place(u->place_ctx, va, &place);
	if (!place.table)
		return place.obj ? UNWIND_IN_NO_TABLE : UNWIND_IN_NOTHING;
	*table = place.table;
	*elf_va = va - place.bias;
	return UNWIND_IN_TABLE;
}

static bool table_read(void *ctx, uint64_t addr, uint64_t *value)
{
	return read_stack(ctx, addr, value);
}

/* Table walk from the cursor's frame on, which is the last of `frames`. `exact`: all its
 * registers are known. */
static enum cfi_walk_end walk_tables(struct cfi_walk *u, unw_cursor_t *c, bool exact,
				     uint64_t *frames, size_t max, size_t *n)
{
	static const struct table_walk_ops ops = {.place = table_place, .read = table_read};
	uint64_t regs[UNWIND_REGS] = {0}, *at = &frames[*n - 1], here = *at;
	enum unwind_end end;
	uint32_t more;

	for (int i = 0; i < UNWIND_REGS; i++) {
		unw_word_t value;

		if (!unw_get_reg(c, i, &value))
			regs[i] = value;
	}
	end = table_walk_on(&ops, u, regs, exact, at, (uint32_t)(max - *n + 1), &more);
	*at = here;
	*n += more - 1;
	switch (end) {
	case UNWIND_END_ROOT:
		return CFI_WALK_ROOT;
	case UNWIND_END_BAD_READ:
		return CFI_WALK_SLICE;
	case UNWIND_END_DEEP:
		return CFI_WALK_LIMIT;
	case UNWIND_END_CHAIN:
		return CFI_WALK_CHAIN;
	case UNWIND_END_ZERO:
		return CFI_WALK_ZERO;
	case UNWIND_END_LOOP:
		return CFI_WALK_ERROR;
	default:
		return CFI_WALK_NO_INFO;
	}
}

/*
 * Why libunwind says that there is no caller: a description says so, or the return address is 0. Without CFI it
 * steps by rbp, and a zero there is the end of a chain.
 */
static enum cfi_walk_end end_of(const struct cfi_walk *u, unw_cursor_t *c)
{
	unw_word_t sp = 0;

	if (!u->described)
		return CFI_WALK_CHAIN;
	return !unw_get_reg(c, UNW_REG_SP, &sp) && u->zero_at && u->zero_at == sp - 8
		       ? CFI_WALK_ZERO
		       : CFI_WALK_ROOT;
}

static enum cfi_walk_end walk(struct cfi_walk *u, unw_cursor_t *c, uint64_t *frames, size_t max,
			      size_t *n)
{
	unw_word_t ip, sp, last_sp = 0;
	bool exact = true, interrupts;
	int step;

	for (;; exact = interrupts) {
		if (has_table(u, frames[*n - 1] - (*n > 1)))
			return walk_tables(u, c, exact, frames, max, n);
		/* if this is a signal frame, the next frame was interrupted */
		interrupts = unw_is_signal_frame(c) > 0;
		u->zero_at = 0;
		step = unw_step(c);
		if (step <= 0 && is_start(u, frames[*n - 1] - (*n > 1)))
			return CFI_WALK_ROOT;
		if (step < 0)
			return u->past_slice ? CFI_WALK_SLICE : CFI_WALK_NO_INFO;
		/* Without CFI libunwind steps by rbp and takes a zero there for the root. In JIT
		 * code that is the end of a chain, in a file it is a guess. */
		if (!u->described && !u->current.is_jit)
			return CFI_WALK_NO_INFO;
		if (step == 0)
			return end_of(u, c);
		if (unw_get_reg(c, UNW_REG_IP, &ip) || unw_get_reg(c, UNW_REG_SP, &sp))
			return CFI_WALK_ERROR;
		if (!ip)
			return CFI_WALK_ZERO;
		if (sp <= last_sp && !interrupts)
			return CFI_WALK_ERROR;
		last_sp = sp;
		if (!is_code(u, ip))
			return CFI_WALK_NO_INFO;
		if (*n == max)
			return CFI_WALK_LIMIT;
		frames[(*n)++] = ip + interrupts;
	}
}

size_t cfi_walk(struct cfi_walk *u, const struct captured_stack *s, cfi_place_fn place, void *ctx,
		uint64_t *frames, size_t max, enum cfi_walk_end *end)
{
	unw_cursor_t cursor;
	size_t n = 1;

	u->sample = s;
	u->place = place;
	u->place_ctx = ctx;
	u->past_slice = false;
	u->current = (struct cfi_place){0};
	for (size_t i = 0; i < N_PAGES; i++)
		u->pages[i].obj = NULL; /* its object may have been freed */
	frames[0] = s->regs[16];
	*end = CFI_WALK_NO_INFO;
	if (!is_code(u, frames[0]))
		return n;
	if (unw_init_remote(&cursor, u->as, u))
		*end = CFI_WALK_ERROR;
	else
		*end = walk(u, &cursor, frames, max, &n);
	return n;
}

#else

int cfi_walk_new(struct cfi_walk **out)
{
	(void)out;
	return -EOPNOTSUPP;
}

void cfi_walk_free(struct cfi_walk *u)
{
	(void)u;
}

size_t cfi_walk(struct cfi_walk *u, const struct captured_stack *s, cfi_place_fn place, void *ctx,
		uint64_t *frames, size_t max, enum cfi_walk_end *end)
{
	(void)u, (void)place, (void)ctx, (void)max;
	frames[0] = s->regs[16];
	*end = CFI_WALK_NO_INFO;
	return 1;
}

#endif
