// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/net/net_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/clock.h"

/* The latest are known: more than are ever open. */
#define MAX_SOCKETS 128
/* Time without a sign, twice; and bytes that were read meanwhile. libcurl calls back after 100 reads of 16 KiB. */
#define SILENT_NS (NS_PER_S / 2)
#define HELD	  (2u << 20)

struct socket {
	uint64_t number;
	int fd;		   /* -1: closed */
	uint64_t received; /* when the silence was noticed */
	bool is_shut;
};

struct net_sockets {
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	pthread_t thread;
	bool has_thread, is_asleep, ends;
	bool is_at_work;
	uint64_t signs;
	uint64_t n; /* ever */
	struct socket v[MAX_SOCKETS];
};

/* --- sockets -------------------------------------------------------------------------------------- */

static struct socket *slot_of(struct net_sockets *s, uint64_t number)
{
	return &s->v[number % MAX_SOCKETS];
}

static struct socket *get(struct net_sockets *s, uint64_t number)
{
	struct socket *k = slot_of(s, number);

	return number && k->number == number ? k : NULL;
}

static void forget(struct net_sockets *s, int fd)
{
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		if (s->v[i].fd == fd)
			s->v[i].fd = -1;
}

uint64_t net_sockets_add(struct net_sockets *s, int fd)
{
	uint64_t number;

	pthread_mutex_lock(&s->lock);
	forget(s, fd);
	number = ++s->n;
	*slot_of(s, number) = (struct socket){.number = number, .fd = fd};
	s->signs++;
	pthread_mutex_unlock(&s->lock);
	return number;
}

void net_sockets_close(struct net_sockets *s, int fd)
{
	pthread_mutex_lock(&s->lock);
	forget(s, fd);
	pthread_mutex_unlock(&s->lock);
	close(fd);
}

static bool has_port(int fd, long port)
{
	struct sockaddr_storage a = {0};
	socklen_t len = sizeof(a);
	uint16_t local = 0;

	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return false;
	if (a.ss_family == AF_INET)
		local = ((struct sockaddr_in *)&a)->sin_port;
	else if (a.ss_family == AF_INET6)
		local = ((struct sockaddr_in6 *)&a)->sin6_port;
	return local && ntohs(local) == port;
}

uint64_t net_sockets_find(struct net_sockets *s, long port)
{
	uint64_t number = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < MAX_SOCKETS && !number; i++)
		if (s->v[i].fd >= 0 && has_port(s->v[i].fd, port))
			number = s->v[i].number;
	pthread_mutex_unlock(&s->lock);
	return number;
}

static bool received_bytes(const struct socket *k, uint64_t *bytes)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (k->fd < 0 || getsockopt(k->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return false;
	*bytes = info.tcpi_bytes_received;
	return true;
}

bool net_sockets_received(struct net_sockets *s, uint64_t number, uint64_t *bytes)
{
	const struct socket *k;
	bool is_known;

	pthread_mutex_lock(&s->lock);
	k = get(s, number);
	is_known = k && received_bytes(k, bytes);
	pthread_mutex_unlock(&s->lock);
	return is_known;
}

bool net_sockets_is_shut(struct net_sockets *s, uint64_t number)
{
	const struct socket *k;
	bool is_shut;

	pthread_mutex_lock(&s->lock);
	k = get(s, number);
	is_shut = k && k->is_shut;
	pthread_mutex_unlock(&s->lock);
	return is_shut;
}

/* --- the thread ----------------------------------------------------------------------------------- */

/* What waits in its queue has held nobody. */
static void look_at(struct socket *k, bool is_again)
{
	uint64_t received;
	int queued = 0;

	if (!received_bytes(k, &received))
		return;
	if (!is_again)
		k->received = received;
	else if (!ioctl(k->fd, FIONREAD, &queued) &&
		 received - k->received >= (uint64_t)queued + HELD)
		k->is_shut = !shutdown(k->fd, SHUT_RDWR) || k->is_shut;
}

/* Waits. Whether libcurl has been at work all the time without a sign. */
static bool is_silent(struct net_sockets *s)
{
	const struct timespec until = timespec_of(monotonic_ns() + SILENT_NS);
	uint64_t signs = s->signs;

	while (!s->ends && pthread_cond_timedwait(&s->wake, &s->lock, &until) != ETIMEDOUT)
		;
	return s->is_at_work && s->signs == signs;
}

static void sleep_until_work(struct net_sockets *s)
{
	s->is_asleep = true;
	while (!s->ends && !s->is_at_work)
		pthread_cond_wait(&s->wake, &s->lock);
	s->is_asleep = false;
}

static void *look_after(void *ctx)
{
	struct net_sockets *s = ctx;
	bool was_silent = false;

	pthread_mutex_lock(&s->lock);
	while (!s->ends) {
		bool silent = is_silent(s);

		for (size_t i = 0; silent && i < MAX_SOCKETS; i++)
			look_at(&s->v[i], was_silent);
		was_silent = silent;
		sleep_until_work(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Signals are for the other ones. Without it requests work as well: the next turn tries again. */
static void start_thread(struct net_sockets *s)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	s->has_thread = !pthread_create(&s->thread, NULL, look_after, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void net_sockets_turn(struct net_sockets *s, bool is_at_work)
{
	pthread_mutex_lock(&s->lock);
	s->is_at_work = is_at_work;
	s->signs++;
	if (!s->has_thread)
		start_thread(s);
	else if (is_at_work && s->is_asleep)
		pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void net_sockets_sign(struct net_sockets *s)
{
	pthread_mutex_lock(&s->lock);
	s->signs++;
	pthread_mutex_unlock(&s->lock);
}

/* --- all ------------------------------------------------------------------------------------------ */

struct net_sockets *net_sockets_new(void)
{
	struct net_sockets *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return NULL;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		s->v[i].fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

void net_sockets_free(struct net_sockets *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->ends = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
