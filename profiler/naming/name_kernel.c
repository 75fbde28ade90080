// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/name_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/naming/kernel_debug.h"
#include "symbolizer/symbols/kallsyms.h"
#include "symbolizer/symbolizer.h"

/* /proc/modules has some hundred lines of a hundred bytes. */
#define MODULES_BYTES_MAX (1u << 20)

struct kernel_names {
	uint64_t modules;	   /* hash of the loaded modules and their addresses */
	struct kallsyms *kallsyms; /* NULL: unreadable */
	bool is_short;		   /* unreadable for lack of descriptors: a later try may succeed */
	struct kernel_debug *debug;
	struct symbolizer *symbolizer;
};

DEFINE_CLEANUP(kernel_names, kernel_names_close)

/* Hashes name, size and address of each module, but not its use count, which changes often:
 * "NAME SIZE REFERENCES USERS STATE ADDRESS [TAINT]" (proc(5)). */
static uint64_t hash_modules(void)
{
	_cleanup_free_ char *text = NULL;
	uint64_t hash = 0;
	size_t len;
	char *save;

	if (io_read_file("/proc/modules", MODULES_BYTES_MAX, &text, &len))
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[64], address[32] = "";
		unsigned long size;

		if (sscanf(line, "%63s %lu %*s %*s %*s %31s", name, &size, address) >= 2)
			hash = hash_mix(hash_mix(hash ^ hash_str(name), size), hash_str(address));
	}
	return hash;
}

bool kernel_names_stale(const struct kernel_names *k)
{
	return k->is_short || hash_modules() != k->modules;
}

int kernel_names_open(struct kernel_names **out, struct symbolizer *symbolizer)
{
	_cleanup_(kernel_names_freep) struct kernel_names *k = calloc(1, sizeof(*k));
	struct kernel_debug_opts opts = {0};
	int err;

	if (!k)
		return -ENOMEM;
	k->modules = hash_modules();
	err = kallsyms_load(&k->kallsyms);
	if (err == -ENOMEM)
		return err;
	k->is_short = err == -EMFILE || err == -ENFILE;
	if (err)
		log_warning("kernel functions have no names: %s",
			    err == -ENODATA ? "/proc/kallsyms shows only zeros "
					      "(kernel.kptr_restrict); run as root"
					    : strerror(-err));
	k->symbolizer = symbolizer;
	opts.stext = k->kallsyms ? kallsyms_stext(k->kallsyms) : 0;
	err = kernel_debug_new(&k->debug, &opts);
	if (err)
		return err;
	*out = steal_ptr(k);
	return 0;
}

void kernel_names_close(struct kernel_names *k)
{
	if (!k)
		return;
	kallsyms_free(k->kallsyms);
	kernel_debug_free(k->debug);
	free(k);
}

/* A run of addresses in one module. */
struct run {
	const char **names; /* by index */
	const char *module;
	size_t *index; /* addresses to look up lines for */
	uint64_t *elf_va;
	size_t n;
	kernel_answer_fn fn;
	void *ctx;
	int err;
};

static void answer_plain(struct run *r, size_t index)
{
	struct kernel_answer a = {.name = r->names[index], .module = r->module};

	r->err = r->err ?: r->fn(r->ctx, index, &a);
}

static void on_frames(void *ctx, size_t i, const struct sym_result *s)
{
	struct run *r = ctx;
	size_t index = r->index[i];
	struct kernel_answer a = {.name = r->names[index],
				  .module = r->module,
				  .frames = s->frames,
				  .n_frames = s->n_frames};

	if (s->n_frames == 1 && !s->frames[0].file)
		answer_plain(r, index);
	else
		r->err = r->err ?: r->fn(r->ctx, index, &a);
}

static int resolve_run(struct kernel_names *k, struct run *r, const uint64_t *addr, size_t from,
		       size_t to)
{
	const struct kernel_file *f = NULL;
	struct sym_file file = {.root_fd = -1};
	int err = k->symbolizer ? kernel_debug_file(k->debug, r->module, &f) : -ENOENT;

	if (err && err != -ENOENT)
		return err;
	r->n = 0;
	for (size_t i = from; i < to; i++) {
		if (err || !r->names[i] || !kernel_file_va(f, addr[i], &r->elf_va[r->n]))
			answer_plain(r, i);
		else
			r->index[r->n++] = i;
	}
	if (!r->n)
		return r->err;
	file.fd = kernel_file_fd(f);
	file.path = kernel_file_path(f);
	file.build_id = kernel_file_build_id(f);
	err = symbolizer_resolve_va(k->symbolizer, &file, r->elf_va, r->n, on_frames, r);
	return err ?: r->err;
}

int kernel_names_resolve(struct kernel_names *k, const uint64_t *addr, size_t n,
			 kernel_answer_fn fn, void *ctx)
{
	_cleanup_free_ const char **names = calloc(n + 1, sizeof(*names));
	_cleanup_free_ const char **modules = calloc(n + 1, sizeof(*modules));
	_cleanup_free_ size_t *index = calloc(n + 1, sizeof(*index));
	_cleanup_free_ uint64_t *elf_va = calloc(n + 1, sizeof(*elf_va));
	struct run r = {.names = names, .index = index, .elf_va = elf_va, .fn = fn, .ctx = ctx};
	uint64_t start;
	int err = 0;

	if (!names || !modules || !index || !elf_va)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!k->kallsyms ||
		    kallsyms_find(k->kallsyms, addr[i], &names[i], &modules[i], &start))
			modules[i] = "";
	for (size_t from = 0, to; from < n && !err; from = to) {
		for (to = from + 1; to < n && !strcmp(modules[to], modules[from]);)
			to++;
		r.module = modules[from];
		err = resolve_run(k, &r, addr, from, to);
	}
	return err;
}
