#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What each process of the agent may do: the table in profiler/DESIGN.md, against /proc.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"
# shellcheck source=tests/lib/agent.sh
. "$SRC/tests/lib/agent.sh"

design=$SRC/profiler/DESIGN.md
processes=(kiln kiln-sampler kiln-writer kiln-server kiln-uploader kiln-debuginfo)

# A column of the table for a process: 1 capabilities in force, 2 permitted, 3 system calls.
table() { # PROCESS COLUMN
	awk -F ' *[|] *' -v name="\`$1\`" -v column="$2" '
		/^#### / { wanted = /Processes of the agent/ }
		wanted && index($2 ",", name) == 1 { print $(column + 2); n++ }
		END { exit n != 1 }' "$design" || fail "$1 is not in the table of profiler/DESIGN.md"
}

# "KILL SETUID" as the mask that /proc has, without those that this shell lacks itself.
mask() { # NAMES
	python3 - "$(awk '/^CapPrm/ { print $2 }' /proc/self/status)" "$1" <<-'END'
		import re, sys
		text = open("/usr/include/linux/capability.h").read()
		bits = {n: int(b) for n, b in re.findall(r"#define CAP_(\w+)\s+(\d+)\b", text)}
		names = [] if sys.argv[2] == "none" else sys.argv[2].split()
		print("%016x" % (sum(1 << bits[n] for n in names) & int(sys.argv[1], 16)))
	END
}

# The uploader runs where there is a destination, and who gives files where one wants them; nobody listens there.
destination() {
	printf 'upload:\n- {name: nobody, url: "parca+http://127.0.0.1:9", debuginfo: true}\n' >kiln.yaml
	chmod 644 kiln.yaml
}

all_run() {
	local p
	for p in "${processes[@]}"; do
		[ -n "$(pid_of "$p")" ] || return 1
	done
	[ -e store/upload/nobody.cursor ] && [ "$(status_of kiln-debuginfo Seccomp)" = 2 ]
}

pid_of() { # PROCESS
	if [ "$1" = kiln ]; then echo "$agent"; else role_pid "$1"; fi
}

status_of() { # PROCESS KEY
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$(pid_of "$1")/status"
}

start_quiet() { # COMMAND...
	start "$@" 2>log
	agent=$started
	wait_until 20 grep -q 'msg="sampling' log
}

# Descriptors that only the sampler has, and those of the network: none.
assert_no_descriptor() { # PROCESS PATTERN
	local pid
	pid=$(pid_of "$1")
	find "/proc/$pid/fd" -type l -printf '%l\n' >descriptors
	assert_no_match "descriptors of $1" descriptors "$2"
	sed -n 's/^socket:\[\([0-9]*\)\]$/\1/p' descriptors >sockets
	awk 'FNR > 1 { print $10, $13, $9 }' /proc/"$pid"/net/{tcp,tcp6,udp,udp6,raw,raw6} 2>/dev/null >inet || true
	while read -r inode; do
		assert_no_match "sockets of $1" inet "(^| )$inode( |\$)"
	done <sockets
}

test_the_table_holds_for_root() {
	need_bpf
	need_root
	local p
	destination
	start_agent -c kiln.yaml --window 1s
	wait_until 20 has_windows 1
	wait_until 10 all_run
	for p in "${processes[@]}"; do
		assert_eq "in force of $p" "$(status_of "$p" CapEff)" "$(mask "$(table "$p" 1)")"
		assert_eq "permitted of $p" "$(status_of "$p" CapPrm)" "$(mask "$(table "$p" 2)")"
		assert_eq "ambient of $p" "$(status_of "$p" CapAmb)" 0000000000000000
		assert_eq "no new privileges of $p" "$(status_of "$p" NoNewPrivs)" 1
		case $(table "$p" 3) in
		all) assert_eq "filter of $p" "$(status_of "$p" Seccomp)" 0 ;;
		filter) assert_eq "filter of $p" "$(status_of "$p" Seccomp)" 2 ;;
		*) fail "system calls of $p" ;;
		esac
	done
	for p in kiln-writer kiln-server kiln-uploader kiln-debuginfo; do
		assert_eq "bounding set of $p" "$(status_of "$p" CapBnd)" 0000000000000000
	done
	stop_agent 0
}

