// SPDX-License-Identifier: GPL-2.0-or-later
/* /debug/pprof/profile, as Go's net/http/pprof answers it: `go tool pprof URL` works. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/http/guard.h"
#include "profiler/http/live.h"
#include "profiler/http/server.h"

#define DEFAULT_SECONDS 30 /* as Go's */
#define MAX_BYTES	(256u << 20)

static bool name_param(const struct request *r, const char *key, enum live_scope scope,
		       struct live_request *live, unsigned *n, struct answer *a)
{
	const char *text = request_param(r, key);

	if (!text)
		return true;
	live->scope = scope;
	++*n;
	if (strlen(text) >= sizeof(live->name)) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "%s: longer than 255 bytes", key);
		return false;
	}
	strcpy(live->name, text);
	return true;
}

static bool parse(const struct request *r, struct live_request *live, struct answer *a)
{
	const char *seconds = request_param(r, "seconds"), *pid = request_param(r, "pid");
	uint64_t n = DEFAULT_SECONDS;
	unsigned scopes = 0;

	if (seconds && (text_parse_u64(seconds, LIVE_MAX_SECONDS, &n) || !n)) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "seconds: a number from 1 to %d",
			     LIVE_MAX_SECONDS);
		return false;
	}
	live->seconds = (uint32_t)n;
	if (pid && (text_parse_u64(pid, INT32_MAX, &n) || !n)) {
		answer_error(a, MHD_HTTP_BAD_REQUEST, "pid: a process id");
		return false;
	}
	if (pid) {
		live->scope = LIVE_PID;
		live->pid = (uint32_t)n;
		scopes++;
	}
	if (!name_param(r, "comm", LIVE_COMM, live, &scopes, a) ||
	    !name_param(r, "unit", LIVE_UNIT, live, &scopes, a))
		return false;
	if (scopes > 1)
		answer_error(a, MHD_HTTP_BAD_REQUEST, "pid, comm and unit: one of them at a time");
	return scopes <= 1;
}

/* The socket to ask through, or -1: the answer says why not. */
static int begin(struct server *s, struct answer *a)
{
	bool busy;
	int fd;

	pthread_mutex_lock(&s->lock);
	fd = s->live_fd;
	busy = s->live;
	s->live |= fd >= 0;
	pthread_mutex_unlock(&s->lock);
	if (fd < 0) {
		answer_error(a, MHD_HTTP_SERVICE_UNAVAILABLE,
			     "nobody records live profiles now: try again in a few seconds");
	} else if (busy) {
		a->retry_after = 10;
		answer_error(a, MHD_HTTP_TOO_MANY_REQUESTS,
			     "another live profile is being recorded: one at a time");
	}
	return busy ? -1 : fd;
}

/* A socket that failed, or that another one has replaced, is of no more use. */
static void end(struct server *s, int fd, bool failed)
{
	pthread_mutex_lock(&s->lock);
	s->live = false;
	if (s->live_fd == fd && failed)
		s->live_fd = -1;
	if (s->live_fd != fd)
		close(fd);
	pthread_mutex_unlock(&s->lock);
}

static void take_file(int fd, struct answer *a)
{
	char *data;
	size_t len;
	int err = lseek(fd, 0, SEEK_SET) ? -errno : io_read_fd(fd, MAX_BYTES, &data, &len);

	if (err) {
		answer_error(a, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", strerror(-err));
		return;
	}
	buf_add(&a->body, data, len);
	free(data);
	a->type = TYPE_PROTO;
	a->name = "profile.pb.gz";
}

static int status_of(int err)
{
	switch (err) {
	case -EBADRQC:
		return MHD_HTTP_BAD_REQUEST;
	case -ESRCH:
	case -ENOENT:
	case -ENODATA:
		return MHD_HTTP_NOT_FOUND;
	case -EBUSY:
		return MHD_HTTP_TOO_MANY_REQUESTS;
	case -EPIPE:
	case -ECANCELED:
	case -ETIMEDOUT:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static int client_of(const struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static const char *header(const struct request *r, const char *key)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, key);
}

static bool may_start(const struct request *r, struct answer *a)
{
	if (guard_work(header(r, "Sec-Fetch-Site"), header(r, MHD_HTTP_HEADER_USER_AGENT)))
		return true;
	answer_error(
		a, MHD_HTTP_FORBIDDEN,
		"a page of another site may have made this browser ask: use curl or go tool pprof");
	return false;
}

void answer_live(struct server *s, const struct request *r, struct answer *a)
{
	struct live_request live = {0};
	struct live_reply reply = {0};
	int sock, fd, err;

	if (!may_start(r, a) || !parse(r, &live, a))
		return;
	sock = begin(s, a);
	if (sock < 0)
		return;
	err = live_ask(sock, client_of(r), &live, &reply, &fd);
	end(s, sock, err && !reply.err);
	if (err)
		answer_error(a, status_of(err), "%s", reply.text[0] ? reply.text : strerror(-err));
	else
		take_file(fd, a);
	if (fd >= 0)
		close(fd);
}
