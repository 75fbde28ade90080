#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a report shows of a profile: trees, groups, and less than all of it, in agreement with go's pprof.
# None of it needs BPF. KILN_TEST_DATA: a folder of other programs' profiles.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/go_top.sh
. "$SRC/tests/lib/go_top.sh"

DATA=${KILN_TEST_DATA:-$SRC/../shared/data/pprof}

profile_of() { # FILE: lines of make_profile.py, with \t
	printf '%b\n' "$(cat)" | python3 "$SRC/tests/lib/make_profile.py" >"$1"
}

# A recursion, inlined calls within and without it, and two libraries; with TIMES 100 shares are no ranges.
make_calls() { # [TIMES]
	awk -v times="${1:-1}" '{ sub(/^[0-9]+/, ($0 + 0) * times); print }' <<-'P' | profile_of calls.pb
		7\tcomm=x pid=1 thread_id=1\tmain|/x\ta|/x\tb|/x\ta|/x\tb|/x
		5\tcomm=x pid=1 thread_id=1\tmain|/x\ta|/x\ta|/x\tstd::sort|/x\tstd::swap|^
		3\tcomm=x pid=1 thread_id=1\tmain|/x\tb|/x\ta|^\tc|^\tb|/x\tmemcpy|/lib/libc.so.6
		2\tcomm=x pid=1 thread_id=1\tother|/x\tc|^\tmemcpy|/lib/libc.so.6
		1\tcomm=x pid=1 thread_id=1\tother|/x
	P
}

# --- less of a profile ------------------------------------------------------------------------------

