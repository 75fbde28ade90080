// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/kernel_entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/frame_role.h"

/* More than Linux has system calls. */
#define ENTRIES_MAX 1000
#define NONE	    UINT16_MAX

/* Functions that the kernel makes of SYSCALL_DEFINE() (include/linux/syscalls.h), and helpers of the oldest. */
static const char *const call_prefixes[] = {
	"__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__do_sys_", "__se_sys_", "ksys_",
};

/* As in frame_name_matches(). */
static const struct {
	const char *name, *entry;
} others[] = {
	{"exc_page_fault", "page faults"},
	{"asm_exc_page_fault", "page faults"},
	{"do_page_fault", "page faults"},
	{"do_mem_abort", "page faults"},
	{"asm_sysvec_*", "interrupts"},
	{"sysvec_*", "interrupts"},
	{"asm_common_interrupt", "interrupts"},
	{"common_interrupt", "interrupts"},
	{"do_IRQ", "interrupts"},
	{"el0_interrupt", "interrupts"},
	{"el1_interrupt", "interrupts"},
};

const char *kernel_entry_of(const char *function)
{
	for (size_t i = 0; i < sizeof(call_prefixes) / sizeof(*call_prefixes); i++) {
		size_t len = strlen(call_prefixes[i]);

		if (!strncmp(function, call_prefixes[i], len) && function[len])
			return function + len;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (frame_name_matches(function, others[i].name))
			return others[i].entry;
	return NULL;
}

/* The row of a name, or NONE. 0 or -ENOMEM. */
static int row_of(struct kernel_entries *k, const char *name, uint16_t *row)
{
	*row = NONE;
	if (!name)
		return 0;
	for (size_t i = 0; i < k->rows.len; i++) {
		if (strcmp(k->rows.data[i].name, name))
			continue;
		*row = (uint16_t)i;
		return 0;
	}
	if (k->rows.len == ENTRIES_MAX)
		return 0;
	*row = (uint16_t)k->rows.len;
	return vec_push(&k->rows, ((struct kernel_entry){.name = name}));
}

/* Of a location in the kernel; NONE too for all others. */
static int row_of_location(struct kernel_entries *k, const struct profile *p, uint32_t location,
			   uint16_t *row)
{
	const struct profile_location *l = &p->locations.data[location];
	int err = 0;

	*row = NONE;
	if (profile_frame_kind(p, location) != FRAME_KERNEL)
		return 0;
	for (uint32_t i = 0; !err && *row == NONE && i < l->n_lines; i++) {
		uint32_t function = p->lines.data[l->first_line + i].function;
		const char *name = profile_text(p, p->functions.data[function].name);

		err = row_of(k, kernel_entry_of(name), row);
	}
	return err;
}

/* Innermost first. Kernel frames are the inner ones. */
static uint16_t row_of_stack(const struct profile *p, const struct profile_stack *stack,
			     const uint16_t *of_location)
{
	for (uint32_t i = 0; i < stack->len; i++) {
		uint32_t location = p->frames.data[stack->first + i];

		if (profile_frame_kind(p, location) != FRAME_KERNEL)
			return NONE;
		if (of_location[location] != NONE)
			return of_location[location];
	}
	return NONE;
}

static int compare_values(const void *x, const void *y)
{
	const struct kernel_entry *a = x, *b = y;

	return compare_sizes(a->value, b->value) ?: strcmp(a->name, b->name);
}

int kernel_entries_build(struct kernel_entries *out, const struct profile *p, size_t value)
{
	_cleanup_free_ uint16_t *of_location =
		malloc((p->locations.len + 1) * sizeof(*of_location));
	int err = of_location ? 0 : -ENOMEM;

	*out = (struct kernel_entries){0};
	for (size_t i = 0; !err && i < p->locations.len; i++)
		err = row_of_location(out, p, (uint32_t)i, &of_location[i]);
	for (size_t i = 0; !err && i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint16_t row = row_of_stack(p, &p->stacks.data[s->stack], of_location);

		if (row != NONE)
			out->rows.data[row].value = saturating_sum(
				out->rows.data[row].value, p->values.data[s->first_value + value]);
	}
	if (!err && out->rows.len)
		qsort(out->rows.data, out->rows.len, sizeof(*out->rows.data), compare_values);
	return err;
}

void kernel_entries_release(struct kernel_entries *k)
{
	vec_release(&k->rows);
	*k = (struct kernel_entries){0};
}
