// SPDX-License-Identifier: GPL-2.0-or-later
/* hung_server DIR ORIGIN HOLD: serves ORIGIN as DIR/prog until it is killed. HOLD: fuse_server_hold. */
#include <stdio.h>

#include "tests/lib/fuse_server.h"

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc != 4)
		return 2;
	fuse_server_hold = argv[3];
	pid = fuse_server_start(argv[1], argv[2]);
	if (pid < 0) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
