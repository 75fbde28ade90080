// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/roles.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

#include "profiler/agent/agent.h"
#include "profiler/agent/config.h"
#include "profiler/agent/debuginfo_role.h"
#include "profiler/agent/host_share.h"
#include "profiler/agent/http_role.h"
#include "profiler/agent/store_owner.h"
#include "profiler/agent/upload_role.h"
#include "profiler/agent/writer.h"
#include "profiler/base/log.h"
#include "profiler/base/n_of.h"
#include "profiler/base/privileges.h"

/* What only root has: to make readers another user in name spaces of their own, and to end them; to measure
 * the time of BPF programs; and the limits of descriptors and of locked memory. */
#define READER_CAPS                                                                                \
	(PRIVILEGE(CAP_SYS_ADMIN) | PRIVILEGE(CAP_SETUID) | PRIVILEGE(CAP_SETGID) |                \
	 PRIVILEGE(CAP_SETPCAP) | PRIVILEGE(CAP_KILL) | PRIVILEGE(CAP_SYS_RESOURCE))
/* What it takes to confine the others. */
#define CONFINING_CAPS                                                                             \
	(PRIVILEGE(CAP_SETUID) | PRIVILEGE(CAP_SETGID) | PRIVILEGE(CAP_SETPCAP) |                  \
	 PRIVILEGE(CAP_SYS_ADMIN) | PRIVILEGE(CAP_CHOWN) | PRIVILEGE(CAP_DAC_OVERRIDE) |           \
	 PRIVILEGE(CAP_FOWNER) | PRIVILEGE(CAP_KILL))

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
				   SYS_sendfile,   SYS_select,	   SYS_pselect6};

/* And to send to others: libcurl with threads that look up names, GnuTLS; and to write cursors. */
static const int uploader_calls[] = {
	STORE_CALLS,	 SYS_mkdir,	 SYS_unlinkat,	 SYS_renameat, SYS_utimensat,
	SYS_fchmod,	 SYS_socket,	 SYS_socketpair, SYS_connect,  SYS_bind,
	SYS_sendto,	 SYS_recvfrom,	 SYS_sendmmsg,	 SYS_shutdown, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_eventfd2, SYS_pipe2,
	SYS_select,	 SYS_pselect6};

/* And to give files to others that somebody else opens. */
static const int debuginfo_calls[] = {
	STORE_CALLS,	 SYS_socket,	 SYS_socketpair, SYS_connect,  SYS_bind,
	SYS_sendto,	 SYS_recvfrom,	 SYS_sendmmsg,	 SYS_shutdown, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_eventfd2, SYS_pipe2,
	SYS_select,	 SYS_pselect6};

#define N_CALLS(calls) (sizeof(calls) / sizeof(*(calls)))

static bool store_differs(const struct config *a, const struct config *b)
{
	return CONFIG_DIFFERS(a, b, CONFIG_KEY_store_path, CONFIG_KEY_store_max_bytes,
			      CONFIG_KEY_store_max_age_ns, CONFIG_KEY_store_min_free_bytes,
			      CONFIG_KEY_log_level, CONFIG_KEY_log_format);
}

/* On a host that is left out from now on. */
static bool sampler_must_end(const struct config *before, const struct config *after)
{
	return host_is_sampled(before) && !host_is_sampled(after);
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
			.check = http_role_check,
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
	[ROLE_UPLOADER] =
		{
			.name = "uploader",
			.comm = "kiln-uploader",
			.prepare = upload_role_prepare,
			.run = upload_role_run,
			.check = upload_role_check_files,
			.limits =
				{
					.calls = uploader_calls,
					.n_calls = N_CALLS(uploader_calls),
					.service_user = true,
				},
			.reads_store = true,
			.uploads = true,
			.is_optional = true,
			.is_wanted = upload_role_is_wanted,
			.needs_restart = upload_role_differs,
			.log_lines = 2,
		},
	[ROLE_DEBUGINFO] =
		{
			.name = "giver of debug information",
			.comm = "kiln-debuginfo",
			.prepare = debuginfo_role_prepare,
			.run = debuginfo_role_run,
			.limits =
				{
					.calls = debuginfo_calls,
					.n_calls = N_CALLS(debuginfo_calls),
					.service_user = true,
				},
			.uploads = true,
			.sends_to = debuginfo_role_sends_to,
			.is_optional = true,
			.is_wanted = debuginfo_role_is_wanted,
			.needs_restart = upload_role_differs,
			.log_lines = 1,
		},
	[ROLE_SAMPLER] =
		{
			.name = "sampler",
			.comm = "kiln-sampler",
			.run = agent_run,
			.limits = {.caps = PRIVILEGES_SAMPLING | READER_CAPS, .read_only = true},
			.is_wanted = host_is_sampled,
			.needs_restart = sampler_must_end,
			.log_lines = 3,
		},
};

