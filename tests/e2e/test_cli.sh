#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line: statuses, messages, bad input and output, and agreement with go's pprof.
# None of it needs BPF. KILN_TEST_DATA: a folder of other programs' profiles.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/go_top.sh
. "$SRC/tests/lib/go_top.sh"

DATA=${KILN_TEST_DATA:-$SRC/../shared/data/pprof}

# A sorting program, a hostile one, and a kernel: 72 samples of 10 ms, in p.pb.
small_profile() {
	printf '%b\n' '40\tcomm=burn\tmain|/bin/burn\tsort_rows|/bin/burn\tmsort|/lib/libc.so.6' \
		'25\tcomm=burn\tmain|/bin/burn\thash_row|/bin/burn' '2\tcomm=burn\tmain|/bin/burn' \
		'5\tcomm=evil\t\x1b[31mred\x07|/tmp/\xe2\x80\xaex\t\xff\xfe|[kernel.kallsyms]' |
		python3 "$SRC/tests/lib/make_profile.py" >p.pb
}

as_nobody() { # COMMAND...
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}

# Runs a shell command on a terminal of its own, 60 columns wide; its output is in ./screen.
on_terminal() {
	TERM=xterm script -q -e -c "stty cols 60; $1" /dev/null </dev/null >screen
}

# --- help and usage ---------------------------------------------------------------------------------

# A path that is not what it seems is said, with the one that helps.
test_mistaken_paths() {
	mkdir -p nothing
	printf 'SQLite format 3\0' >20261128T090000Z.kiln
	assert_status 1 "$KILN" list nothing
	assert_match "no store" err 'nothing: no store'
	assert_status 1 "$KILN" rm --all --dry-run nothing
	assert_match "no store" err 'nothing: no store'
	assert_status 1 "$KILN" report 20261128T090000Z.kiln
	assert_match "the directory" err "give the store's directory"
	KILN_STORE_PATH=$PWD/nowhere assert_status 2 "$KILN" report
	assert_match "a file" err 'give a FILE'
	KILN_STORE_PATH=$PWD/nothing assert_status 1 "$KILN" report
	assert_match "the configured store" err '/nothing: no store'
	printf 'store: {path: %s/nothing}\n' "$PWD" >kiln.yaml
	for command in report list 'export -o x.svg' 'rm --all -n'; do
		# shellcheck disable=SC2086 # words
		assert_status 1 "$KILN" $command -c kiln.yaml
		assert_match "the store of a configuration" err '/nothing: no store'
	done
	assert_status 1 "$KILN" list --from "kiln+unix:$PWD/none"
	assert_match "the socket" err '/none: No such file or directory'
}

test_help() {
	local command
	assert_status 0 "$KILN"
	assert_match "commands" out '^  record '
	cp out alone
	assert_status 0 "$KILN" --help
	diff alone out >/dev/null || fail "kiln --help is not what kiln says"
	for command in record report export list rm push symbolize doctor completion version; do
		assert_status 0 "$KILN" "$command" --help
		assert_match "usage" out "^Usage: kiln $command"
		assert_match "options" out '^  -h, --help'
		[ "$command" = version ] || assert_eq "what comes first after the title" \
			"$(sed -n 3p out)" Examples:
		assert_eq "widest line" "$(awk 'length > 100' out)" ""
		cp out help
		assert_status 0 "$KILN" help "$command"
		diff help out >/dev/null || fail "kiln help $command is not its --help"
	done
	assert_status 0 "$KILN" --version
	assert_match "version" out '^kiln [0-9]+\.[0-9]+\.[0-9]+$'
}

