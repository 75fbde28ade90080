#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Line tables against llvm-gsymutil (building: CPU, memory, size) and llvm-symbolizer (look-ups, warm,
# with the start of the process): CPU seconds of one run each, both on uncompressed debug sections.
# FILES: debug files to measure; by default those of ceph-osd, libjvm and libc that are installed.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need eu-elfcompress pkg-config
LLVM=${LLVM:-/usr/lib/llvm-19/bin}

tool=$T/line_table
# shellcheck disable=SC2046
cc -D_GNU_SOURCE -std=gnu11 -O2 -I"$SRC" -o "$tool" "$SRC/tests/bench/line_table.c" \
	"$SRC/$B/libkiln.a" $(pkg-config --libs libelf libdw libunwind-generic libprotobuf-c libzstd zlib libdeflate \
		liblzma libbpf) -liberty -lm || exit 1

# CPU seconds and peak memory in MB of a command
cost() { # COMMAND...
	local TIMEFORMAT='%U %S'
	"$WORKLOADS/rusage" "$T/rusage" "$@" >"$T/out" 2>"$T/err" || cat "$T/err" >&2
	awk '{ print $2 / 1e9, $3 / 1024 }' "$T/rusage"
}

measure() { # NAME DEBUG_FILE
	local name=$1 ours theirs
	eu-elfcompress -q -t none -o "$T/elf" "$2" || return
	read -r -a ours < <(cost "$tool" build "$T/elf" "$T/lines")
	read -r -a theirs < <(cost "$LLVM/llvm-gsymutil" --convert "$T/elf" --out-file="$T/gsym" \
		--num-threads=1)
	result "$name: build, CPU" s "${ours[0]}" gsymutil "${theirs[0]}"
	result "$name: build, peak memory" MB "${ours[1]}" gsymutil "${theirs[1]}"
	result "$name: size of the file" MB "$(stat -c %s "$T/lines" | awk '{ print $1 / 1e6 }')" \
		gsymutil "$(stat -c %s "$T/gsym" | awk '{ print $1 / 1e6 }')"
	for n in 1000 100000; do
		"$tool" addresses "$T/elf" "$n" >"$T/addresses"
		read -r -a ours < <(cost "$tool" lookup "$T/elf" "$T/lines" <"$T/addresses")
		read -r -a theirs < <(cost "$LLVM/llvm-symbolizer" --obj="$T/elf" --inlines \
			<"$T/addresses")
		result "$name: $n addresses, CPU" s "${ours[0]}" llvm-symbolizer "${theirs[0]}"
		figure "$name: answers that are not the DWARF reader's" "of $n" \
			"$("$tool" compare "$T/elf" "$T/lines" <"$T/addresses" |
				sed -n 's/.*addresses, \([0-9]*\) differ/\1/p')"
	done
}

ids=(fb/66b3cec5f264a2f863d96fa875eb4ae39bb0bf 45/183927463c526d5b9c9d456494ad816a7e3fee
	93/ac61ec5a8eb1396f9fbd350e3169a558528a40)
for f in ${FILES:-$(printf '/usr/lib/debug/.build-id/%s.debug\n' "${ids[@]}")}; do
	[ ! -e "$f" ] || measure "$(basename "$f" | cut -c1-8)" "$f"
done
