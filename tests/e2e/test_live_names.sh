#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Code that has its names in unusual places: the vDSO, files that have no name, other roots, files
# that lie elsewhere in memory than their debug files say.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

share_of() { # FILE FUNCTION MODULE-PATTERN: of the samples, with this function, and its module
	profile_py samples "$1" | awk -F '\t' -v want="$2" -v module="$3" '{
		n = split($6, f, ";"); split($7, m, ";"); all += $1
		for (i = 1; i <= n; i++)
			if (f[i] == want && m[i] ~ module) { hit += $1; break }
	} END { printf "%.2f\n", all ? 100 * hit / all : 0 }'
}

# A program that burns in spin(), which is inlined into burn(): its lines tell.
write_burner() {
	cat >burner.c <<-'C'
		#include <time.h>
		static volatile unsigned n;
		static inline void spin(void)
		{
			for (int i = 0; i < 1000000; i++)
				n = n * 3 + 1;
		}
		__attribute__((noinline)) void burn(void)
		{
			spin();
			n++;
		}
		int main(void)
		{
			while (clock() < CLOCKS_PER_SEC)
				burn();
			return 0;
		}
	C
}

test_vdso() {
	need_bpf
	cat >ask.c <<-'C'
		#include <time.h>
		int main(void)
		{
			struct timespec ts;
			/* A coarse clock asks no hardware: all of it is in the vDSO. */
			while (clock() < CLOCKS_PER_SEC)
				for (int i = 0; i < 1000000; i++)
					clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
			return 0;
		}
	C
	${CC:-gcc} -O2 -o ask ask.c
	"$KILN" record -q -o p.pb.gz -- ./ask
	profile_py samples p.pb.gz | awk -F '\t' '{
		n = split($6, f, ";"); split($7, m, ";"); all += $1
		if (m[n] ~ /^\[vdso/) { in_vdso += $1; named += f[n] ~ /clock_gettime/ ? $1 : 0 }
	} END {
		print "in", int(100 * in_vdso / all); print "named", int(100 * named / in_vdso)
	}' >shares
	assert_at_least "samples in the vDSO" "$(awk '$1 == "in" { print $2 }' shares)" 30
	assert_at_least "of these with a name" "$(awk '$1 == "named" { print $2 }' shares)" 99
}

# Executed from memory: there never was a path.
test_memfd() {
	need_bpf
	need python3
	write_burner
	${CC:-gcc} -O2 -g -o burner burner.c
	"$KILN" record -q -o p.pb.gz -- python3 -c '
import os
fd = os.memfd_create("burner")
os.write(fd, open("burner", "rb").read())
os.execve(fd, ["burner"], {})'
	rm burner
	assert_at_least "burn" "$(share_of p.pb.gz burn 'memfd:burner')" 80
	assert_at_least "what is inlined in it" "$(share_of p.pb.gz spin 'memfd:burner')" 80
}

# /app of another root, whose debug file is in that root too; the host has another /app.
test_other_root() {
	need_bpf
	write_burner
	mkdir root
	${CC:-gcc} -O2 -g -static -Wl,--build-id -o app burner.c
	local id
	id=$(readelf -n app | sed -n 's/.*Build ID: //p')
	mkdir -p "root/usr/lib/debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug app "root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
	strip -o root/app app
	"$KILN" record -q -a -o p.pb.gz -- unshare -m chroot root /app
	rm -r root
	assert_at_least "burn" "$(profile_share p.pb.gz "$(in_stack burn)" '$3 == "app"')" 80
	assert_at_least "what is inlined in it" \
		"$(profile_share p.pb.gz "$(in_stack spin)" '$3 == "app"')" 80
}

# Linked to other addresses than its debug file: prelink and such do that to a file.
test_moved_file() {
	need_bpf
	write_burner
	mkdir root
	local id=00112233445566778899aabbccddeeff00112233 link=(-O2 -g -static -no-pie)
	${CC:-gcc} "${link[@]}" -Wl,--build-id=0x$id -o app.debug burner.c
	${CC:-gcc} "${link[@]}" -Wl,--build-id=0x$id -Wl,-Ttext-segment=0x60000000 -o app burner.c
	mkdir -p "root/usr/lib/debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug app.debug "root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
	strip -o root/app app
	"$KILN" record -q -a -o p.pb.gz -- unshare -m chroot root /app
	assert_at_least "burn" "$(profile_share p.pb.gz "$(in_stack burn)" '$3 == "app"')" 80
	"$KILN" report --by line p.pb.gz >lines
	assert_match "lines" lines 'spin \(burner\.c:[56]\)'
}

# The process that reads foreign files says what this one would.
test_same_without_sandbox() {
	need_bpf
	write_burner
	${CC:-gcc} -O2 -g -o burner burner.c
	for how in --no-sandbox ""; do
		"$KILN" record -q $how -o p.pb.gz -- ./burner
		assert_at_least "burn $how" "$(profile_share p.pb.gz "$(in_stack burn)" '$3 == "burner"')" 80
		"$KILN" report --by line p.pb.gz >lines
		assert_match "lines $how" lines 'spin \(burner\.c:[56]\)'
	done
	seq 0 64 400000 | xargs printf '%x\n' | "$KILN" symbolize -e "$KILN" -a >with
	seq 0 64 400000 | xargs printf '%x\n' | "$KILN" symbolize -e "$KILN" -a --no-sandbox >without
	cmp with without
	assert_at_least "answers with a line" "$(grep -c '\.[ch]:[1-9]' with)" 300
}

run_tests "$@"
