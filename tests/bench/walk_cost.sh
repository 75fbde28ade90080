#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the walk itself costs by the depth of the stack: unwind tables over a program without frame
# pointers, beside bpf_get_stack() over the same program with them (as far as it goes, 127 frames), in
# one CPU's warm caches and after everything was evicted from them. Quartiles of 201 walks, the least
# of ROUNDS runs in turn: what else goes on on the machine can only add.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need chrt taskset pkg-config

build() { # NAME CFLAGS...
	local out=$1
	shift
	# shellcheck disable=SC2046
	cc -D_GNU_SOURCE -std=gnu11 -O2 "$@" -I"$SRC" -I"$SRC/$B" -o "$T/$out" \
		"$SRC/tests/bench/walk_cost.c" "$SRC/$B/libkiln.a" -lcmocka \
		$(pkg-config --libs libbpf libelf libdw libunwind-generic libprotobuf-c libzstd zlib liblzma) \
		-liberty -lm || exit 1
}
build tables -fomit-frame-pointer
build fp -fno-omit-frame-pointer

least() { # FILE FRAMES
	awk -v frames="$2" '$1 == frames && (!n || $2 < n) { n = $2 } END { print n + 0 }' "$1"
}

for state in warm cold; do
	for ((round = 0; round < ROUNDS; round++)); do
		taskset -c 0 chrt -f 1 "$T/tables" tables $state 10 40 100 500 >>"$T/tables.$state" || exit 1
		taskset -c 0 chrt -f 1 "$T/fp" fp $state 10 40 100 127 >>"$T/fp.$state" || exit 1
	done
	for frames in 10 40 100; do
		result "walk of $frames frames, $state" ns "$(least "$T/tables.$state" $frames)" \
			bpf_get_stack "$(least "$T/fp.$state" $frames)"
	done
	figure "walk of 500 frames, $state" ns "$(least "$T/tables.$state" 500)"
done
