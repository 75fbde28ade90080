// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/inherited.h"

#include <stddef.h>

enum change {
	STOPS,	    /* ends the recording */
	MAY_STOP,   /* the same, unless it is ignored */
	IS_IGNORED, /* is told by an error */
	IS_DEFAULT, /* an ignored SIGCHLD takes the status of children away */
};

static const struct {
	int signal;
	enum change change;
} changes[INHERITED_SIGNALS] = {
	{SIGINT, STOPS},     {SIGTERM, STOPS},	    {SIGHUP, MAY_STOP},	   {SIGPIPE, MAY_STOP},
	{SIGQUIT, MAY_STOP}, {SIGUSR1, MAY_STOP},   {SIGUSR2, MAY_STOP},   {SIGALRM, MAY_STOP},
	{SIGXCPU, MAY_STOP}, {SIGXFSZ, IS_IGNORED}, {SIGCHLD, IS_DEFAULT},
};

static void change(struct inherited *i, int n, void (*on_stop)(int))
{
	struct sigaction *old = &i->signals[n], new = {.sa_handler = on_stop};

	sigaction(changes[n].signal, NULL, old);
	if (changes[n].change == IS_IGNORED)
		new.sa_handler = SIG_IGN;
	else if (changes[n].change == IS_DEFAULT)
		new.sa_handler = SIG_DFL;
	else if (changes[n].change == MAY_STOP && old->sa_handler == SIG_IGN)
		return;
	sigaction(changes[n].signal, &new, NULL);
}

static void open_more_files(const struct rlimit *now)
{
	struct rlimit most = {now->rlim_max, now->rlim_max};

	if (now->rlim_cur < now->rlim_max)
		setrlimit(RLIMIT_NOFILE, &most);
}

/* Else nothing but SIGKILL would end a recording. */
static void unblock(sigset_t *before)
{
	sigset_t ours;

	sigemptyset(&ours);
	for (int n = 0; n < INHERITED_SIGNALS; n++)
		sigaddset(&ours, changes[n].signal);
	sigprocmask(SIG_UNBLOCK, &ours, before);
}

void inherited_take(struct inherited *i, void (*on_stop)(int))
{
	*i = (struct inherited){.n_signals = INHERITED_SIGNALS};
	for (int n = 0; n < INHERITED_SIGNALS; n++)
		change(i, n, on_stop);
	unblock(&i->blocked);
	getrlimit(RLIMIT_MEMLOCK, &i->locked); /* loading BPF programs raises it */
	if (!getrlimit(RLIMIT_NOFILE, &i->files))
		open_more_files(&i->files);
}

static void restore_limit(__rlimit_resource_t what, const struct rlimit *old)
{
	if (old->rlim_max)
		setrlimit(what, old);
}

void inherited_restore(const struct inherited *i)
{
	for (int n = 0; n < i->n_signals; n++)
		sigaction(changes[n].signal, &i->signals[n], NULL);
	if (!i->n_signals)
		return;
	sigprocmask(SIG_SETMASK, &i->blocked, NULL);
	restore_limit(RLIMIT_NOFILE, &i->files);
	restore_limit(RLIMIT_MEMLOCK, &i->locked);
}
