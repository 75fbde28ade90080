#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What kiln reads out of its profiles is what others read out of them.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# The functions' self and total samples by go's pprof: "SELF TOTAL NAME", as -top prints them with
# samples as the unit (counts are printed plainly).
go_pprof() { # FILE
	go tool pprof -top -sample_index=samples -nodecount=100000 -nodefraction=0 -edgefraction=0 \
		-symbolize=none "$1" 2>pprof.err | awk '
		header && NF >= 6 {
			name = $6
			for (i = 7; i <= NF; i++) name = name " " $i
			sub(/ \(inline\)$/, "", name); sub(/ \(partial-inline\)$/, "", name)
			print $1, $4, name
		}
		$1 == "flat" { header = 1 }' | sort
}

test_top_agrees_with_go() {
	need_bpf
	need go jq
	"$KILN" record -q -o p.pb.gz -- "$WORKLOADS/demo" 3 >out
	go_pprof p.pb.gz >theirs
	"$KILN" report p.pb.gz --json --value samples >report.json
	# Go's rows are names; ours are names in modules.
	jq -r '.rows | group_by(.name)[] | select(length == 1)[0] | "\(.self) \(.total) \(.name)"' \
		report.json | sort >ours
	jq -r '.rows | group_by(.name)[] | select(length > 1)[0].name' report.json >several
	assert_at_least "functions" "$(grep -c . theirs)" 20
	awk 'FILENAME == "several" { several[$0]; next } { name = $0; sub(/^[0-9]+ [0-9]+ /, "", name) }
		!(name in several)' several theirs >theirs.unique
	diff theirs.unique ours >differences || {
		sed 's/^/#   /' differences | head -n 40
		fail "kiln report and go tool pprof differ"
	}
}

test_totals_agree_with_go() {
	need_bpf
	need go
	start "$WORKLOADS/demo" 30
	"$KILN" record -q -a -d 2 -o p.pb.gz
	go tool pprof -top -sample_index=samples -symbolize=none p.pb.gz >top 2>err
	assert_match "go's total" top "Total samples = $(profile_samples p.pb.gz) "
	go tool pprof -raw p.pb.gz >raw 2>err
	assert_match "period" raw '^Period: 10101010$'
	assert_match "types" raw '^samples/count cpu/nanoseconds(\[dflt\])?$'
}

test_exports_hold_the_same_samples() {
	need_bpf
	need jq
	"$KILN" record -q -o p.pb.gz -- "$WORKLOADS/demo" 2 >out
	local all
	all=$(profile_samples p.pb.gz)
	"$KILN" export p.pb.gz -o p.folded
	assert_eq "folded" "$(awk '{ n += $NF } END { print n }' p.folded)" "$all"
	"$KILN" export p.pb.gz -o p.json
	assert_eq "speedscope" "$(jq '.profiles[0].weights | add' p.json)" "$all"
	"$KILN" export p.pb.gz -o p.pb
	assert_eq "raw pprof" "$(profile_samples p.pb)" "$all"
	"$KILN" export p.pb.gz -o p.pb.zst
	zstd -q -d -o q.pb p.pb.zst
	assert_eq "zstd pprof" "$(profile_samples q.pb)" "$all"
	"$KILN" export p.pb.gz -f folded -o - | diff - p.folded >differs ||
		fail "standard output has something else"
}

# Straight into another format, and through a file: the same.
test_formats_of_record() {
	need_bpf
	local suffix
	for suffix in folded svg html json pb pb.zst; do
		"$KILN" record -q -o "p.$suffix" -- "$WORKLOADS/deep" 0.5 5
		[ -s "p.$suffix" ] || fail "p.$suffix is empty"
		[[ $suffix == pb* ]] || assert_match "p.$suffix" "p.$suffix" at_the_bottom
	done
	"$KILN" record -q -f pb.gz -o - -- "$WORKLOADS/deep" 1 5 >stdout.pb.gz
	assert_at_least "samples on standard output" "$(profile_samples stdout.pb.gz)" 10
}

run_tests "$@"
