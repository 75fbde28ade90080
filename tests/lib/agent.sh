# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# For tests of the agent: it runs in $T, with its store in $T/store and its log in $T/log.

# Agents of several tests may run at once: only tests of the server have one.
export KILN_HTTP_LISTEN=${KILN_HTTP_LISTEN:-off}

start_agent() { # OPTION...
	start "$KILN" agent --store "$T/store" "$@" 2>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
}

stop_agent() { # wanted status
	local status=0
	kill -TERM "$agent"
	wait "$agent" || status=$?
	[ "$status" = "$1" ] || tail -n 20 log | sed 's/^/#   /'
	assert_eq "exit status after SIGTERM" "$status" "$1"
}

ask_segment() { # FILE SQL
	sqlite3 -readonly -cmd '.timeout 5000' "$1" "$2"
}

# A segment that is being made has no tables yet.
ask_store() { # SQL
	local file
	for file in "$T"/store/*.kiln; do
		[ -e "$file" ] || continue
		[ -z "$(ask_segment "$file" 'select 1 from sqlite_master limit 1')" ] || ask_segment "$file" "$1"
	done
}

# What all segments have together; empty: no segment has any.
sum_of_store() { # SQL with one number as its answer
	ask_store "$1" | awk 'NF { n += $1; seen = 1 } END { if (seen) printf "%.0f\n", n }'
}

count_windows() {
	ask_store 'select id from windows' | wc -l
}

has_windows() { # AT_LEAST
	[ "$(count_windows)" -ge "$1" ]
}

# The agent's process of that name.
role_pid() { # kiln-writer
	ps -o pid=,comm= --ppid "$agent" | awk -v comm="$1" '$2 == comm { print $1; exit }'
}

# A process and all below it.
tree_of() { # PID
	local child
	echo "$1"
	for child in $(ps -o pid= --ppid "$1" || true); do
		tree_of "$child"
	done
}

# Nobody has reaped a zombie yet, but it runs no more.
is_gone() { # PID
	[ ! -e "/proc/$1/stat" ] || grep -q '^State:	Z' "/proc/$1/status"
}

# Sampling goes on whatever becomes of what it yields: no window is missing, and each has its periods.
assert_undisturbed() {
	assert_eq "windows lost" "$(sum_of_store 'select sum(windows_lost) from windows')" 0
	ask_store 'select begin_unix_ns, duration_ns from windows' | tr '|' ' ' | sort -n |
		awk 'last && $1 - last > 100000000 { print "gap of", ($1 - last) / 1e6, "ms" } { last = $1 + $2 }' >gaps
	assert_eq "gaps" "$(cat gaps)" ""
}

upload_metric() { # NAME LABELS
	curl -sf "http://$KILN_HTTP_LISTEN/metrics" | awk -v what="kiln_upload_$1{$2}" '$1 == what { print $2 }'
}
