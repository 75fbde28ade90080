// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: ./turn_a MS TIMES
 * Uses MS of CPU time in BURN(), and executes NEXT with arguments of the same length, which does so too: TIMES in all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifndef NEXT
#define NEXT "./turn_a"
#define BURN burn
#endif

static volatile unsigned sink;

__attribute__((noipa)) void BURN(long ms)
{
	clock_t end = clock() + ms * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		for (unsigned i = 0; i < 10000; i++)
			sink = sink * 3 + i;
}

int main(int argc, char **argv)
{
	char left[16];

	if (argc < 3)
		return 2;
	BURN(atol(argv[1]));
	snprintf(left, sizeof(left), "%04d", atoi(argv[2]) - 1);
	if (atoi(left) > 0)
		execl(NEXT, NEXT, argv[1], left, NULL);
	return atoi(left) != 0;
}
