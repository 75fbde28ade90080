#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tables of a program with long names: no row is wider than the terminal, no two rows name the same.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"

record() {
	need_bpf
	"$KILN" record -q -F 997 -o p.pb.gz -- "$WORKLOADS/regex" 2
}

rows() { # COLUMNS ARG...: the rows of a table
	COLUMNS=$1 "$KILN" report p.pb.gz -n 60 "${@:2}" | grep -E '^ *[0-9.]+%  ' >rows
	assert_at_least "rows of ${*:2} in $1 columns" "$(wc -l <rows)" 7
}

test_rows_fit() {
	local columns by

	record
	for columns in 20 40 80 120 200; do
		for by in function line; do
			rows "$columns" --by "$by"
			assert_eq "too wide in $columns" "$(awk -v n="$columns" 'length > n' rows)" ""
		done
	done
}

test_rows_differ() {
	local columns

	record
	for columns in 20 40 80 120 200; do
		rows "$columns" --by function
		sed -E 's/^( *[0-9.]+%  )+//' rows | sort | uniq -d >twice
		assert_eq "alike in $columns" "$(cat twice)" ""
	done
}

test_full_names() {
	record
	COLUMNS=80 "$KILN" report p.pb.gz -n 0 --full-names >whole
	assert_match "whole names" whole 'std::__detail::_Executor<__gnu_cxx::.*>::_M_dfs\(std::.*long\)'
	"$KILN" report p.pb.gz -n 0 >piped
	assert_eq "too wide" "$(grep -E '^ *[0-9.]+%  ' piped | awk 'length > 190')" ""
	assert_match "short names" piped 'std::__detail::_Executor<.*\.\.\..*>::_M_dfs\(\.\.\.'
}

# Zero-width characters, blanks, and nothing at all: each row has a name, and no two look the same.
test_names_that_show_nothing() {
	need python3
	local columns name names=(foo $'foo\u200b' $'foo\u2060' $'fo\u00ado' $'\u3164' ' ' $'\u00a0' '' $'\u0645\u06cc\u200c\u062e')
	for name in "${names[@]}"; do
		printf '30\tcomm=x pid=1\tmain|/x\t%s @ a.c|/x\n' "$name"
	done | python3 "$SRC/tests/lib/make_profile.py" >p.pb.gz
	for columns in 20 40 80; do
		rows "$columns" --by function
		for name in foo 'foo\\u200b' 'foo\\u2060' 'fo\\u00ado' '\\u3164' $'\u0645\u06cc\u200c\u062e'; do
			assert_match "$name in $columns columns" rows "%  $name( |\$)"
		done
		assert_no_match "rows without a name in $columns columns" rows '%[[:space:]]*$'
		COLUMNS=$columns "$KILN" report p.pb.gz --tree >tree
		assert_no_match "branches without a name in $columns columns" tree '%  [- ]*$'
	done
}

run_tests "$@"