test_wrong_usage() {
	small_profile
	assert_status 2 "$KILN" reprot
	assert_match "suggestion" err 'did you mean "kiln report"'
	assert_status 2 "$KILN" flamegraph
	assert_status 2 "$KILN" --verbose
	assert_status 2 "$KILN" report p.pb --callrs x
	assert_match "suggestion" err 'did you mean --callers\?'
	assert_status 2 "$KILN" report
	assert_status 2 "$KILN" report p.pb -n
	assert_status 2 "$KILN" report p.pb -n many
	assert_status 2 "$KILN" report p.pb --by color
	assert_status 2 "$KILN" report p.pb --focus '('
	assert_match "what is wrong with it" err 'a regular expression with a parenthesis that is not closed'
	assert_status 2 "$KILN" report p.pb --value bytes
	assert_match "what there is" err 'samples, cpu'
	assert_status 2 "$KILN" report p.pb --callers main --callees main
	assert_status 2 "$KILN" report p.pb --callers main --by module
	# shellcheck disable=SC2046 # each is an option and its argument
	assert_status 2 "$KILN" record $(seq -f '-l k%g=v' 59) -- true
	assert_match "the limit" err 'at most 58 labels'
	local key
	for key in pid tid thread_id comm cgroup unit container; do
		assert_status 2 "$KILN" record -l $key=1 -- true
		assert_match "whose label it is" err "\"$key\" is a label that kiln sets itself"
	done
	assert_status 2 "$KILN" record -l a=1 -l ab=1 -l a=2 -- true
	assert_match "the second value" err '"a" is given twice'
	# Not the kernel, and nothing is said to be sampled: the line is wrong.
	local wrong
	while read -r wrong; do
		eval "assert_status 2 '$KILN' record $wrong -- true"
		assert_match "a line about $wrong" err '^kiln: record: '
		assert_no_match "what is said of $wrong" err 'sampling|kernel|BPF'
	done <<-'LINES'
		--comm '['
		--comm ''
		-C abc
		-C ''
		-C 0-9999
		-d 0
		-o ''
		-o '' -f pb.gz
		-p ''
		-F ''
	LINES
	assert_status 2 "$KILN" record -- ''
	assert_status 2 "$KILN" report ''
	assert_match "what is empty" err 'the name of a FILE is empty'
	assert_status 2 "$KILN" export '' -o x.svg
	assert_status 2 "$KILN" report p.pb --callers ''
	assert_status 5 "$KILN" record -p 9999999 -d 1
	assert_eq "all that is said" "$(cat err)" "kiln: -p 9999999: no such process"
	assert_status 5 "$KILN" record -p 9999998,9999999 -d 1
	assert_match "the last of them" err '^kiln: -p 9999999: no such process$'
	assert_status 2 "$KILN" record --call-graph frame -- true
	assert_match "what there is" err 'fp|dwarf|lbr'
	assert_status 2 "$KILN" doctor now
	assert_status 2 "$KILN" completion tcsh
	assert_status 2 "$KILN" export p.pb
	assert_status 2 "$KILN" export p.pb -o -
	assert_status 2 "$KILN" export p.pb -o out.xyz
	assert_match "known ones" err '\.pb\.gz .*\.folded .*\.html'
	assert_status 2 "$KILN" export p.pb -f perl
	assert_no_file out.xyz
	assert_eq "data on standard output" "$(cat out)" ""
}

test_statements_without_a_server() {
	echo 'window: 10s' >k.yaml
	assert_status 2 "$KILN" fleet init -c k.yaml
	assert_match "what is missing" err 'which ClickHouse'
	assert_status 0 "$KILN" fleet init --print -c k.yaml
	assert_match "the tables" out '^CREATE TABLE IF NOT EXISTS .kiln.[.].samples. '
	assert_status 0 "$KILN" fleet init --print -c k.yaml --cluster many --ttl 30d
	assert_match "the tables of a cluster" out '^CREATE TABLE IF NOT EXISTS .kiln.[.].samples_local. ON CLUSTER .many'
}

test_a_store_beside_oneself() {
	echo 'store: {path: out}' >k.yaml
	assert_status 0 "$KILN" agent --print-config --store out
	assert_match "the store" out "^  path: $PWD/out( |$)"
	assert_status 2 "$KILN" agent --check-config -c k.yaml
	assert_match "a file's store" err '"out" is not an absolute path'
	assert_status 2 "$KILN" agent --check-config --store ''
}

