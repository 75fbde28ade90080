# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Tables of functions, as go tool pprof and kiln report have them: "NAME SELF TOTAL", sorted.

go_top() { # FILE TYPE UNIT [OPTION...]
	local file=$1 type=$2 unit=$3
	shift 3
	go tool pprof -top -symbolize=none -sample_index="$type" -unit="$unit" -nodecount=10000000 \
		-nodefraction=0 -edgefraction=0 "$@" "$file" 2>pprof.err | awk '
		header {
			name = $6
			for (i = 7; i <= NF; i++) name = name " " $i
			sub(/ \((partial-)?inline\)$/, "", name)
			if (name == "<unknown>") name = "[unknown]"
			printf "%s %.0f %.0f\n", name, $1, $4
		}
		/flat%/ { header = 1 }' | sort
}

our_top() { # FILE TYPE [OPTION...]
	local file=$1 type=$2
	shift 2
	"$KILN" report "$file" --value "$type" --json "$@" | jq -r '[.rows[] | {name, self, total}] |
		group_by(.name)[] | [.[0].name, (map(.self) | add), (map(.total) | add)] | join(" ")' | sort
}
