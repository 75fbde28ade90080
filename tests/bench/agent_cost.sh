#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an agent that samples all the time costs beside OpenTelemetry's profiler: CPU time of all its processes, time in
# its BPF programs, resident memory. Both profile the busy host at once, and send what they find over OTLP/gRPC to a
# server that takes everything. usage: agent_cost.sh   (FREQ=19 SECONDS_MEASURED=120)
# The profiler is built by `tests/stores/get otel_profiler`; where it cannot be had, kiln is measured alone.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need bpftool jq curl cc
FREQ=${FREQ:-19}
SECONDS_MEASURED=${SECONDS_MEASURED:-120}
OTEL=$SRC/build/stores/bin/ebpf-profiler

stats_before=$(sysctl -n kernel.bpf_stats_enabled)
started=()
finish() {
	[ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null
	wait "${started[@]}" 2>/dev/null
	end_load
	sysctl -q kernel.bpf_stats_enabled="$stats_before"
	rm -rf "$T"
}
trap finish EXIT
sysctl -q kernel.bpf_stats_enabled=1

start() { # LOG COMMAND...
	local log=$T/$1
	shift
	"$@" >"$log" 2>&1 </dev/null &
	started+=($!)
}

# A process and all below it, one a line.
family() { # PID
	echo "$1"
	local child
	for child in $(pgrep -P "$1"); do family "$child"; done
}
cpu_ms() { # PID
	local pid
	for pid in $(family "$1"); do cat /proc/"$pid"/task/*/schedstat 2>/dev/null; done | awk '{ n += $1 } END { print n / 1e6 }'
}
rss_mb() { # PID
	local pid
	for pid in $(family "$1"); do grep -h ^Pss: "/proc/$pid/smaps_rollup" 2>/dev/null; done |
		awk '{ n += $2 } END { print n / 1024 }'
}
programs() {
	bpftool prog show --json | jq -r '.[].id' | sort
}
# Which BPF programs came since the last call is whose was started since.
note_programs() { # NAME
	programs >"$T/programs.now"
	comm -13 "$T/programs.before" "$T/programs.now" >"$T/$1.programs"
	mv "$T/programs.now" "$T/programs.before"
}
bpf_ms() { # NAME
	bpftool prog show --json | jq --slurpfile mine "$T/$1.programs" \
		'[.[] | select(.id as $id | $mine | index($id)) | .run_time_ns // 0] | add // 0 | . / 1e6'
}

start server.log /usr/bin/python3 "$SRC/tests/lib/profile_store" serve "$T/server" otlp kiln=otlp
for _ in {1..200}; do [ -s "$T/server/ports" ] && break; sleep 0.1; done
port_of() { awk -v name="$1" '$1 == name { print $2 }' "$T/server/ports"; }

start_load
cat >"$T/kiln.yaml" <<EOF
sampling: {frequency: $FREQ}
store: {path: $T/store}
http: {listen: "off"}
upload: [{name: to, url: "otlp+grpc://127.0.0.1:$(port_of kiln)"}]
EOF
programs >"$T/programs.before"
start kiln.log "$KILN" agent -c "$T/kiln.yaml"
sleep 10
note_programs kiln
names=(kiln)
pids=("${started[-1]}")
if "$SRC/tests/stores/get" otel_profiler >/dev/null && [ -x "$OTEL" ]; then
	cc -O1 -o "$T/allow_memlock" "$SRC/tests/bench/allow_memlock.c" || exit 1
	# It wants tracefs where it is used to be.
	# shellcheck disable=SC2016
	start otel.log unshare -m sh -c '
		mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing && exec "$@"' sh \
		"$T/allow_memlock" "$OTEL" -collection-agent "127.0.0.1:$(port_of otlp)" -disable-tls \
		-samples-per-second "$FREQ"
	for _ in {1..60}; do ! grep -q 'Attached sched monitor' "$T/otel.log" || break; sleep 1; done
	sleep 5
	note_programs otel
	names+=(otel)
	pids+=("${started[-1]}")
fi
sleep 20
for i in "${!pids[@]}"; do
	kill -0 "${pids[i]}" 2>/dev/null || { tail -n 3 "$T/${names[i]}.log" >&2; exit 1; }
	echo "$(cpu_ms "${pids[i]}") $(bpf_ms "${names[i]}")" >"$T/${names[i]}"
done
sleep "$SECONDS_MEASURED"
for i in "${!pids[@]}"; do
	echo "$(cpu_ms "${pids[i]}") $(bpf_ms "${names[i]}") $(rss_mb "${pids[i]}")" >>"$T/${names[i]}"
done

# Per cent of a CPU, or the memory.
of() { # NAME user|bpf|both|memory
	awk -v what="$2" -v s="$SECONDS_MEASURED" 'NR == 1 { cpu = $1; bpf = $2 }
		END { user = ($1 - cpu) / s / 10; kernel = ($2 - bpf) / s / 10
			print what == "user" ? user : what == "bpf" ? kernel : what == "both" ? user + kernel : $3 }' "$T/$1"
}
compare() { # WHAT UNIT WHICH
	if [ ${#names[@]} -gt 1 ]; then
		result "agent at $FREQ Hz, $1" "$2" "$(of kiln "$3")" "OpenTelemetry's profiler" "$(of otel "$3")"
	else
		figure "agent at $FREQ Hz, $1" "$2" "$(of kiln "$3")"
	fi
}
compare "CPU of its processes" % user
compare "CPU of its BPF programs" % bpf
compare "CPU together" % both
compare "memory (PSS)" MB memory