# --- input ------------------------------------------------------------------------------------------

test_bad_input() {
	need zstd
	small_profile
	assert_status 1 "$KILN" report missing.pb.gz
	assert_match "message" err '^kiln: missing.pb.gz: No such file or directory$'
	assert_status 1 "$KILN" report .
	assert_match "message" err '^kiln: [.]: no store, or nothing is stored yet$'
	: >empty
	head -c 5000 /dev/urandom >garbage
	gzip -c p.pb >p.pb.gz
	zstd -q p.pb
	head -c 100 p.pb.gz >cut.gz
	head -c 100 p.pb.zst >cut.zst
	head -c 100 p.pb >cut.pb
	gzip -c garbage >garbage.gz
	local file
	for file in empty garbage cut.gz cut.zst cut.pb garbage.gz; do
		assert_status 1 "$KILN" report "$file"
		assert_match "message" err "^kiln: $file: ."
		assert_eq "lines of it" "$(wc -l <err)" 1
		assert_status 1 "$KILN" export "$file" -o out.svg
		assert_no_file out.svg
	done
	assert_status 1 "$KILN" report p.pb garbage
	assert_match "which one" err '^kiln: garbage: '
}

test_ways_in() {
	need zstd
	small_profile
	gzip -k p.pb
	zstd -q p.pb
	"$KILN" report p.pb >wanted
	"$KILN" report p.pb.gz | diff - wanted || fail "gzip differs"
	"$KILN" report p.pb.zst | diff - wanted || fail "zstd differs"
	"$KILN" report - <p.pb.gz | diff - wanted || fail "standard input differs"
	(sleep 0.2; cat p.pb) | "$KILN" report - | diff - wanted || fail "a slow pipe differs"
	"$KILN" report <(sleep 0.2; cat p.pb) | diff - wanted || fail "a FIFO differs"
}

# --- report -----------------------------------------------------------------------------------------

test_report() {
	small_profile
	assert_status 0 "$KILN" report p.pb
	assert_match "header" out '72 samples at 100 Hz, 720\.0 ms CPU'
	assert_match "caller" out '44-67% +44-67%  msort +libc\.so\.6 +<- sort_rows$'
	assert_match "recursion of main" out '0-10% +84-97%  main'
	assert_status 0 "$KILN" report p.pb --callers msort
	assert_match "its caller" out '44-67%  sort_rows'
	assert_status 0 "$KILN" report p.pb --callers SORT_R
	assert_match "a part of a name will do" out '^Callers of sort_rows \(44 to 67 %; 0 to 6 % of its own\)$'
	assert_status 1 "$KILN" report p.pb --callers msotr
	assert_match "suggestion" err 'did you mean "msort"'
	assert_status 2 "$KILN" report p.pb --callers s
	assert_status 0 "$KILN" report p.pb --focus hash --json
	assert_eq "what is left" "$(jq '[.matched, .total]' out -c)" "[250000000,720000000]"
	assert_status 3 "$KILN" report p.pb --focus nothing_like_it
	assert_status 3 "$KILN" report p.pb --ignore '^main$' --ignore kernel
	assert_status 0 "$KILN" report p.pb --value samples --by process --json
	assert_eq "processes" "$(jq -c '[.rows[] | [.name, .self]]' out)" '[["burn",67],["evil",5]]'
	assert_status 0 "$KILN" report p.pb p.pb p.pb --value samples --json
	assert_eq "three are summed up" "$(jq .total out)" 216
	assert_status 0 "$KILN" report p.pb -n 1
	assert_match "what is left out" out '^\(5 more, 33 to 56 % of their own\)$'
}

