#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kiln push to every kind of store: what arrives has the totals of what was sent, and no store would stumble.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/stores.sh
. "$SRC/tests/lib/stores.sh"

export AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK AWS_REGION=us-east-1

# What no receiver may ever be sent, whichever it is.
BAD='zero element|out of range|not sequential|no UTF-8|without a function|has_functions|strindex|over a burst'
BAD+='|twice|without a time|with a text|16 bytes'

push() { # KIND FILE...
	local kind=$1
	shift
	assert_status 0 "$KILN" push "$@" --to "$(url_of "$kind")"
}

same_totals() { # KIND FILE...
	local dest=$1
	shift
	[ "$dest" != grpc ] || dest=otlp
	sent_totals "$@" >sent
	if [ "$dest" = s3 ]; then
		objects_of s3
		sent_totals object.* >got
	else
		got_totals "$dest" >got
	fi
	cmp sent got || {
		diff sent got | head -n 10 | sed 's/^/# /'
		fail "$dest: totals differ"
	}
	# What takes files keeps their labels.
	ask_server "problems?dest=$dest" | case $dest in
	pprof | s3) grep -v 'label of a sample with a text' || true ;;
	*) cat ;;
	esac >problems
	assert_no_match "$dest would stumble" problems "$BAD"
}

objects_of() { # DEST: each as a file object.N
	local key n=0
	ask_server "objects?dest=$1" | cut -f 2 >keys
	while IFS= read -r key; do
		n=$((n + 1))
		curl -sSfG "$(control)/test/object" -d "dest=$1" --data-urlencode "key=$key" -o "object.$n"
	done <keys
}

every_kind() { # STACKS
	local kind
	need_push
	start_store pyroscope parca otlp otlp-pyroscope pprof s3 \
		--set '{"pyroscope": {"limits": {"rate": 100000000}}}'
	make_many_stacks "$1" p.pb.gz
	for kind in pyroscope parca otlp otlp-pyroscope pprof s3; do
		push "$kind" p.pb.gz
		same_totals "$kind" p.pb.gz
	done
	clear_store
	push grpc p.pb.gz
	same_totals grpc p.pb.gz
	assert_eq "refused" "$(ask_server counts | awk -F'\t' '$2 == "refused"' | wc -l)" 0
}

test_totals_of_few_stacks() {
	every_kind 20
}

test_totals_of_thousands_of_stacks() {
	every_kind 4000
}

# Over 16,000 samples, and over the burst: it has to be split, and nothing is lost.
test_a_profile_over_the_limits() {
	need_push
	start_store pyroscope parca
	make_many_stacks 40000 p.pb.gz
	push pyroscope p.pb.gz
	same_totals pyroscope p.pb.gz
	assert_at_least "profiles" "$(store_count pyroscope profiles)" 3
	push parca p.pb.gz
	same_totals parca p.pb.gz
}

# Hostile names and deep stacks. What is cut is marked, and the sum stays.
test_names_that_are_no_text() {
	need_push
	start_store pyroscope parca otlp
	printf '7\tcomm=x\tmain|/a\tle\xff\xfeaf|/b\n3\tcomm=x\tmain|/a\t|/nameless\n' |
		python3 "$SRC/tests/lib/make_profile.py" >old.pb
	retime old.pb p.pb.gz
	for kind in pyroscope parca otlp; do
		push $kind p.pb.gz
		assert_eq "$kind: sum" "$(ask_server "windows?dest=$kind" | jq -s 'map(.sums[-1] * (if .types == ["samples/count"] then .period else 1 end)) | add')" 100000000
		ask_server "problems?dest=$kind" >problems
		assert_no_match "$kind" problems "$BAD"
	done
	# Pyroscope's flame graph skips frames without a name.
	got_totals pyroscope >got
	assert_match "the nameless frame has a name" got 'nameless'
	ask_server 'problems?dest=pyroscope' >problems
	assert_no_match "nameless frames" problems nameless
}

