// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: thread_execs TIMES
 * A thread other than the first executes this program again, so many times. Each one starts a child, whose end is a
 * signal: who stops it before that and does not let it go holds it up for ever.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **args;

static void burn_ms(long ms)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static void *execute(void *arg)
{
	char left[16];

	(void)arg;
	burn_ms(1);
	snprintf(left, sizeof(left), "%d", atoi(args[1]) - 1);
	execl("/proc/self/exe", args[0], left, (char *)NULL);
	perror("exec");
	exit(1);
}

static void on_child(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	args = argv;
	if (argc != 2 || atoi(argv[1]) <= 0) {
		puts("done");
		return argc != 2;
	}
	signal(SIGCHLD, on_child);
	if (!fork())
		_exit(0);
	wait(NULL);
	pthread_create(&thread, NULL, execute, NULL);
	for (;;)
		pause();
}
