// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long the beginning of a recording waits for unwind tables. There is no kernel, no opener and no
 * compiler: this file stands in for them, and both of the latter may hang.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/profile.skel.h"
#include "profiler/base/clock.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/sampler/sampler.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/worker/table_worker.h"

#define WAIT_MS 1000

/* --- who is not there ---------------------------------------------------------------------------- */

static struct profile_bpf__bss bss;
static struct profile_bpf skeleton = {.bss = &bss};
static bool opener_hangs;
static atomic_bool is_cancelled;

struct profile_bpf *sampler_skeleton(struct sampler *s)
{
	(void)s;
	return &skeleton;
}

bool sampler_reports_mappings(const struct sampler *s)
{
	(void)s;
	return false;
}

const struct proc_image *procs_image(struct procs *p, pid_t tgid, uint64_t t_ns)
{
	(void)p, (void)tgid, (void)t_ns;
	return NULL;
}

const struct proc_mapping *procs_live(struct procs *p, pid_t tgid, size_t *n, uint32_t *version)
{
	(void)p, (void)tgid;
	*n = 0;
	*version = 0;
	return NULL;
}

bool files_settle(struct files *f, int timeout_ms)
{
	(void)f;
	if (opener_hangs)
		usleep((useconds_t)timeout_ms * 1000);
	return !opener_hangs;
}

uint64_t files_sweeps(struct files *f)
{
	(void)f;
	return 0;
}

bool files_knows(struct files *f, uint32_t id)
{
	(void)f, (void)id;
	return false;
}

void files_get(struct files *f, uint32_t id, struct file_view *out)
{
	(void)f, (void)id;
	*out = (struct file_view){.fd = -1, .err = -ENOENT};
}

void files_release_fd(struct files *f, uint32_t id)
{
	(void)f, (void)id;
}

/* The compiler hangs on the vDSO, which is the first file. */
int table_worker_look(struct table_worker *u, const struct sym_file *file, struct elf_facts *facts)
{
	(void)u, (void)file, (void)facts;
	while (!is_cancelled)
		usleep(1000);
	return -ECONNABORTED;
}

int table_worker_build(struct table_worker *u, const struct sym_file *file, void **blob,
		       size_t *len)
{
	(void)u, (void)file, (void)blob, (void)len;
	return -ECONNABORTED;
}

void table_worker_cancel(struct table_worker *u)
{
	(void)u;
	is_cancelled = true;
}

/* ------------------------------------------------------------------------------------------------- */

static uint64_t settle_ms(void)
{
	struct unwind_feed_opts opts = {.sampler = (struct sampler *)&is_cancelled};
	struct unwind_feed *feed;
	uint64_t begin;

	is_cancelled = false;
	assert_int_equal(unwind_feed_new(&feed, &opts), 0);
	begin = monotonic_ns();
	unwind_feed_settle(feed, NULL, WAIT_MS);
	begin = (monotonic_ns() - begin) / 1000000;
	unwind_feed_free(feed);
	return begin;
}

/* The opener and the compiler share one time. */
static void test_both_hang(void **state)
{
	(void)state;
	opener_hangs = true;
	assert_in_range(settle_ms(), WAIT_MS, 2 * WAIT_MS - WAIT_MS / 10);
}

/* What the opener leaves of it is the compiler's. */
static void test_compiler_hangs(void **state)
{
	(void)state;
	opener_hangs = false;
	assert_in_range(settle_ms(), WAIT_MS - 1, 2 * WAIT_MS - WAIT_MS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_hang),
		cmocka_unit_test(test_compiler_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