# Every process of the agent is in the table, and every row is a process.
# Which of the texts are in what a process can read and write, its environment included: one a line. No command has
# them as arguments, since the sampler looks at those.
secrets_in() { # PID TEXT...
	local pid=$1
	shift
	printf '%s\n' "$@" >texts
	python3 - "$pid" texts <<-'END'
		import re, sys
		pid, texts = sys.argv[1], open(sys.argv[2]).read().split()
		found, tail = set(), 64
		def look(data):
		    found.update(t for t in texts if t.encode() in data)
		look(open(f"/proc/{pid}/environ", "rb").read())
		with open(f"/proc/{pid}/mem", "rb", 0) as mem:
		    for line in open(f"/proc/{pid}/maps"):
		        low, high, rights = re.match("([0-9a-f]+)-([0-9a-f]+) (....)", line).groups()
		        low, high, last = int(low, 16), int(high, 16), b""
		        while "rw" in rights and low < high:
		            try:
		                mem.seek(low)
		                data = mem.read(min(high - low, 1 << 24))
		            except OSError:
		                break
		            look(last + data)
		            last, low = data[-tail:], low + len(data) if data else high
		print("\n".join(sorted(found)))
	END
}

# Secrets of destinations are where they are sent from and nowhere else: not in the supervisor, which starts that
# process again and again, and not in the one that gives debug information to other destinations.
test_who_has_secrets() {
	need_bpf
	need_root
	local mark=x$RANDOM$RANDOM$RANDOM uploader
	echo "token-$mark" >token
	chmod 600 token
	write_secrets header
	AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=aws-$mark start_quiet "$KILN" agent --store "$T/store" -c kiln.yaml
	wait_until 20 test -e store/upload/b.cursor
	wait_until 20 has_windows 1
	wait_until 20 eval '[ "$(status_of kiln-debuginfo Seccomp)" = 2 ]'
	assert_secrets header
	# An uploader that starts again has them.
	uploader=$(pid_of kiln-uploader)
	kill -KILL "$uploader"
	wait_until 20 is_another kiln-uploader "$uploader"
	assert_secrets header
	kill -HUP "$agent"
	wait_until 20 grep -q 'was read again: no key has changed' log
	assert_secrets header
	# Nothing but the value of a header is different.
	write_secrets changed
	kill -HUP "$agent"
	wait_until 20 grep -q 'was read again: changed: upload' log
	assert_secrets changed
}

write_secrets() { # HEADER
	cat >kiln.yaml <<-END
		window: 1s
		upload:
		- {name: a, url: "pprof+http://127.0.0.1:9/x", token_file: $T/token, headers: {X-Key: "$1-$mark"}}
		- {name: b, url: "s3+http://127.0.0.1:9/bucket"}
		- {name: c, url: "parca+http://127.0.0.1:9", debuginfo: true, headers: {X-Key: "own-$mark"}}
	END
}

is_another() { # PROCESS PID
	[ -n "$(pid_of "$1")" ] && [ "$(pid_of "$1")" != "$2" ]
}

assert_secrets() { # HEADER
	local all=("token-$mark" "header-$mark" "changed-$mark" "own-$mark" "aws-$mark") pid comm wanted
	wait_until 20 uploader_has "$1"
	assert_eq "in the one for files" "$(secrets_in "$(pid_of kiln-debuginfo)" "${all[@]}")" "own-$mark"
	: >seen
	for pid in $(tree_of "$agent"); do
		comm=$(cat "/proc/$pid/comm") || continue
		[ "$comm" != kiln-uploader ] && [ "$comm" != kiln-debuginfo ] || continue
		assert_eq "in $comm" "$(secrets_in "$pid" "${all[@]}")" ""
		echo "$comm" >>seen
	done
	for wanted in kiln kiln-sampler kiln-writer kiln-server; do
		assert_match "processes" seen "^$wanted$"
	done
}