# The first answer of a file, and what JSON has of it.
test_report_summary() {
	small_profile
	assert_status 0 "$KILN" report p.pb --summary
	assert_match "few samples" out '^Few +72 samples: shares are ranges'
	assert_match "kinds" out '^By kind +libc\.so\.6 4[0-9] to 6[0-9] %'
	assert_match "path" out '^ +[0-9]+-[0-9]+%    sort_rows'
	assert_match "what its branches have in common" out '^Path +[0-9]+-[0-9]+%  main$'
	assert_no_match "ceremony in the path" out '__libc_start'
	assert_at_least "at most 25 lines" 25 "$(wc -l <out)"
	COLUMNS=20 assert_status 0 "$KILN" report p.pb --summary
	assert_status 0 "$KILN" report p.pb --json
	assert_eq "sum of kinds" "$(jq '[.kinds[].self] | add' out)" "$(jq .total out)"
	assert_eq "sum of commands" "$(jq '[.commands[].total] | add' out)" "$(jq .total out)"
}

# What a recording ends with is what its file tells later.
test_answer_of_a_recording() {
	need_bpf
	"$KILN" record -d 30 -o r.pb.gz -- sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done' 2>err
	"$KILN" report r.pb.gz --summary | tail -n +2 >summary
	sed -n '/^Load /,/^Wrote /p' err | sed '/^Wrote /d' >said
	assert_match "load" said '^Load +[0-9.<]+ of [0-9]+ CPU'
	diff said summary || fail "the file tells something else than the recording"
	assert_match "what is next" err "^Next +kiln export r.pb.gz -o flame.html"
}

# Whatever a program or function calls itself, the terminal stays as it was.
test_hostile_names() {
	small_profile
	local args
	for args in "" --tree --summary "--by module" "--by line" "--by process" --json "--callers main"; do
		# shellcheck disable=SC2086
		"$KILN" report p.pb $args >shown
		assert_eq "control bytes with '$args'" "$(LC_ALL=C tr -d '[:print:]\n\200-\377' <shown | wc -c)" 0
		iconv -f UTF-8 -t UTF-8 shown >/dev/null || fail "broken UTF-8 with '$args'"
	done
	assert_status 1 "$KILN" report $'\e[2Jmissing'
	assert_no_match "escape in a message" err $'\e'
}

test_colour() {
	need script
	small_profile
	on_terminal "$KILN report p.pb"
	assert_match "colour on a terminal" screen $'\e\\[1m'
	assert_eq "lines wider than the terminal's table" \
		"$(sed $'s/\e\\[[0-9;]*m//g; s/\r//' screen | grep '%' | awk 'length > 60')" ""
	on_terminal "NO_COLOR=1 $KILN report p.pb"
	assert_no_match "colour in spite of NO_COLOR" screen $'\e'
	on_terminal "$KILN report p.pb --color never"
	assert_no_match "colour in spite of --color never" screen $'\e'
	"$KILN" report p.pb >out
	assert_no_match "colour in a file" out $'\e'
	NO_COLOR=1 "$KILN" report p.pb --color always >out
	assert_match "colour by --color always" out $'\e\\[1m'
}

# --- output -----------------------------------------------------------------------------------------

test_export_formats() {
	need go jq zstd
	small_profile
	local suffix
	for suffix in pb pb.gz pb.zst folded svg html json; do
		assert_status 0 "$KILN" export p.pb p.pb -o "two.$suffix"
		assert_eq "what it says with $suffix" "$(cat out err)" ""
		[ -s "two.$suffix" ] || fail "two.$suffix is empty"
		"$KILN" export p.pb p.pb -f "$suffix" >"stdout.$suffix"
		"$KILN" export p.pb p.pb -o - -f "$suffix" | cmp - "stdout.$suffix" ||
			fail "-o - differs with $suffix"
	done
	assert_eq "folded samples" "$(awk '{ n += $NF } END { print n }' two.folded)" 144
	assert_eq "folded time" "$("$KILN" export p.pb -f folded --value ns |
		awk '{ n += $NF } END { printf "%.0f", n }')" 720000000
	assert_match "root first" two.folded '^burn;main;sort_rows;msort 80$'
	for suffix in pb pb.gz; do
		go tool pprof -symbolize=none -top "two.$suffix" >top 2>err
		assert_match "go's total of $suffix" top 'Total samples = 1440ms '
	done
	zstd -q -d -c two.pb.zst | cmp - two.pb || fail "zstd holds something else"
	jq -e . two.json >/dev/null || fail "two.json is no JSON"
	assert_status 0 "$KILN" export p.pb --focus hash -o part.pb
	assert_eq "a part" "$("$KILN" report part.pb --json --value samples | jq .total)" 25
	assert_eq "mode of what is written" "$(stat -c %a part.pb)" 600
}

