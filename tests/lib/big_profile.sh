#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A profile of some 50,000 nodes as text for make_profile.py: four commands, calls that branch by a
# fixed rule, the same on every machine.
exec awk 'BEGIN {
	for (i = 0; i < 2600; i++) {
		comm = i % 4
		printf "%d\tcomm=comm%d pid=%d thread_id=%d", 1 + i % 50, comm, 100 + comm, 100 + comm
		for (d = 0; d < 24; d++)
			printf "\tns%d::call<int>::f%d|/lib/lib%d.so", d % 7,
				d < 4 ? 0 : int(i * (d * 7 + 3) / 11) % 401, d % 5
		printf "\n"
	}
}'