uploader_has() { # HEADER
	secrets_in "$(pid_of kiln-uploader)" "${all[@]}" >has || return 1
	printf '%s\n' "token-$mark" "$1-$mark" "own-$mark" "aws-$mark" | sort | cmp -s - has
}

test_nobody_is_missing() {
	need_bpf
	local child
	destination
	start_agent -c kiln.yaml --window 1s
	wait_until 10 all_run
	for child in $(ps -o comm= --ppid "$agent" | sort -u); do
		table "$child" 3 >out
	done
	for child in "${processes[@]}"; do
		assert_eq "processes $child" "$(pid_of "$child" | wc -l)" 1
	done
	stop_agent 0
}

# Descriptors of who started it included.
test_descriptors() {
	need_bpf
	exec 7</etc/passwd
	destination
	start_agent -c kiln.yaml --window 1s
	exec 7<&-
	wait_until 20 has_windows 1
	assert_no_descriptor kiln 'bpf|perf|\.kiln|/store|^/etc'
	assert_at_most "descriptors of the supervisor" "$(wc -l <descriptors)" 10
	assert_no_descriptor kiln-writer 'bpf|perf|^/etc|signalfd'
	find "/proc/$(role_pid kiln-writer)/fd" -type l -printf '%f %l\n' | awk '$1 > 2 { print $2 }' |
		awk -v store="$T/store" '/^[/]/ && index($0, store) != 1' >files
	assert_eq "files of the writer outside its store" "$(cat files)" ""
	assert_no_descriptor kiln-sampler '/store'
	assert_no_descriptor kiln-server 'bpf|perf|/store|^/etc|signalfd'
	assert_no_descriptor kiln-uploader 'bpf|perf|^/etc|signalfd'
	assert_no_descriptor kiln-debuginfo 'bpf|perf|/store|^/etc|signalfd'
	stop_agent 0
}

# Root's sampler sees all files, and changes none but those of its cache.
test_the_sampler_writes_nothing() {
	need_bpf
	need_root
	need nsenter
	local sampler path
	export KILN_CACHE_DIR=$T/cache
	start_agent --window 1s
	wait_until 20 has_windows 1
	sampler=$(role_pid kiln-sampler)
	for path in "$T/file" /etc/kiln-test /tmp/kiln-test /dev/shm/kiln-test /var/kiln-test; do
		! nsenter -m -t "$sampler" touch "$path" 2>err || fail "the sampler can write $path"
		assert_match "why not" err 'Read-only file system'
	done
	! nsenter -m -t "$sampler" sh -c 'echo core >/proc/sys/kernel/core_pattern' 2>err ||
		fail "the sampler can write /proc/sys"
	nsenter -m -t "$sampler" touch "$T/cache/file"
	assert_at_least "files in the cache" "$(find cache -name '*.unwind*' -o -type f | wc -l)" 2
	stop_agent 0
}

# As the unit starts it: another user, with ambient capabilities.
test_without_root() {
	need_bpf
	need_root
	need setpriv
	local caps=bpf,perfmon,sys_ptrace,syslog,dac_read_search,checkpoint_restore p mask
	mask=$(mask "$(tr 'a-z,' 'A-Z ' <<<$caps)")
	mkdir -m 755 store cache
	chown 65534:65534 store cache
	destination
	start_quiet setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps="+${caps//,/,+}" \
		--ambient-caps="+${caps//,/,+}" --bounding-set="-all,+${caps//,/,+}" \
		env KILN_CACHE_DIR="$T/cache" "$KILN" agent -c "$T/kiln.yaml" --store "$T/store" --window 1s
	wait_until 20 has_windows 2
	for p in "${processes[@]}"; do
		assert_eq "user of $p" "$(status_of "$p" Uid)" 65534
		assert_eq "ambient of $p" "$(status_of "$p" CapAmb)" 0000000000000000
	done
	assert_eq "in force of the sampler" "$(status_of kiln-sampler CapEff)" "$mask"
	assert_eq "permitted of the sampler" "$(status_of kiln-sampler CapPrm)" "$mask"
	assert_eq "in force of the supervisor" "$(status_of kiln CapEff)" 0000000000000000
	assert_eq "permitted of the writer" "$(status_of kiln-writer CapPrm)" 0000000000000000
	assert_eq "filter of the writer" "$(status_of kiln-writer Seccomp)" 2
	kill -KILL "$(role_pid kiln-sampler)"
	wait_until 20 has_windows 4
	assert_eq "in force of the next sampler" "$(status_of kiln-sampler CapEff)" "$mask"
	stop_agent 0
}

