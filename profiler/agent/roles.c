// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/roles.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>

#include "profiler/agent/agent.h"
#include "profiler/agent/config_schema.h"
#include "profiler/agent/http_role.h"
#include "profiler/agent/store_owner.h"
#include "profiler/agent/writer.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"

#define BIT(cap) (1ull << (cap))

/* The C library may lack these. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* What tools/kiln-agent.service grants: sampling; other users' processes and files; symbols of the kernel. */
#define SAMPLING_CAPS                                                                              \
	(BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE) | BIT(CAP_SYSLOG) |                 \
	 BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_CHECKPOINT_RESTORE))
/* What only root has: to make readers another user in name spaces of their own, and to end them; to measure
 * the time of BPF programs; and the limits of descriptors and of locked memory. */
#define READER_CAPS                                                                                \
	(BIT(CAP_SYS_ADMIN) | BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) |               \
	 BIT(CAP_KILL) | BIT(CAP_SYS_RESOURCE))
/* What it takes to confine the others. */
#define CONFINING_CAPS                                                                             \
	(BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SYS_ADMIN) |               \
	 BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_KILL))

/* Beside those of a reader: to read the store, with SQLite's locks, in threads. */
#define STORE_CALLS                                                                                \
	SYS_openat, SYS_poll, SYS_ppoll, SYS_fcntl, SYS_flock, SYS_newfstatat, SYS_stat,           \
		SYS_lstat, SYS_access, SYS_faccessat, SYS_readlink, SYS_readlinkat, SYS_getcwd,    \
		SYS_getdents64, SYS_statfs, SYS_fstatfs, SYS_geteuid, SYS_getuid, SYS_getegid,     \
		SYS_getgid, SYS_getppid, SYS_rt_sigaction, SYS_sigaltstack, SYS_set_robust_list,   \
		SYS_sched_getaffinity, SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_getres,       \
		SYS_uname, SYS_writev, SYS_dup, SYS_rseq, __NR_faccessat2

/* And to write it. */
static const int writer_calls[] = {STORE_CALLS,	  SYS_mkdir,	SYS_mkdirat,   SYS_unlink,
				   SYS_unlinkat,  SYS_renameat, SYS_renameat2, SYS_linkat,
				   SYS_fchmod,	  SYS_fchown,	SYS_fchownat,  SYS_utimensat,
				   SYS_fallocate, SYS_fadvise64};

/* And to serve connections. */
static const int server_calls[] = {STORE_CALLS,	   SYS_accept4,	   SYS_accept,	    SYS_recvfrom,
				   SYS_sendto,	   SYS_shutdown,   SYS_getsockname, SYS_getpeername,
				   SYS_getsockopt, SYS_setsockopt, SYS_eventfd2,    SYS_pipe2,
				   SYS_sendfile,   SYS_ioctl,	   SYS_select,	    SYS_pselect6};

#define N_CALLS(calls) (sizeof(calls) / sizeof(*(calls)))

static bool store_differs(const struct config *a, const struct config *b)
{
	return !text_same(a->store_path, b->store_path) ||
	       a->store_max_bytes != b->store_max_bytes ||
	       a->store_max_age_ns != b->store_max_age_ns ||
	       a->store_min_free_bytes != b->store_min_free_bytes || a->log_level != b->log_level ||
	       a->log_format != b->log_format;
}

const struct role roles[ROLE_COUNT] = {
	[ROLE_WRITER] =
		{
			.name = "store writer",
			.comm = "kiln-writer",
			.run = writer_run,
			.limits =
				{
					.calls = writer_calls,
					.n_calls = N_CALLS(writer_calls),
					.service_user = true,
					.no_network = true,
				},
			.writes_store = true,
			.needs_restart = store_differs,
			.log_lines = 2,
		},
	[ROLE_SERVER] =
		{
			.name = "HTTP server",
			.comm = "kiln-server",
			.prepare = http_role_prepare,
			.run = http_role_run,
			.limits =
				{
					.calls = server_calls,
					.n_calls = N_CALLS(server_calls),
					.service_user = true,
				},
			.reads_store = true,
			.is_optional = true,
			.needs_restart = http_role_differs,
			.log_lines = 1,
		},
	[ROLE_SAMPLER] =
		{
			.name = "sampler",
			.comm = "kiln-sampler",
			.run = agent_run,
			.limits = {.caps = SAMPLING_CAPS | READER_CAPS, .read_only = true},
			.log_lines = 4,
		},
};

uint64_t roles_caps(void)
{
	uint64_t all = CONFINING_CAPS;

	for (int i = 0; i < ROLE_COUNT; i++)
		all |= roles[i].limits.caps;
	return all;
}

/* Names of users and groups are looked up. */
static const char *const readable[] = {"/etc/group", "/etc/passwd", "/etc/nsswitch.conf"};
#define N_READABLE (sizeof(readable) / sizeof(*readable))

static int enter_store(const struct role *r, const struct config *c, const struct identity *who,
		       pid_t parent)
{
	struct landlock_path paths[N_READABLE + 1] = {
		{c->store_path, r->writes_store ? LANDLOCK_WRITE : LANDLOCK_READ}};
	struct identity as = *who;
	int err;

	confine_raise(true);
	err = store_owner_prepare(c->store_path, &as);
	if (err) {
		log_error("%s: %s; store.path says where else", c->store_path, strerror(-err));
		return err;
	}
	for (size_t i = 0; i < N_READABLE; i++)
		paths[i + 1] = (struct landlock_path){readable[i], LANDLOCK_READ};
	return confine_enter(&r->limits, &as, parent, paths, N_READABLE + 1);
}

int role_enter(const struct role *r, const struct config *c, const struct identity *who,
	       pid_t parent)
{
	int err;

	if (r->writes_store || r->reads_store)
		return enter_store(r, c, who, parent);
	err = confine_enter(&r->limits, who, parent, NULL, 0);
	if (err)
		log_error("the %s cannot give up its privileges: %s", r->name, strerror(-err));
	return err;
}