bool role_is_wanted(const struct role *r, const struct config *c)
{
	return !r->is_wanted || r->is_wanted(c);
}

int roles_check(const struct config *c, bool is_lenient)
{
	int err = 0;

	for (int i = 0; i < ROLE_COUNT; i++) {
		int failed = 0;

		if (roles[i].check && role_is_wanted(&roles[i], c))
			failed = roles[i].check(c, is_lenient);
		err = err ?: failed;
	}
	return err;
}

uint64_t roles_caps(void)
{
	uint64_t all = CONFINING_CAPS;

	for (int i = 0; i < ROLE_COUNT; i++)
		all |= roles[i].limits.caps;
	return all;
}

/* Names of users and groups are looked up. */
static const char *const readable[] = {"/etc/group", "/etc/passwd", "/etc/nsswitch.conf"};

/* What else it takes to send to others: hosts' names, and certificates of authorities where distributions have
 * them. Those of the configuration are read while there are privileges. */
static const char *const uploads_read[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/run/systemd/resolve",
	"/run/resolvconf",
	"/run/NetworkManager",
	"/etc/ssl",
	"/etc/pki/tls",
	"/etc/pki/ca-trust",
	"/etc/gnutls",
	"/etc/crypto-policies",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/var/lib/ca-certificates",
};

struct reach {
	struct landlock_path v[3 + N_OF(readable) + N_OF(uploads_read)];
	size_t n;
	char cursors[PATH_MAX];
};

static void add_all(struct reach *r, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->v[r->n++] = (struct landlock_path){paths[i], LANDLOCK_READ};
}

/* The directory of cursors is made for who writes there. */
static int add_cursors(struct reach *r, const struct config *c, const struct identity *who)
{
	int err = upload_role_dir(c, r->cursors, sizeof(r->cursors));

	err = err ?: store_owner_cursors(c->store_path, who);
	if (!err)
		r->v[r->n++] = (struct landlock_path){r->cursors, LANDLOCK_WRITE};
	return err;
}

static void add_network(struct reach *r)
{
	r->v[r->n++] = (struct landlock_path){NULL, LANDLOCK_CONNECT};
	add_all(r, uploads_read, N_OF(uploads_read));
}

/* Whoever reaches no store is still the user that others are who do. */
static int enter_store(const struct role *r, const struct config *c, const struct identity *who,
		       pid_t parent)
{
	bool has_store = r->writes_store || r->reads_store;
	struct reach reach = {.n = 0};
	struct identity as = *who;
	int err;

	confine_raise(true);
	if (has_store)
		reach.v[reach.n++] = (struct landlock_path){
			c->store_path, r->writes_store ? LANDLOCK_WRITE : LANDLOCK_READ};
	add_all(&reach, readable, N_OF(readable));
	err = store_owner_prepare(c->store_path, &as);
	if (!err && r->uploads && has_store)
		err = add_cursors(&reach, c, &as);
	if (r->uploads)
		add_network(&reach);
	if (err) {
		log_error("%s: %s; store.path says where else", c->store_path, strerror(-err));
		return err;
	}
	return confine_enter(&r->limits, &as, parent, reach.v, reach.n);
}

int role_enter(const struct role *r, const struct config *c, const struct identity *who,
	       pid_t parent)
{
	int err;

	if (r->writes_store || r->reads_store || r->uploads)
		return enter_store(r, c, who, parent);
	err = confine_enter(&r->limits, who, parent, NULL, 0);
	if (err)
		log_error("the %s cannot give up its privileges: %s", r->name, strerror(-err));
	return err;
}
