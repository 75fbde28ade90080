#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln symbolize -e beside llvm-symbolizer 19, cold, functions with lines and inlined calls: processor
# time and the most anonymous memory, for 1, 1,000 and 100,000 addresses anywhere in the code of
# programs with debug packages (those that are installed: ceph-osd-dbg, openjdk-17-dbg, libc6-dbg), and
# one that clang made. Then names only, beside llvm-symbolizer --no-inlines, which reads lines too.
# CEPH_OSD and LIBJVM: other copies of those programs. SYMBOLIZER_ADDRESSES="1 1000" leaves the long one out.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 clang++ readelf
LLVM=/usr/lib/llvm-19/bin/llvm-symbolizer
RESOLVE=$SRC/$B/resolve_pairs
[ -x "$LLVM" ] || { echo "symbolizer.sh: $LLVM is missing: run tools/install-deps --bench" >&2 && exit 1; }

# Runs a command with input from a file; sets cpu (seconds, of its children too) and anon (MB, the most
# seen of all of them together, looking 500 times a second: a run may be over in 30 ms).
measured() { # INPUT COMMAND...
	local input=$1
	shift
	python3 - "$T/usage" "$@" <<-'END' 3<"$input" >"$T/answers" 2>"$T/err" || {
		import os, subprocess, sys, time

		def anon(pid):
		    try:
		        kb = [int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("RssAnon")]
		        children = open(f"/proc/{pid}/task/{pid}/children").read().split()
		    except OSError:
		        return 0
		    return sum(kb) + sum(anon(int(c)) for c in children)

		child = subprocess.Popen(sys.argv[2:], stdin=os.fdopen(3))
		peak, done = 0, 0
		while not done:
		    peak = max(peak, anon(child.pid))
		    time.sleep(0.002)
		    done, status, usage = os.wait4(child.pid, os.WNOHANG)
		open(sys.argv[1], "w").write(f"{usage.ru_utime + usage.ru_stime} {peak / 1024}\n")
		sys.exit(status != 0)
	END
		echo "symbolizer.sh: $1: $(head -n1 "$T/err")" >&2
		return 1
	}
	read -r cpu anon <"$T/usage"
}

# Addresses anywhere in .text, always the same ones.
addresses() { # ELF COUNT
	local low size
	read -r low size < <(readelf -SW "$1" 2>/dev/null | sed 's/^ *\[ *//' | awk '$2 == ".text" { print $4, $6 }')
	python3 - "$2" "$low" "$size" <<-'END'
		import random, sys
		n, low, size = int(sys.argv[1]), int(sys.argv[2], 16), int(sys.argv[3], 16)
		random.seed(7)
		print("\n".join(hex(random.randrange(low, low + size)) for _ in range(n)))
	END
}

# The debug file of a program, by its build id.
debug_file() { # ELF
	local id
	id=$(readelf -n "$1" 2>/dev/null | sed -n 's/.*Build ID: //p')
	echo "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
}

compare() { # NAME DEBUG_FILE
	local n ours ours_anon
	[ -f "$2" ] || { echo "$1: skipped, its debug file is not installed"; return; }
	cat "$2" >/dev/null # from the page cache, both
	for n in ${SYMBOLIZER_ADDRESSES:-1 1000 100000}; do
		addresses "$2" "$n" >"$T/addresses"
		measured "$T/addresses" "$KILN" symbolize -q -a -e "$2" || continue
		ours=$cpu ours_anon=$anon
		measured "$T/addresses" "$LLVM" --obj="$2" || continue
		result "$1, $n addresses" "s" "$ours" "llvm-symbolizer" "$cpu"
		result "$1, $n addresses, anonymous memory" "MB" "$ours_anon" "llvm-symbolizer" "$anon"
	done
}

# Turns addresses into "FILE OFFSET" lines: offsets in the file, by its loaded segments.
as_pairs() { # ELF
	python3 -c '
import subprocess, sys
out = subprocess.run(["readelf", "-lW", sys.argv[1]], capture_output=True, text=True).stdout
loads = [l.split() for l in out.splitlines() if l.strip().startswith("LOAD")]
segs = [(int(l[2], 16), int(l[4], 16), int(l[1], 16)) for l in loads]
for line in sys.stdin:
    va = int(line, 16)
    for start, size, off in segs:
        if start <= va < start + size:
            print(sys.argv[1], hex(va - start + off))
' "$1"
}

# Names only, over all of a program's code, in a process that does nothing else.
names_only() { # NAME ELF [DEBUG_FILE]
	local ours asked named load rest _ debug=${3:-}
	[ -f "$2" ] || { echo "$1: skipped, not installed"; return; }
	[ -f "$debug" ] || debug=$2
	cat "$2" "$debug" >/dev/null
	addresses "$2" 100000 >"$T/addresses"
	as_pairs "$2" <"$T/addresses" >"$T/pairs"
	measured "$T/pairs" "$RESOLVE" -n /usr/lib/debug || return
	ours=$cpu
	read -r asked named load rest _ <"$T/answers"
	echo "$1, names only: $named of $asked addresses named"
	figure "$1, names only, load" "ms" "$(awk -v s="$load" 'BEGIN { print 1000 * s }')"
	figure "$1, names only, an address" "us" \
		"$(awk -v s="$rest" -v n="$asked" 'BEGIN { print 1e6 * s / n }')"
	measured "$T/addresses" "$LLVM" --no-inlines --obj="$debug" || return
	result "$1, names only, $asked addresses" "s" "$ours" "llvm-symbolizer --no-inlines" "$cpu"
}

clang_program() {
	local i
	for i in $(seq 16); do
		clang++ -g -O2 -fPIC -c "-Dmain=main$i" -o "$T/stl$i.o" "$SRC/tests/fixtures/dwarf/stl.cc" || return
	done
	clang++ -shared -o "$T/clang.so" "$T"/stl*.o
}

ceph=${CEPH_OSD:-/usr/bin/ceph-osd}
libjvm=${LIBJVM:-$(ls /usr/lib/jvm/java-17-openjdk-*/lib/server/libjvm.so 2>/dev/null)}
libc=$(ls /lib/"$(uname -m)"-linux-gnu/libc.so.6)
clang_program
compare ceph-osd "$(debug_file "$ceph")"
compare libjvm "$(debug_file "${libjvm:-/nonexistent}")"
compare libc "$(debug_file "$libc")"
compare "16 objects of clang" "$T/clang.so"
names_only ceph-osd "$ceph" "$(debug_file "$ceph")"
names_only libjvm "${libjvm:-/nonexistent}" "$(debug_file "${libjvm:-/nonexistent}")"
names_only libc "$libc" "$(debug_file "$libc")"
names_only "16 objects of clang" "$T/clang.so"
