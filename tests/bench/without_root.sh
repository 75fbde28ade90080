#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an ordinary user's recording of his own programs costs, one of deep C++ and one that calls the kernel all the
# time: bytes written and CPU time beside perf record --call-graph dwarf with perf script, which names and walks what perf
# has only copied; and how much longer one busy thread takes (PAIRS of alone and recorded; which comes first alternates),
# by perf events and by stops.
# usage: without_root.sh   (FREQ=99 PAIRS=10 WORK=60000 ROUNDS=5)
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need perf setpriv cc
FREQ=${FREQ:-99}
PAIRS=${PAIRS:-10}
WORK=${WORK:-60000}
nobody=65534

install -m 755 "$KILN" "$T/kiln"
install -m 755 "$WORKLOADS/fixed" "$T/fixed"
install -m 755 "$WORKLOADS/shares_nofp" "$T/kernel_calls"
install -m 755 "$WORKLOADS/regex" "$T/regex"
cc -O1 -w -DALLOW_READV "$SRC/tests/lib/refuse_calls.c" -o "$T/refuse_calls"
mkdir "$T/own"
chown $nobody:$nobody "$T/own"
chmod 755 "$T"
cd "$T" || exit 1
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
trap 'echo "$paranoid" >/proc/sys/kernel/perf_event_paranoid; rm -rf "$T"' EXIT
echo 2 >/proc/sys/kernel/perf_event_paranoid

as_user() {
	HOME=$T/own setpriv --reuid=$nobody --regid=$nobody --clear-groups --bounding-set=-all "$@"
}

# CPU time in ms of a command and all it started, without what the program says of itself on standard output.
TIMEFORMAT='%U %S'
cpu_ms_beside() { # COMMAND...
	local spent
	spent=$({ time "$@" >own/told 2>/dev/null; } 2>&1 | tail -n 1)
	awk -v spent="$spent" '$1 == "all" { program = $2 / 1e6 }
		END { split(spent, s, " "); printf "%.1f\n", 1000 * (s[1] + s[2]) - program }' own/told
}

perf_and_script() { # COMMAND...
	as_user perf record -q -F "$FREQ" --call-graph dwarf -o own/perf.data -- "$@"
	as_user perf script -i own/perf.data >own/script
}
events() { # COMMAND...
	as_user ./kiln record -q -F "$FREQ" -o own/events.pb.gz -- "$@"
}
stops() { # COMMAND...
	as_user ./refuse_calls ./kiln record -q -F "$FREQ" -o own/stops.pb.gz -- "$@"
}

for program in regex kernel_calls; do
	for ((i = 0; i < ROUNDS; i++)); do
		for way in perf_and_script events stops; do
			cpu_ms_beside $way ./$program 5 >>"cpu.$program.$way"
		done
	done
	perf_bytes=$(stat -c %s own/perf.data)
	for way in events stops; do
		result "$program: bytes written, by $way" B "$(stat -c %s own/$way.pb.gz)" "perf dwarf" "$perf_bytes"
		result "$program: CPU time to names, by $way" ms "$(median <"cpu.$program.$way")" \
			"perf record+script" "$(median <"cpu.$program.perf_and_script")"
	done
done

# --- slowdown -----------------------------------------------------------------------------------

work() { # WAY FILE
	case $1 in
	alone) as_user ./fixed cpu "$WORK" 1 >"$2" ;;
	events) as_user ./kiln record -q -F "$FREQ" -o own/w.pb.gz -- ./fixed cpu "$WORK" 1 >"$2" 2>/dev/null ;;
	stops) as_user ./refuse_calls ./kiln record -q -F "$FREQ" -o own/w.pb.gz -- \
		./fixed cpu "$WORK" 1 >"$2" 2>/dev/null ;;
	esac
}

for way in events stops; do
	for ((i = 0; i < PAIRS; i++)); do
		[ $((i % 2)) -eq 1 ] || work alone alone
		work $way with
		[ $((i % 2)) -eq 0 ] || work alone alone
		paste -d ' ' alone with | awk '{ printf "%.4f\n", 100 * ($3 / $1 - 1) }' >>"slower.$way"
	done
	figure "one busy thread takes longer, by $way ($PAIRS pairs)" % "$(median <"slower.$way")"
done