# The same regular expression for both.
compare_ways() { # FILE TYPE UNIT REGEX
	local way ours theirs n=0
	for way in "--no-inline|-noinlines" "--focus $4|-focus=$4" "--ignore $4|-ignore=$4" \
		"--show-from $4|-show_from=$4" "--show-from $4 --no-inline|-show_from=$4 -noinlines"; do
		ours=${way%%|-*} theirs=-${way#*|-}
		# shellcheck disable=SC2086 # words
		go_top "$1" "$2" "$3" $theirs >theirs
		# shellcheck disable=SC2086
		our_top "$1" "$2" $ours >ours 2>/dev/null || true # nothing may match
		diff theirs ours >differs || { head -n 6 differs | sed 's/^/# /'; fail "$1, $ours"; }
		n=$((n + $(wc -l <ours)))
	done
	functions=$((functions + n))
}

test_ways_agree_with_go() {
	need go jq python3
	local functions=0 regex
	make_calls
	for regex in '^a$' '^c$' swap '^(b|other)$' libc; do
		compare_ways calls.pb cpu ns "$regex"
		compare_ways calls.pb samples count "$regex"
	done
	assert_at_least "functions" "$functions" 150
}

test_ways_of_others_agree_with_go() {
	need go jq
	[ -d "$DATA" ] || skip "no folder of profiles: set KILN_TEST_DATA"
	local functions=0 file regex
	for file in "$DATA"/fib.pb.gz "$DATA"/series/*0.pb.gz; do
		for regex in '^runtime[.][a-m]' '[*][A-Z]' 'main'; do
			compare_ways "$file" "$("$KILN" report "$file" --json | jq -r .type)" ns "$regex"
		done
	done
	echo "# $functions functions agree"
	assert_at_least "functions" "$functions" 500
}

test_what_is_left_out_is_said() {
	need python3 jq
	make_calls
	assert_status 0 "$KILN" report calls.pb --show-from '^other$'
	assert_match "what is left" out '^Shown    16\.7 % of the profile'
	assert_status 0 "$KILN" report calls.pb --show-from '^other$' --json
	assert_eq "what is left" "$(jq -c '[.matched, .total]' out)" "[30000000,180000000]"
	assert_status 0 "$KILN" report calls.pb --no-inline
	assert_no_match "all of it is shown" out '^Shown'
	assert_no_match "an inlined call" out 'swap'
	assert_match "its function" out '12-51% +12-51%  std::sort'
	assert_status 3 "$KILN" report calls.pb --show-from nothing_like_it
	assert_match "which one" err '^kiln: warning: --show-from: no function or module matches "nothing_like_it"$'
	assert_match "nothing is left" err 'no samples match'
	assert_status 3 "$KILN" report calls.pb --show-from 'prog+sub_1230'
	assert_match "what to write" err '^kiln: warning: --show-from: .* "prog\+sub_1230" \(a regular expression: write \\\+ for \+\)$'
	assert_status 0 "$KILN" report calls.pb --collapse nothing_like_it
	assert_match "which one" err '^kiln: warning: --collapse: no function or module matches'
	local regex
	for regex in '(' '[a' '((((a{99}){99}){99}){99})' '(a)\1'; do
		assert_status 2 "$KILN" report calls.pb --collapse "$regex"
		assert_match "what is wrong" err '^kiln: report: --collapse: ".*" is a regular expression (with|that)'
		assert_status 2 "$KILN" export calls.pb --show-from "$regex" -o out.svg
		assert_no_file out.svg
	done
}

# As in tables: few samples say little.
test_tree_of_few_samples() {
	need python3
	make_calls
	assert_status 0 "$KILN" report calls.pb --tree --by module
	assert_match "a range" out '^12-51% +12-51%    libc\.so\.6$'
}

test_table_says_what_is_left_out() {
	need python3
	make_calls 100
	assert_status 0 "$KILN" report calls.pb -n 2
	assert_match "shares of a label" out '^\(6 more, 33\.3 % of their own\)$'
	assert_status 0 "$KILN" report calls.pb --by comm
	assert_match "the label" out '^ share  comm$'
}

test_collapsed() {
	need python3
	make_calls
	assert_status 0 "$KILN" export calls.pb --collapse '^[ab]$' --collapse '^std::' -f folded
	assert_eq "stacks" "$(cut -d' ' -f1 out | sort | xargs)" \
		"x;main;a x;main;a;std::sort x;main;b;c;b;memcpy x;other x;other;c;memcpy"
	assert_eq "samples" "$(awk '{ n += $NF } END { print n }' out)" 18
	local suffix
	for suffix in pb.gz svg html json; do
		assert_status 0 "$KILN" export calls.pb --show-from '^other$' --no-inline -o "part.$suffix"
	done
	assert_eq "pprof" "$("$KILN" report part.pb.gz --json --value samples | jq .total)" 3
	assert_no_match "what is left out" part.svg '>main<|<title>main'
	assert_match "what is shown" part.svg '<title>other'
	for suffix in svg html json; do
		grep -q memcpy "part.$suffix" || fail "memcpy is missing in $suffix"
		! grep -q 'std::' "part.$suffix" || fail "std:: is left in $suffix"
	done
}

# --- trees ------------------------------------------------------------------------------------------

# 40 commands of which the last few matter: depth first, the first ones would take all rows.
test_tree_shows_the_heaviest() {
	need python3
	for i in $(seq 40); do
		for k in $(seq 30); do
			echo "1\tcomm=c$i pid=$i thread_id=$i\tmain|/x\tf$i|/x\tg$k|/x\th|/x"
		done
		echo "$((i * 10))\tcomm=c$i pid=$i thread_id=$i\tmain|/x\tf$i|/x\tbusy$i|/x"
	done | profile_of many.pb
	assert_status 0 "$KILN" report many.pb --tree -n 60
	assert_eq "rows" "$(grep -cE '^ *[0-9.]+% ' out)" 60
	for i in 40 39 38 35 30; do
		assert_match "function $i" out " f$i\$"
		assert_match "busy $i" out " busy$i\$"
	done
	assert_match "what is left out of all commands" out '^ +[0-9.]+% +… [0-9,]+ more$'
	assert_match "what is left out of all" out '^\([0-9,]+ more in [0-9,]+ places, [0-9.]+ % in all\)$'
	assert_status 0 "$KILN" report many.pb --tree -n 0
	assert_eq "all rows" "$(grep -cE '^ *[<>]?[0-9.]+% ' out)" $((40 * (4 + 60)))
	assert_no_match "nothing is left out" out '… |^\('
	assert_status 0 "$KILN" report many.pb --tree -n 60 --by command
	assert_match "the heaviest command" out '^ +4\.6% +-  - c40$'
}

test_tree_by_groups() {
	need python3
	make_calls 100
	assert_status 0 "$KILN" report calls.pb --tree --by module
	tail -n +3 out | grep -v '^Stacks' >rows
	assert_match "head" out '^ total +self +module$'
	assert_match "frames in a row are one" out '^100\.0% +72\.2%  - x$'
	assert_match "what it calls" out '^ 27\.8% +27\.8%    libc\.so\.6$'
	assert_status 0 "$KILN" report calls.pb --tree --by process
	assert_match "the process" out '^100\.0% +-  - x-1$'
	assert_status 0 "$KILN" report calls.pb --tree --by package
	assert_match "a namespace" out '^ 27\.8% +27\.8% .* std$'
}

# A function that calls itself is a row, and so is how all stacks begin; by way of others it is said how to fold it.
test_tree_without_repetition() {
	need python3
	{
		echo "900\tcomm=x\t_start|/x\t__libc_start_main|/c\tmain|/x\tf|/x\tf|/x\tf|/x\tg|/x\tf|/x\tg|/x\tf|/x"
		echo "300\tcomm=x\t_start|/x\t__libc_start_main|/c\tmain|/x\th|/x"
	} | profile_of deep.pb
	assert_status 0 "$KILN" report deep.pb --tree
	assert_match "start-up" out '^100\.0% +-  - _start > __libc_start_main > main$'
	assert_match "recursion" out '^ 75\.0% +-    - f \(up to 3 in a row\)$'
	assert_match "in turn" out '^ 75\.0% +-      g \(with its caller up to 2 times in a row\)$'
	assert_eq "rows" "$(grep -cE '^ *[0-9.]+% ' out)" 5
	assert_no_match "little else is to be said" out 'call themselves'
	echo "9\tcomm=x\tmain|/x\tf|/x\tg|/x\th|/x\tf|/x\th|/x\tg|/x\tf|/x\tg|/x\th|/x" | profile_of mixed.pb
	assert_status 0 "$KILN" report mixed.pb --tree
	assert_match "by way of others" out '^\(6 of these rows are of functions that call themselves .*--collapse'
	assert_status 0 "$KILN" report deep.pb --tree --collapse '^[fg]$'
	assert_match "collapsed" out '^ 75\.0% +75\.0%    - f$'
	assert_no_match "nothing to say then" out 'call themselves'
}

# Rows of the text tree: "TOTAL% SELF% NAME"; and the same of JSON.
text_tree() { # OPTION...
	"$KILN" report "$@" --tree -n 0 --full-names | sed -nE 's/^ *([0-9.]+%) +([0-9.]+%|-) +(- )?/\1 \2 /; s/ \((up to|with its) .*//; /^[0-9.]+% /p'
}

json_tree() { # OPTION...
	"$KILN" report "$@" --tree --json | jq -r '.matched as $all | .nodes[] | [.total, .self, $all, .name] | @tsv' |
		awk -F'\t' '{ printf "%.1f%% %s %s\n", 100 * $1 / $3, $2 ? sprintf("%.1f%%", 100 * $2 / $3) : "-", $4 }'
}

# Functions' self and total out of a tree, and what is left out, against the rows of the same report.
check_tree() { # TREE ROWS
	python3 -c 'import json, sys
tree, table = (json.load(open(name)) for name in sys.argv[1:3])
nodes, rows = tree["nodes"], {}
for i, n in enumerate(nodes):
    at, up = n["parent"], []
    assert at is None or at < i, i
    assert n["depth"] == (0 if at is None else nodes[at]["depth"] + 1), i
    if "left_out" in n:
        continue
    while at is not None:
        up.append(nodes[at]["name"])
        at = nodes[at]["parent"]
    row = rows.setdefault(n["name"], [0, 0])
    row[0] += n["self"]
    row[1] += 0 if n["name"] in up else n["total"]
left = sum(n["total"] for n in nodes if "left_out" in n) + tree.get("left_out", {}).get("total", 0)
assert sum(row[0] for row in rows.values()) + left == tree["matched"], left
if not left:
    assert rows == {r["name"]: [r["self"], r["total"]] for r in table["rows"]}, rows' "$1" "$2"
}

test_tree_as_json() {
	need python3 jq
	local way
	make_calls 100
	for way in "" "--by line" "--by module" "--callers memcpy" "--callees a"; do
		# shellcheck disable=SC2086 # words
		text_tree calls.pb $way >text
		# shellcheck disable=SC2086
		json_tree calls.pb $way >json
		assert_at_least "rows, $way" "$(wc -l <text)" 2
		diff text json || fail "$way: text and JSON differ"
	done
	"$KILN" report calls.pb --json >table
	"$KILN" report calls.pb --tree --json >tree
	check_tree tree table
	assert_eq "in turn" "$(jq -c '[.nodes[] | select(.cycle_nodes) | [.name, .cycle_nodes, .cycle_times]]' tree)" '[["b",2,2]]'
	assert_eq "in a row" "$(jq -c '[.nodes[] | select(.calls) | [.name, .calls]]' tree)" '[["a",2]]'
	assert_eq "kinds" "$(jq -r '[.nodes[].kind] | unique | join(" ")' tree)" native
	for n in 1 2 3 5 8; do
		"$KILN" report calls.pb --tree --json -n $n >tree
		assert_at_most "rows" "$(jq '.nodes | length' tree)" $n
		check_tree tree table
	done
	"$KILN" report calls.pb --by process --tree --json >tree
	assert_eq "a root" "$(jq -c '.nodes[0] | [.parent, .depth, .name, .kind]' tree)" '[null,0,"x-1","root"]'
	# deeper than some readers nest
	{
		printf '5\tcomm=x'
		for i in $(seq 1500); do printf '\\tf%s|/x' "$i"; done
	} | profile_of deep.pb
	"$KILN" report deep.pb --tree --json >tree
	assert_eq "the innermost" "$(jq -c '.nodes[-1] | [.depth, .name, .self]' tree)" '[1499,"f1500",50000000]'
}

# Counted by hand.
test_tree_of_callers() {
	need python3
	make_calls 100
	assert_status 0 "$KILN" report calls.pb --callers memcpy --tree
	assert_match "itself" out '^ 27\.8% +27\.8%  - memcpy$'
	assert_match "a caller" out '^ 16\.7% +-    - b$'
	assert_match "the outermost caller" out '^ 16\.7% +-      main$'
	assert_eq "time of callers" "$(grep -cE '% +-  ' out)" "$(($(grep -cE '^ *[0-9.]+% ' out) - 1))"
	assert_status 0 "$KILN" report calls.pb --callees a --tree
	assert_match "itself" out '^ 83\.3% +-  - a \(up to 2 in a row\)$'
	assert_match "below" out '^ 38\.9% +38\.9%    - b \(with its caller up to 2 times in a row\)$'
}

# --- groups -----------------------------------------------------------------------------------------

rows_of() { # OPTION...
	"$KILN" report "$@" --value samples --json | jq -c '[.rows[] | [.name, .self, .total]]'
}

# What was saved counts as much as what was lost.
test_largest_changes_first() {
	need python3 jq
	profile_of change.pb <<-'P'
		5\tcomm=x\tmain|/x\tgrew|/x
		-9\tcomm=x\tmain|/x\tsaved|/x
		1\tcomm=x\tmain|/x\tnoise|/x
	P
	assert_eq "functions" "$(rows_of change.pb)" '[["saved",-9,-9],["grew",5,5],["noise",1,1],["main",0,-3]]'
}

make_changes() {
	profile_of old.pb <<-'P'
		30\tcomm=x\tmain|/x\tparse|/x
		900\tcomm=x\tmain|/x\tsaved|/x
		70\tcomm=x\tmain|/x\tsame|/x
	P
	profile_of new.pb <<-'P'
		180\tcomm=x\tmain|/x\tparse|/x
		500\tcomm=x\tmain|/x\tsaved|/x
		70\tcomm=x\tmain|/x\tsame|/x
		20\tcomm=x\tmain|/x\tadded|/lib/libnew.so
	P
}

# A profile less another, whoever subtracts: kiln, or go's pprof.
test_difference() {
	need python3 jq
	make_changes
	assert_status 0 "$KILN" report new.pb --diff-base old.pb
	cp out by_kiln
	assert_match "what it is" out '^x: a difference: 7\.70 s CPU, 2\.30 s less than the base.s 10\.00 s \(-23\.0 %\)'
	assert_match "which way" out '^Change   2 functions grew by 1\.70 s CPU, 1 function shrank by 4\.00 s CPU;'
	assert_match "kinds" out '^By kind  x -25\.0 %, libnew\.so \+2\.0 %$'
	assert_eq "the largest change first" "$(awk '/^ *[+-]/ { print $1, $3 }' out | xargs)" \
		"-40.0% saved +15.0% parse +2.0% added - main"
	assert_status 0 "$KILN" report new.pb --diff-base old.pb --summary
	assert_match "largest first" out '^-40\.0%  -40\.0%  saved'
	assert_no_match "what only a profile has" out '^(Path|Flat|Load)'
	assert_status 0 "$KILN" report new.pb --diff-base old.pb --tree
	assert_match "whose tree" out '^Tree     of the stacks that grew$'
	assert_match "what grew" out '\+15\.0% +- parse$'
	assert_eq "in JSON" "$("$KILN" report new.pb --diff-base old.pb --json | jq -c .difference)" \
		'{"base":10000000000,"grew":1700000000,"shrank":4000000000,"functions_grew":2,"functions_shrank":1,"functions_within_chance":0}'
	assert_status 0 "$KILN" export new.pb --diff-base old.pb -o change.pb.gz
	assert_status 0 "$KILN" report change.pb.gz
	diff by_kiln out || fail "a difference in a file"
	need go
	go tool pprof -proto -symbolize=none -diff_base old.pb new.pb >change.pb 2>pprof.err
	assert_status 0 "$KILN" report change.pb
	# but for the time, of which pprof has that of both
	diff <(sed '1s/; 2026.*//' by_kiln) <(sed '1s/; 2026.*//' out) || fail "a difference of pprof's"
	go_top change.pb cpu ns | awk '$2 || $3' >theirs
	diff theirs <(our_top new.pb cpu --diff-base old.pb) || fail "go's own sums"
	go tool pprof -proto -symbolize=none -base old.pb new.pb >change.pb 2>pprof.err
	assert_status 0 "$KILN" report change.pb
	assert_match "an unmarked base" out '^x: a difference: 2\.30 s CPU less'
}

# Of another length; of other types; and what is no comparison.
test_difference_of_unequal_profiles() {
	need python3 jq
	make_changes
	"$KILN" export old.pb old.pb old.pb -o thrice.pb.gz
	assert_status 0 "$KILN" report old.pb --diff-base thrice.pb.gz --normalize --json
	assert_eq "nothing has changed" "$(jq -c '[.matched, (.rows | length)]' out)" "[0,0]"
	assert_status 0 "$KILN" report old.pb --diff-base old.pb
	assert_match "nor of the same" out '^x: a difference: 10\.00 s CPU, as much as the base'
	assert_match "in no function" out '^Change   no function has more or less time of its own$'
	assert_no_match "no line says nothing" out '^By kind'
	assert_status 2 "$KILN" report new.pb --normalize
	assert_match "of nothing" err '\-\-normalize is for --diff-base'
	assert_status 1 "$KILN" report new.pb --diff-base nowhere.pb
	assert_match "no base" err 'nowhere.pb: No such file'
	assert_status 2 "$KILN" report new.pb --diff-base ''
}

test_groups() {
	need python3 jq
	profile_of java.pb <<-'P'
		5\tcomm=GC pid=7 thread_id=8\t|/lib/libjvm.so
		4\tcomm=C2 pid=7 thread_id=9\t|/lib/libjvm.so
		1\tcomm=java pid=7 thread_id=7\tmain|/bin/java
		9\tcomm=java pid=17 thread_id=17\tmain|/bin/java
		2\tcomm=sh pid=20 thread_id=20\tmain|/bin/sh
		6\tcomm=cc1 pid=20 thread_id=20\tmain|/bin/cc1
		3\tcomm=cc1 pid=21 thread_id=21\tmain|/bin/cc1
		1\t\tmain|/bin/x
	P
	assert_eq "commands" "$(rows_of java.pb --by command)" \
		'[["java",19,19],["cc1",9,9],["sh",2,2],["[no process]",1,1]]'
	assert_eq "processes" "$(rows_of java.pb --by process)" \
		'[["java-7",10,10],["java-17",9,9],["cc1-20",6,6],["cc1-21",3,3],["sh-20",2,2],["[no process]",1,1]]'
	assert_eq "the label" "$(rows_of java.pb --by comm | jq length)" 6
	profile_of names.pb <<-'P'
		5\tcomm=x\tmain.main|/x\tencoding/json.Marshal|/x\tencoding/json.(*d).value|/x
		4\tcomm=x\tmain.main|/x\truntime.mallocgc|/x\tmemmove|/x
		3\tcomm=x\tstd::sort<int>(int*)|/y\trocksdb::Get()|/y
		2\tcomm=x\tread|/lib/libc.so.6\tvfs_read|[kernel.kallsyms]
	P
	assert_eq "packages" "$(rows_of names.pb --by package)" \
		'[["encoding/json",5,5],["x",4,4],["y",3,3],["[kernel]",2,2],["main",0,9],["runtime",0,4],["libc.so.6",0,2]]'
	for by in file directory; do
		assert_eq "$by: the module without lines" "$(rows_of names.pb --by $by)" \
			'[["x",9,9],["y",3,3],["[kernel]",2,2],["libc.so.6",0,2]]'
	done
}

test_directories_of_go() {
	need jq
	[ -d "$DATA" ] || skip "no folder of profiles: set KILN_TEST_DATA"
	"$KILN" report "$DATA/fib.pb.gz" --by package --json | jq -r '.rows[].name' >packages
	assert_match "package" packages '^main$'
	assert_match "package" packages '^runtime$'
	"$KILN" report "$DATA/fib.pb.gz" --by directory --json | jq -r '.rows[].name' >directories
	assert_match "directory" directories '/src/runtime$'
	"$KILN" report "$DATA/fib.pb.gz" --by file --json | jq -r '.rows[].name' >files
	assert_match "file" files '/src/runtime/[a-z0-9_]+[.]go$'
}

# --- losses -----------------------------------------------------------------------------------------

test_lost_samples_are_no_functions() {
	need python3 jq
	profile_of lost.pb <<-'P'
		90\tcomm=x pid=1 thread_id=1\tmain|/x\twork|/x
		6\t\t[lost samples]|[kiln]\tcpu_gap|[kiln]
		4\t\t[lost samples]|[kiln]
		# kiln.expected=100
		# kiln.recorded=90
		# kiln.lost.cpu_gap=10
	P
	local args
	for args in "" --tree "--by module" "--by process" "--by process --tree" "--by package"; do
		# shellcheck disable=SC2086 # words
		assert_status 0 "$KILN" report lost.pb $args
		assert_match "the header with '$args'" out '90 samples and 10 lost at 100 Hz'
		assert_no_match "a row with '$args'" out '%.*(cpu_gap|\[kiln\]|no process|\[lost)'
		assert_match "the share with '$args'" out '90(\.0)?%'
		assert_match "the loss with '$args'" out '^Lost +10 samples \(10\.0 %\)'
	done
	assert_eq "in JSON" "$("$KILN" report lost.pb --json --value samples |
		jq -c '[.rows[] | select(.kind == "synthetic") | [.name, .self, .total]]')" \
		'[["cpu_gap",6,6],["[lost samples]",4,10]]'
	assert_eq "in JSON" "$("$KILN" report lost.pb --json | jq .quality.lost.cpu_gap)" 10
}

# "sample" of others is a number of samples; without one there are stacks.
test_samples_of_others() {
	need python3
	make_calls
	LC_ALL=C sed 's/samples/samplee/' calls.pb >none.pb
	assert_status 0 "$KILN" report calls.pb
	assert_match "samples" out ': 18 samples at'
	assert_status 0 "$KILN" report none.pb
	assert_match "stacks" out ': 5 stacks at'
	[ -d "$DATA" ] || return 0
	assert_status 0 "$KILN" report "$DATA/fib.pb.gz"
	assert_match "samples" out ": $("$KILN" report "$DATA/fib.pb.gz" --json |
		jq '.values[] | select(.type | test("^samples?$")) | .total' | sed -E 's/(...)$/,\1/') samples"
}

run_tests