# Capabilities of kiln's file are for sampling: nobody reads root's files by them, or chooses how much of the
# kernel's memory is used.
test_capabilities_of_the_file() {
	need_bpf
	need_root
	need setcap
	local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups) address
	chmod 777 "$T"
	cp "$KILN" kiln
	chmod 755 kiln
	setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search,cap_syslog+ep kiln
	mkdir -m 700 private
	"$KILN" record -q -o private/p.pb.gz -- "$WORKLOADS/deep" 1
	cp "$WORKLOADS/deep" private/prog
	chmod 600 private/*
	address=0x$(nm private/prog | awk '$3 == "at_the_bottom" { print $1 }')
	assert_status 1 "${nobody[@]}" ./kiln report private/p.pb.gz
	assert_match "report says why" err 'Permission denied'
	assert_status 1 "${nobody[@]}" ./kiln export private/p.pb.gz -f folded -o out.folded
	assert_match "export says why" err 'Permission denied'
	assert_status 1 "${nobody[@]}" ./kiln symbolize -e private/prog "$address"
	assert_match "symbolize says why" err 'Permission denied'
	echo 'secret: word' >private/kiln.yaml
	assert_status 2 "${nobody[@]}" ./kiln agent --check-config -c private/kiln.yaml
	assert_match "agent says why" err 'Permission denied'
	assert_no_match "what is in the file" err 'secret'
	mkdir -m 777 private/shared
	assert_status 1 "${nobody[@]}" ./kiln record -q -a -d 1 -o private/shared/p.pb.gz
	assert_match "record says why" err 'Permission denied'
	assert_no_file private/shared/p.pb.gz
	assert_status 2 "${nobody[@]}" ./kiln record -q -a -d 1 --no-sandbox -o a.pb.gz
	assert_match "why not in this process" err 'not with the capabilities of kiln.s file'
	chmod 755 private/prog
	assert_status 126 "${nobody[@]}" ./kiln record -q -o a.pb.gz -- private/prog 1
	assert_match "why the command does not start" err 'Permission denied'
	chmod 600 private/prog
	cp private/prog prog
	chmod 755 prog
	assert_status 0 "${nobody[@]}" ./kiln symbolize -e prog "$address"
	assert_match "what everybody may read" out at_the_bottom
	start "$WORKLOADS/deep" 60 # an idle machine has no samples
	KILN_TEST_REFUSE=all "${nobody[@]}" env HOME="$T" ./kiln record -q -a -d 1 -F 99 -o a.pb.gz 2>err ||
		fail "the caller's settings count: $(cat err)"
	! KILN_TEST_REFUSE=all "$KILN" record -q -a -d 1 -F 99 -o b.pb.gz 2>err || fail "the setting does nothing"
}

rights_of() { # STATUS
	awk '/^(Cap|NoNewPrivs|Seccomp:)/' "$1"
}

# Once its programs are loaded, every thread of a recording; and the command has what it would have without kiln.
test_what_a_recording_gives_up() {
	need_bpf
	need_root
	local keeps="BPF PERFMON SYS_PTRACE SYSLOG DAC_READ_SEARCH CHECKPOINT_RESTORE KILL SYS_NICE IPC_LOCK" kiln n=0 none=0 task
	mkdir -m 755 theirs
	chown 65534:65534 theirs
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ] || keeps+=" SYS_ADMIN"
	start "$KILN" record -q --debuginfod=http://127.0.0.1:9 -o theirs/p.pb.gz -- \
		sh -c "cat /proc/self/status >commands.tmp; mv commands.tmp commands; exec $WORKLOADS/deep 2"
	kiln=$started
	wait_until 20 test -s commands
	rights_of commands >commands.rights
	rights_of /proc/self/status | diff - commands.rights || fail "the command has other rights"
	for task in /proc/"$kiln"/task/*; do
		cp "$task/status" status 2>/dev/null || continue # it has ended
		# Who talks to servers has none at all.
		! grep -q 'CapPrm:	0000000000000000' status || { none=$((none + 1)) && continue; }
		n=$((n + 1))
		assert_match "in force" status "CapEff:	$(mask "$keeps")"
		assert_match "permitted" status "CapPrm:	$(mask "$keeps CHOWN DAC_OVERRIDE FOWNER")"
		assert_match "bounding set" status 'CapBnd:	0000000000000000'
		assert_match "no new privileges" status 'NoNewPrivs:	1'
	done
	assert_eq "threads without capabilities" $none 1
	assert_at_least "other threads" $n 3
	wait "$kiln"
	assert_at_least "samples" "$(profile_samples theirs/p.pb.gz "$(in_stack at_the_bottom)")" 100
}

# In name spaces of files of their own, these have a user and a group kiln, or have none.
users() { # with|without COMMAND...
	local how=$1
	shift
	grep -v '^kiln:' /etc/passwd >passwd
	grep -v '^kiln:' /etc/group >group
	[ "$how" = without ] || echo 'kiln:x:4242:4242::/nonexistent:/bin/false' >>passwd
	[ "$how" = without ] || echo 'kiln:x:4242:' >>group
	start_quiet unshare -m bash -ec "
		mount --bind passwd /etc/passwd
		mount --bind group /etc/group
		exec \"\$@\"" bash "$@"
}

test_with_a_user() {
	need_bpf
	need_root
	destination
	users with "$KILN" agent -c kiln.yaml --store "$T/store" --window 1s
	wait_until 20 has_windows 1
	assert_eq "user of the writer" "$(status_of kiln-writer Uid)" 4242
	assert_eq "group of the writer" "$(status_of kiln-writer Gid)" 4242
	assert_eq "user of the sampler" "$(status_of kiln-sampler Uid)" 0
	assert_eq "in force of the writer" "$(status_of kiln-writer CapEff)" 0000000000000000
	assert_eq "the store" "$(stat -c '%u %g %a' store)" "4242 4242 750"
	assert_eq "files of the store" "$(stat -c '%u %g %a' store/*.kiln)" "4242 4242 640"
	wait_until 10 all_run
	assert_eq "user of the uploader" "$(status_of kiln-uploader Uid)" 4242
	assert_eq "user of who gives files" "$(status_of kiln-debuginfo Uid)" 4242
	assert_eq "its directory" "$(stat -c '%u %g %a' store/upload)" "4242 4242 750"
	stop_agent 0
}

test_without_a_user() {
	need_bpf
	need_root
	users without "$KILN" agent --store "$T/store" --window 1s
	wait_until 20 has_windows 1
	assert_eq "user of the writer" "$(status_of kiln-writer Uid)" 0
	assert_eq "in force of the writer" "$(status_of kiln-writer CapEff)" 0000000000000000
	assert_eq "the store" "$(stat -c '%u %a' store)" "0 750"
	stop_agent 0
	# Then there is a user, and the store is root's.
	users with "$KILN" agent --store "$T/store" --window 1s
	wait_until 20 has_windows 3
	assert_eq "user of the writer" "$(status_of kiln-writer Uid)" 4242
	assert_eq "who has the store" "$(stat -c '%u' store store/*.kiln | sort -u)" 4242
	stop_agent 0
	# It is not only a store: it stays root's.
	chown -R 0:0 store
	echo >store/letter
	users with "$KILN" agent --store "$T/store" --window 1s
	wait_until 20 has_windows 4
	assert_eq "user of the writer" "$(status_of kiln-writer Uid)" 0
	assert_eq "in force of the writer" "$(status_of kiln-writer CapEff)" 0000000000000000
	assert_eq "who has the letter" "$(stat -c '%u' store/letter)" 0
	stop_agent 0
	assert_no_match "log" log 'level=(warning|error)'
}

run_tests "$@"