test_deep_stacks_keep_their_leaves() {
	need_push
	start_store pyroscope
	awk 'BEGIN { line = "5\tcomm=deep"; for (i = 0; i < 1500; i++) line = line "\tf" i "|/a"; print line }' |
		python3 "$SRC/tests/lib/make_profile.py" >old.pb
	retime old.pb p.pb.gz
	push pyroscope p.pb.gz
	got_totals pyroscope >got
	assert_match "the leaf" got '^50000000	50000000	f1499$'
	assert_at_most "frames" "$(wc -l <got)" 1000
}

test_several_files_and_backfill() {
	need_push
	start_store pprof parca
	local n
	for n in 1 2 3; do
		make_many_stacks $((n * 30)) "x.pb.gz"
		retime x.pb.gz "p$n.pb.gz" $((n * 86400))
	done
	push parca p1.pb.gz p2.pb.gz p3.pb.gz
	same_totals parca p1.pb.gz p2.pb.gz p3.pb.gz
	assert_eq "windows" "$(ask_server 'times?dest=parca' | wc -l)" 3
}

test_too_old_for_pyroscope_is_not_sent() {
	need_push
	start_store pyroscope
	make_many_stacks 20 x.pb.gz
	retime x.pb.gz p.pb.gz 7200
	assert_status 1 "$KILN" push p.pb.gz --to "$(url_of pyroscope)"
	assert_match "says why" err 'hour|old'
	assert_eq "requests" "$(store_count pyroscope requests)" 0
}

# OpenTelemetry's own decoder knows all fields, and finds the same.
test_opentelemetrys_own_classes() {
	need_push
	[ ! -e "$STORES/missing/otlp_classes" ] || skip "$(cat "$STORES/missing/otlp_classes")"
	[ -x "$STORES/venv/bin/python" ] || skip "no OpenTelemetry classes (not got): run make test-stores"
	start_store otlp
	make_many_stacks 1000 p.pb.gz
	push otlp p.pb.gz
	ask_server 'body?dest=otlp' >body
	"$STORES/venv/bin/python" "$SRC/tests/stores/otlp_classes.py" body >got
	sent_totals p.pb.gz >sent
	cmp sent got || fail "totals differ"
}

# Real files, where a machine has some: KILN_TEST_PROFILES="FILE..."
test_real_profiles() {
	[ -n "${KILN_TEST_PROFILES:-}" ] || skip "KILN_TEST_PROFILES is not set"
	need_push
	local file kind
	start_store pyroscope parca otlp --set '{"pyroscope": {"limits": {"rate": 100000000}}}'
	for file in $KILN_TEST_PROFILES; do
		clear_store
		retime "$file" p.pb.gz
		for kind in pyroscope parca otlp; do
			push $kind p.pb.gz
			same_totals $kind p.pb.gz
		done
	done
}

# By their own queries. The labels are those that the protocol server has seen.
read_back() { # KIND URL
	local name service
	push "$1" p.pb.gz
	service=$(ask_server "windows?dest=$1" | jq -r .labels.service_name | head -n 1)
	name=$(ask_server "windows?dest=$1" | jq -r .labels.__name__ | head -n 1)
	assert_status 0 "$KILN" push p.pb.gz --to "$1+$2"
	"$STORE_PYTHON" "$SRC/tests/lib/store_table.py" "$1" "$2" --read "$service" "$name" | sort >got
	sort sent | cmp - got || fail "$1: totals differ"
}

test_a_real_pyroscope_and_parca() {
	need_push
	[ -n "${KILN_TEST_PYROSCOPE:-}${KILN_TEST_PARCA:-}" ] || skip "KILN_TEST_PYROSCOPE and KILN_TEST_PARCA are not set"
	start_store pyroscope parca
	# A comm of its own for each run, and so a series.
	make_many_stacks 2000 p.pb.gz "many$$"
	sent_totals p.pb.gz >sent
	[ -z "${KILN_TEST_PYROSCOPE:-}" ] || read_back pyroscope "$KILN_TEST_PYROSCOPE"
	[ -z "${KILN_TEST_PARCA:-}" ] || read_back parca "$KILN_TEST_PARCA"
}

run_tests "$@"