test_bad_output() {
	need_root
	small_profile
	assert_status 1 "$KILN" export p.pb -o missing/out.pb
	assert_match "message" err '^kiln: missing/out\.pb: there is no such directory: make it first$'
	assert_status 1 "$KILN" export p.pb -f pb -o .
	assert_match "message" err 'Is a directory$'
	assert_status 1 "$KILN" export p.pb -f pb -o /dev/full
	assert_match "message" err 'No space left on device$'
	[ -c /dev/full ] || fail "/dev/full was replaced"
	assert_status 0 "$KILN" export p.pb -f pb -o /dev/null
	[ -c /dev/null ] || fail "/dev/null was replaced"
	cp "$KILN" kiln
	assert_status 1 as_nobody ./kiln export p.pb -o out.pb
	assert_match "message" err 'out\.pb: Permission denied$'
	assert_no_file out.pb
	echo precious >out.pb
	assert_status 1 "$KILN" export garbage -o out.pb
	assert_eq "the file that was there" "$(cat out.pb)" precious
}

test_full_disk() {
	need_root
	mkdir disk
	mount -t tmpfs -o size=16k kiln-test disk || skip "no tmpfs can be mounted here"
	trap 'umount -l disk' EXIT
	small_profile
	assert_status 1 "$KILN" export p.pb -o disk/out.html
	assert_match "message" err 'disk/out\.html: No space left on device$'
	assert_eq "what is left on it" "$(ls -A disk)" ""
}

test_standard_output() {
	small_profile
	local status
	status=0
	"$KILN" report p.pb >/dev/full 2>err || status=$?
	assert_eq "status with a full device" "$status" 1
	assert_match "message" err 'cannot write to standard output: No space left on device'
	status=0
	"$KILN" report p.pb >&- 2>err || status=$?
	assert_eq "status with a closed standard output" "$status" 1
	status=0
	"$KILN" export p.pb -o out.folded >&- 2>&- </dev/null || status=$?
	assert_eq "status with a file and all closed" "$status" 0
	"$KILN" export p.pb -f folded | cmp - out.folded || fail "talk got into the file"
	status=0
	"$KILN" export p.pb -f pb >&- 2>err || status=$?
	assert_eq "status of export to a closed standard output" "$status" 1
	# a reader that leaves: killed by the signal, as any filter is, or an error; no crash
	status=$(set +e +o pipefail; "$KILN" export p.pb -f html | true; echo "${PIPESTATUS[0]}")
	case $status in
	0 | 1 | 141) ;;
	*) fail "status with a reader that left: $status" ;;
	esac
}

test_no_binary_to_a_terminal() {
	need script
	small_profile
	on_terminal "$KILN export p.pb -f pb.gz; echo status=\$?"
	assert_match "status" screen 'status=2'
	assert_match "message" screen 'not writing a binary format to a terminal'
	on_terminal "$KILN export p.pb -f folded; echo status=\$?"
	assert_match "text is fine" screen 'status=0'
}

# --- agreement with go ------------------------------------------------------------------------------

