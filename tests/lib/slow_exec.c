// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: slow_exec SECONDS
 * Burns CPU time. After half a second a thread executes a script with an interpreter that another process has a lease of
 * and does not give up, as with a file server that hangs: meanwhile nobody can attach to this process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void write_file(const char *path, const char *first, const char *rest)
{
	FILE *f = fopen(path, "w");

	if (!f || fprintf(f, "#!%s%s\n", first, rest) < 0 || fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void *execute(void *arg)
{
	(void)arg;
	usleep(500000);
	execl("./script", "script", (char *)NULL);
	perror("script");
	return NULL;
}

static void hold_lease(int to)
{
	int fd = open("interpreter", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGIO, SIG_IGN);
	if (!fcntl(fd, F_SETLEASE, F_WRLCK) && write(to, "!", 1) == 1)
		for (;;)
			pause();
	perror("lease");
	_exit(1);
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc == 2 ? atoi(argv[1]) : 0);
	pthread_t thread;
	int held[2];
	char cwd[512], c;

	write_file("interpreter", "/bin/true", "");
	write_file("script", getcwd(cwd, sizeof(cwd)) ?: "", "/interpreter");
	if (chmod("interpreter", 0755) || chmod("script", 0755) || pipe(held))
		return 1;
	if (!fork())
		hold_lease(held[1]);
	close(held[1]);
	if (read(held[0], &c, 1) != 1)
		return 77;
	puts("held");
	fflush(stdout);
	pthread_create(&thread, NULL, execute, NULL);
	while (time(NULL) < end)
		;
	return 0;
}
