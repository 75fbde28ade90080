// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/http_role.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/config_values.h"
#include "profiler/agent/confine.h"
#include "profiler/agent/role_env.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/sanitizer.h"
#include "profiler/base/text.h"
#include "profiler/http/http.h"

#define TOKEN_MAX (64u << 10)
#define PEM_MAX	  (1u << 20)
#define LOOK_MS	  1000
/* For queries, and the stacks of threads; what exceeds it is out of memory. Not the address space: the C
 * library reserves more of that for each thread than it ever uses. */
#define DATA_BYTES (1ull << 30)

struct prepared {
	struct http_opts opts;
	char *token, *cert, *key;
	const char **hosts;
};

static void prepared_free(struct prepared *p)
{
	if (!p)
		return;
	cleanup_close_fd(&p->opts.tcp_fd);
	cleanup_close_fd(&p->opts.unix_fd);
	free(p->token);
	free(p->cert);
	free(p->key);
	free(p->hosts);
	free(p);
}

DEFINE_CLEANUP(prepared, prepared_free)

/* --- while there are privileges ------------------------------------------------------------------ */

static int read_text(const char *key, const char *path, size_t most, char **out)
{
	size_t len;
	int err;

	if (!path)
		return 0;
	err = io_read_file(path, most, out, &len);
	if (err)
		log_error("%s: %s: %s", key, path, strerror(-err));
	else if (strlen(*out) != len)
		err = -EINVAL, log_error("%s: %s: it is no text", key, path);
	return err;
}

static int read_secrets(struct prepared *p, const struct config *c)
{
	int err = read_text("http.token_file", c->http_token_file, TOKEN_MAX, &p->token);

	if (!err && p->token) {
		p->token[strcspn(p->token, "\r\n")] = '\0';
		if (!p->token[0]) {
			log_error("http.token_file: %s: the first line is empty",
				  c->http_token_file);
			err = -EINVAL;
		}
	}
	return err ?: read_text("http.tls.cert", c->tls_cert, PEM_MAX, &p->cert) ?:
		      read_text("http.tls.key", c->tls_key, PEM_MAX, &p->key);
}

static void warn_of_readers(const char *key, const char *path)
{
	struct stat st;

	if (path && !stat(path, &st) && S_ISREG(st.st_mode) && (st.st_mode & 07))
		log_warning("%s: %s: everybody may open it: chmod o= %s", key, path, path);
}

static void warn_of_all_readers(const struct config *c)
{
	warn_of_readers("http.token_file", c->http_token_file);
	warn_of_readers("http.tls.key", c->tls_key);
}

int http_role_check(const struct config *c, bool is_lenient)
{
	_cleanup_(prepared_freep) struct prepared *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->opts.tcp_fd = p->opts.unix_fd = -1;
	err = read_secrets(p, c);
	if (err == -EACCES && is_lenient)
		return 0; /* it has been said */
	if (!err)
		warn_of_all_readers(c);
	return err;
}

static gid_t store_group(void)
{
	const struct group *g = getgrnam(CONFINE_USER);

	return g ? g->gr_gid : (gid_t)-1;
}

static int listen_on(struct prepared *p, const struct config *c)
{
	struct why why = {""};
	int err = 0;

	if (!config_listen_is_off(c->http_listen))
		err = http_listen_tcp(&p->opts.tcp_fd, c->http_listen, &why);
	if (!err && c->http_socket)
		err = http_listen_unix(&p->opts.unix_fd, c->http_socket, store_group(), &why);
	if (err)
		log_error("%s", why.text);
	return err;
}

static int copy_hosts(struct prepared *p, const struct config *c)
{
	size_t n = c->http_hosts.list.len;

	p->hosts = calloc(n + 1, sizeof(*p->hosts));
	if (!p->hosts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p->hosts[i] = c->http_hosts.list.data[i];
	return 0;
}

static void limit_memory(void)
{
	struct rlimit r = {.rlim_cur = DATA_BYTES, .rlim_max = DATA_BYTES};

	if (!SANITIZED && setrlimit(RLIMIT_DATA, &r))
		log_debug("the HTTP server's memory has no limit: %s", strerror(errno));
}

/* A test has no time for a query of seconds. 0: the server's own limit. */
static uint64_t query_ns(void)
{
	const char *test = getenv("KILN_TEST_QUERY_NS");
	uint64_t ns;

	return test && !text_parse_u64(test, 60 * NS_PER_S, &ns) ? ns : 0;
}

int http_role_prepare(struct role_env *env)
{
	_cleanup_(prepared_freep) struct prepared *p = calloc(1, sizeof(*p));
	const struct config *c = env->config;
	int err;

	if (!p)
		return -ENOMEM;
	limit_memory();
	p->opts.tcp_fd = p->opts.unix_fd = -1;
	err = read_secrets(p, c) ?: copy_hosts(p, c) ?: listen_on(p, c);
	if (err)
		return err;
	warn_of_all_readers(c);
	p->opts.query_ns = query_ns();
	p->opts.store_path = c->store_path;
	p->opts.hosts = p->hosts;
	p->opts.token = p->token;
	p->opts.cert = p->cert;
	p->opts.key = p->key;
	p->opts.metrics = env->metrics;
	env->prepared = steal_ptr(p);
	return 0;
}

/* --- afterwards ----------------------------------------------------------------------------------- */

/* False: it is time to end. */
static bool take_control(struct role_env *env, struct server *s)
{
	struct control_msg m;
	int fd = -1, r = control_recv(env->control, &m, &fd);

	if (r > 0 && m.kind == CONTROL_CHANNEL)
		http_set_live(s, steal_fd(&fd));
	cleanup_close_fd(&fd);
	return r != -ECONNRESET && (r <= 0 || m.kind != CONTROL_END);
}

static int serve(struct role_env *env, struct server *s)
{
	struct pollfd p = {.fd = env->control, .events = POLLIN};
	bool goes_on = true;

	while (goes_on) {
		int wait_ms = (int)(env->beat_ns / 1000000);

		if (poll(&p, 1, wait_ms < LOOK_MS ? wait_ms : LOOK_MS) > 0)
			goes_on = take_control(env, s);
		if (!http_look(s)) {
			log_error("a query does not end: the HTTP server starts anew");
			return -ETIME;
		}
		role_beat(env, monotonic_ns());
	}
	return 0;
}

int http_role_run(struct role_env *env)
{
	_cleanup_(prepared_freep) struct prepared *p = env->prepared;
	struct server *s = NULL;
	int err = http_start(&s, &p->opts);

	if (!err) {
		role_ready(env);
		err = serve(env, s);
		if (err)
			return err; /* what hangs cannot be stopped: exit() ends it */
		http_stop(s);
	}
	p->opts.tcp_fd = p->opts.unix_fd = -1; /* closed by the server */
	config_free(env->config);
	return err;
}

/* --- another configuration ------------------------------------------------------------------------ */

/* With files of secrets it always starts anew: they may hold something else by now. */
bool http_role_differs(const struct config *a, const struct config *b)
{
	return b->http_token_file || b->tls_cert || b->tls_key ||
	       CONFIG_DIFFERS(a, b, CONFIG_KEY_http_token_file, CONFIG_KEY_tls_cert,
			      CONFIG_KEY_tls_key, CONFIG_KEY_http_listen, CONFIG_KEY_http_socket,
			      CONFIG_KEY_http_hosts, CONFIG_KEY_store_path, CONFIG_KEY_log_level,
			      CONFIG_KEY_log_format);
}