compare_with_go() { # FILE
	local type unit n=0
	while read -r type unit; do
		case $unit in
		nanoseconds) unit=ns ;;
		bytes) unit=B ;;
		esac
		go_top "$1" "$type" "$unit" >theirs
		our_top "$1" "$type" >ours
		diff theirs ours >differs || { head -n 6 differs | sed 's/^/# /'; fail "$1, $type"; }
		n=$((n + $(wc -l <ours)))
	done < <("$KILN" report "$1" --json | jq -r '.values[] | "\(.type) \(.unit)"')
	echo "# $(basename "$1"): $n functions agree"
	functions=$((functions + n))
}

test_report_agrees_with_go() {
	need go jq
	local functions=0
	printf '%b\n' '7\tcomm=x\tmain|/x\ta|/x\tb|/x\ta|/x\tb|/x' '5\tcomm=x\tmain|/x\ta|/x\ta|/x' \
		'3\tcomm=x\tmain|/x\tb|/x\ta|^\tb|/x' |
		python3 "$SRC/tests/lib/make_profile.py" >recursion.pb
	compare_with_go recursion.pb
	assert_eq "functions" "$functions" 6
}

test_report_of_others_agrees_with_go() {
	need go jq
	[ -d "$DATA" ] || skip "no folder of profiles: set KILN_TEST_DATA"
	local functions=0 file
	for file in "$DATA"/*.pb* "$DATA"/series/*.pb.gz; do
		case $file in
		*.cpu.pb)
			assert_status 1 "$KILN" report "$file"
			assert_match "gperftools" err 'a CPU profile of gperftools: convert it with'
			;;
		*) compare_with_go "$file" ;;
		esac
	done
	assert_at_least "functions" "$functions" 1000
}

# --- doctor -----------------------------------------------------------------------------------------

test_doctor() {
	need jq
	local status=0
	"$KILN" doctor >out 2>err || status=$?
	assert_match "result" out '^Result: .* failures?, .* warnings?\.$'
	assert_eq "status" "$status" "$(grep -q '^fail' out && echo 4 || echo 0)"
	"$KILN" doctor --json >json || true
	assert_eq "failures" "$(jq .failures json)" "$(awk '/^fail/ { n++ } END { print n + 0 }' out)"
	assert_eq "checks" "$(jq '.checks | length' json)" "$(grep -cE '^(ok|warn|fail|info) ' out)"
	assert_eq "failures without a cure" \
		"$(jq '[.checks[] | select(.status == "fail" and .fix == null)] | length' json)" 0
	[ -z "$BPF_WORKS" ] || assert_eq "can sample" "$(jq .can_sample json)" true
	assert_eq "what is left behind" "$(find . -name '.kiln*')" ""
}

test_doctor_without_privileges() {
	need_root
	cp "$KILN" kiln
	assert_status 4 as_nobody ./kiln doctor
	assert_match "programs fail" out '^fail  bpf programs'
	assert_match "events fail" out '^fail  perf events'
	assert_match "directory is said" out '^warn  directory .* cannot write'
	assert_match "result" out '^Result: only own processes can be sampled here'
}

test_doctor_cures() {
	need_bpf
	need_root
	cp "$KILN" kiln
	# a user, with everything still obtainable
	assert_status 4 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all ./kiln doctor
	assert_match "copy" out "^ +install -o root .* -m 0750 $T/kiln /usr/local/bin/kiln-all$"
	assert_match "setcap" out '^ +setcap cap_bpf.*[+]ep /usr/local/bin/kiln-all$'
	(COLUMNS=60 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all ./kiln doctor || true) >narrow
	assert_eq "lines wider than 60 columns that could be broken" \
		"$(awk 'length > 60 && !/^ +(install|setcap) / && NF > 1 { n++ } END { print n + 0 }' narrow)" 0
	# a container that withholds one
	assert_status 4 setpriv --bounding-set=-perfmon,-sys_admin --inh-caps=-all ./kiln doctor
	assert_match "maps work" out '^ok    bpf maps'
	assert_match "programs fail" out '^fail  bpf programs'
	assert_match "cure" out 'docker run --cap-add=PERFMON; '
	setpriv --bounding-set=-syslog,-sys_admin --inh-caps=-all ./kiln doctor >out || true
	assert_match "symbols" out '^warn  kernel symbols +/proc/kallsyms reads as zeros'
	setpriv --bounding-set=-checkpoint_restore,-sys_admin --inh-caps=-all ./kiln doctor >out || true
	assert_match "deleted files" out '^warn  deleted files'
	# a rootless container
	if unshare -Ur true 2>/dev/null; then
		assert_status 4 unshare -Ur ./kiln doctor
		assert_match "user namespace" out 'outside of this user namespace'
	fi
	unshare --pid --fork --mount-proc ./kiln doctor >out || true
	assert_match "pid namespace" out '^warn  pid namespace'
}

# What a recording would have to do without is said beforehand, with the kernel's reason.
test_doctor_of_refused_programs() {
	need_bpf
	local reason="the kernel's verifier says: .*outside of the allowed memory range"
	"$KILN" doctor >out || true
	assert_match "nothing refused" out '^ok    sampling programs +they load, with the unwinder$'
	KILN_TEST_REFUSE=tables "$KILN" doctor >out || true
	assert_match "programs without tables" out '^ok    sampling programs +they load, without the unwinder$'
	assert_match "stacks" out "^warn  stacks .*unwind tables are not used: $reason"
	assert_no_match "stacks are well" out '^ok    stacks'
	assert_no_match "mappings" out '^warn  process events'
	KILN_TEST_REFUSE=mappings "$KILN" doctor >out || true
	assert_match "mappings" out "^(warn  process events .*$reason|ok    process events +mappings)"
	assert_no_match "stacks" out '^warn  stacks .*tables'
	assert_status 4 env KILN_TEST_REFUSE=all "$KILN" doctor
	assert_match "programs" out "^fail  sampling programs +they do not load: $reason"
	assert_no_match "stacks are well" out '^ok    stacks'
	assert_match "result" out '^Result: sampling does not work here'
}

# Exactly the capabilities that the cure names are enough for a user.
test_doctor_least_privilege() {
	need_bpf
	need_root
	local caps=+bpf,+perfmon,+sys_ptrace,+syslog,+dac_read_search,+checkpoint_restore
	cp "$KILN" kiln
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps="-all,$caps" \
		--ambient-caps="-all,$caps" ./kiln doctor >out || true
	assert_match "result" out '^Result: sampling works'
	assert_no_match "what fails" out '^fail'
}

# --- completion and manual --------------------------------------------------------------------------

test_bash_completion() {
	small_profile
	"$KILN" completion bash >c.bash
	cat >ask <<'ASK'
source ./c.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_kiln 2>/dev/null
echo "${COMPREPLY[*]}"
ASK
	assert_eq "commands" "$(bash ask kiln re)" "record report"
	assert_eq "options" "$(bash ask kiln report --cal)" "--callers --callees"
	assert_eq "words" "$(bash ask kiln report --by t)" "thread"
	assert_eq "words after =" "$(bash ask kiln report --by = mod)" "module"
	assert_eq "all words after =" "$(bash ask kiln report --sort =)" "self total"
	assert_eq "words of a short option" "$(bash ask kiln record -e c)" "cpu-clock cycles"
	assert_eq "files" "$(bash ask kiln report p)" "p.pb"
	assert_eq "an operand's words" "$(bash ask kiln completion '')" "bash zsh fish"
	assert_eq "commands after --" "$(bash ask kiln record -- mkfif | xargs -n1 | sort -u)" "mkfifo"
	assert_eq "processes" "$(bash ask kiln record -p $$ | grep -ow $$)" "$$"
	assert_eq "a number" "$(bash ask kiln report -n '')" ""
	assert_eq "help" "$(bash ask kiln help doc)" "doctor"
}

test_zsh_completion() {
	command -v zsh >/dev/null || skip "zsh is not installed"
	"$KILN" completion zsh >c.zsh
	cat >ask <<'ASK'
compdef() { :; }
_describe() { echo "describe: ${(P)2}"; }
_arguments() { print -rl -- "$@"; }
_normal() { echo "normal: $words"; }
source ./c.zsh
words=("$@") CURRENT=$#
_kiln
ASK
	zsh -f ask kiln re >out
	assert_match "commands" out 'describe:.*record:profile.*report:show'
	zsh -f ask kiln report --by '' >out
	assert_match "option" out '^\*--by=\[.*\]:by:\(function line file directory package module process command thread cgroup\)$'
	assert_match "short and long" out '^\*-n\+\[rows.*\]:top: $'
	assert_match "files" out '^\*:operand:_files$'
	zsh -f ask kiln record -- ls -l '' >out
	assert_match "another command" out '^normal: ls -l $'
}

test_fish_completion() {
	command -v fish >/dev/null || skip "fish is not installed"
	small_profile
	"$KILN" completion fish >c.fish
	ask() {
		HOME=$T fish -c "source c.fish; complete -C '$1'" | cut -f 1 | sort | xargs
	}
	assert_eq "commands" "$(ask 'kiln re')" "record report"
	assert_eq "options" "$(ask 'kiln report --cal')" "--callees --callers"
	assert_eq "words" "$(ask 'kiln report --by t')" "thread"
	assert_eq "files" "$(ask 'kiln report p')" "p.pb"
	assert_eq "an operand's words" "$(ask 'kiln completion ')" "bash fish zsh"
}

# A heap's delta of another program, with an allocator whose insides its reader is to hide: main;malloc;brk grew by 5,
# main;shrinks by -7.
foreign_heap_delta() {
	python3 - <<-'P'
		def number(field, n): return bytes([field << 3]) + bytes((n >> 7 * i & 127 | 128) for i in range(9)) + bytes([n >> 63 & 1])
		def text(field, b): return bytes([field << 3 | 2, len(b)]) + b
		strings = [b"", b"space", b"bytes", b"main", b"malloc", b"brk", b"shrinks", b"mal+oc"]
		p = text(1, number(1, 1) + number(2, 2)) + b"".join(text(6, s) for s in strings) + number(7, 7)
		for i in range(1, 5):
		    p += text(5, number(1, i) + number(3, i + 2)) + text(4, number(1, i) + text(4, number(1, i)))
		for stack, value in ((b"\3\2\1", 5), (b"\4\1", -7)):
		    p += text(2, text(1, stack) + number(2, value & (1 << 64) - 1))
		open("delta.pb", "wb").write(p)
	P
}

test_foreign_heap_delta() {
	need python3
	foreign_heap_delta
	"$KILN" export delta.pb -o delta.folded 2>err
	assert_eq folded "$(cat delta.folded)" "main 5"
	grep -q 'values below zero' err || fail "no word of what is left out"
	"$KILN" export delta.pb -o again.pb
	grep -q brk again.pb || fail "pprof lost a frame"
	"$KILN" report delta.pb >out
	assert_match total out 'a difference: 2 B space less'
	assert_match shares out '^ *-58\.3% +-58\.3% +shrinks'
	grep -q brk out && fail "drop_frames are shown"
	return 0
}

test_manual() {
	command -v groff >/dev/null || skip "groff is not installed"
	local page command
	sed -n '/^.Sh SYNOPSIS/,/^.Sh DESCRIPTION/p' "$SRC/tools/kiln.1" >synopsis
	for command in $("$KILN" help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
		grep -qE "^\.Cm $command( |$)" synopsis || fail "not in the synopsis: $command"
	done
	for page in kiln.1 kiln.yaml.5 kiln-store.5 kiln-fleet.7 kiln-clickhouse.7; do
		groff -wall -mandoc -Tutf8 "$SRC/tools/$page" >page 2>warnings
		assert_eq "warnings of $page" "$(cat warnings)" ""
		assert_at_least "lines of $page" "$(wc -l <page)" 100
	done
}

run_tests
