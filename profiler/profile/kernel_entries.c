// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/kernel_entries.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/n_of.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/frame_role.h"

/* More than Linux has system calls. */
#define ENTRIES_MAX 1000
#define NONE	    UINT16_MAX

/* Functions that the kernel makes of SYSCALL_DEFINE() (include/linux/syscalls.h), and helpers of the oldest. */
static const char *const call_prefixes[] = {
	"__x64_sys_",	      "__ia32_sys_",	   "__arm64_sys_",
	"__do_sys_",	      "__se_sys_",	   "ksys_",
	"__ia32_compat_sys_", "__x64_compat_sys_", "__arm64_compat_sys_",
	"__do_compat_sys_",   "__se_compat_sys_",
};

/* What the kernel calls otherwise than programs do (syscalls(2)). */
static const char *const other_names[][2] = {
	{"newstat", "stat"},	    {"newlstat", "lstat"},	   {"newfstat", "fstat"},
	{"newuname", "uname"},	    {"fadvise64_64", "fadvise64"}, {"mmap_pgoff", "mmap"},
	{"sendfile64", "sendfile"},
};

/* Functions that the entry of a system call jumps to, so that it is not on the stack itself. */
static const char *const jumped_to[][2] = {
	{"vm_mmap_pgoff", "mmap"},
	{"do_writev", "writev"},
	{"do_readv", "readv"},
	{"do_pwritev", "pwritev"},
	{"do_preadv", "preadv"},
	{"do_epoll_wait", "epoll_wait"},
	{"do_sys_poll", "poll"},
	{"do_futex", "futex"},
	{"core_sys_select", "select"},
	{"do_sys_open", "open"},
	{"do_sys_openat2", "openat"},
	{"do_unlinkat", "unlinkat"},
	{"do_readlinkat", "readlinkat"},
	{"do_faccessat", "faccessat"},
	{"kernel_wait4", "wait4"},
	{"do_madvise", "madvise"},
	{"do_mprotect_pkey", "mprotect"},
	{"do_sendfile", "sendfile"},
};
#define SOCKET_PREFIX "__sys_" /* and those that set a process's users */

/* What calls them, and calls nothing else. */
static const char *const dispatchers[] = {
	"do_syscall_64",	"x64_sys_call",	      "ia32_sys_call",
	"do_int80_syscall_32",	"do_int80_emulation", "do_fast_syscall_32",
	"__do_fast_syscall_32", "invoke_syscall*",    "el0_svc_common*",
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

static const char *find_name(const char *const (*names)[2], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i][0]))
			return names[i][1];
	return NULL;
}

/* Parts that a compiler has split off have a '.': whoever calls them tells. */
const char *kernel_entry_of(const char *function)
{
	if (strchr(function, '.'))
		return NULL;
	for (size_t i = 0; i < N_OF(call_prefixes); i++) {
		size_t len = strlen(call_prefixes[i]);

		if (!strncmp(function, call_prefixes[i], len) && function[len])
			return find_name(other_names, N_OF(other_names), function + len)
				       ?: function + len;
	}
	for (size_t i = 0; i < N_OF(others); i++)
		if (frame_name_matches(function, others[i].name))
			return others[i].entry;
	return NULL;
}

const char *kernel_entry_jumped_to(const char *function)
{
	size_t len = strlen(SOCKET_PREFIX);

	if (!strncmp(function, SOCKET_PREFIX, len) && function[len] && !strchr(function, '.'))
		return function + len;
	return find_name(jumped_to, N_OF(jumped_to), function);
}

static bool is_dispatcher(const char *function)
{
	for (size_t i = 0; i < N_OF(dispatchers); i++)
		if (frame_name_matches(function, dispatchers[i]))
			return true;
	return false;
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

/* Of a location. NONE, and false, of all that are not in the kernel. */
struct location_entry {
	uint16_t row, jumped_to;
	bool dispatches;
};

static int read_location(struct kernel_entries *k, const struct profile *p, uint32_t location,
			 struct location_entry *out)
{
	const struct profile_location *l = &p->locations.data[location];
	int err = 0;

	*out = (struct location_entry){NONE, NONE, false};
	if (profile_frame_kind(p, location) != FRAME_KERNEL)
		return 0;
	for (uint32_t i = 0; !err && out->row == NONE && i < l->n_lines; i++) {
		uint32_t function = p->lines.data[l->first_line + i].function;
		const char *name = profile_text(p, p->functions.data[function].name);

		out->dispatches |= is_dispatcher(name);
		err = row_of(k, kernel_entry_of(name), &out->row)
			      ?: row_of(k, kernel_entry_jumped_to(name), &out->jumped_to);
	}
	return err;
}

/* Innermost first. Kernel frames are the inner ones. */
static uint16_t row_of_stack(const struct profile *p, const struct profile_stack *stack,
			     const struct location_entry *of_location)
{
	uint16_t inner = NONE;

	for (uint32_t i = 0; i < stack->len; i++) {
		uint32_t location = p->frames.data[stack->first + i];
		const struct location_entry *e = &of_location[location];

		if (profile_frame_kind(p, location) != FRAME_KERNEL)
			return NONE;
		if (e->row != NONE || (e->dispatches && inner != NONE))
			return e->row != NONE ? e->row : inner;
		inner = e->jumped_to;
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
	_cleanup_free_ struct location_entry *of_location =
		malloc((p->locations.len + 1) * sizeof(*of_location));
	int err = of_location ? 0 : -ENOMEM;

	*out = (struct kernel_entries){0};
	for (size_t i = 0; !err && i < p->locations.len; i++)
		err = read_location(out, p, (uint32_t)i, &of_location[i]);
	for (size_t i = 0; !err && i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint16_t row = row_of_stack(p, &p->stacks.data[s->stack], of_location);

		if (row != NONE)
			out->rows.data[row].value = saturating_sum(
				out->rows.data[row].value, p->values.data[s->first_value + value]);
	}
	if (!err && out->rows.len)
		qsort(out->rows.data, out->rows.len, sizeof(*out->rows.data), compare_values);
	while (out->rows.len && !out->rows.data[out->rows.len - 1].value)
		out->rows.len--; /* what was jumped to elsewhere */
	return err;
}

void kernel_entries_release(struct kernel_entries *k)
{
	vec_release(&k->rows);
	*k = (struct kernel_entries){0};
}
