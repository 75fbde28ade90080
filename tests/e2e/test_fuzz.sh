#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The fuzz targets (tests/fuzz) over their seeds and over mutants of them, for seconds each. What takes minutes to be
# found is found by `make fuzz`, with coverage and sanitizers.
# KILN_TEST_FUZZ_S: how many seconds each target runs (10 for readers of foreign files, 1 for the others).
# Runs beside other tests.
. "$(dirname "$0")/../lib/assert.sh"

# One target; what it says goes to TARGET.out.
run_target() { # target, seconds
	local number=$((RANDOM * 32768 + RANDOM)) status=0
	mkdir -p "$1"
	(cd "$1" && MALLOC_PERTURB_=165 timeout $((${2%.*} + 60)) "$BUILD/fuzz/fuzz_$1" "$2" "$number" "$SRC/tests/fuzz/corpus/$1") \
		>"$1.out" 2>&1 || status=$?
	[ $status -eq 0 ] && return
	echo "fuzz_$1 $2 $number: status $status, the input is in $PWD/$1/crash" >>failed
}

# Two at a time, each on a CPU of its own.
run_targets() { # seconds, target...
	local seconds=$1 target
	shift
	: >failed
	for target in "$@"; do
		run_target "$target" "$seconds" &
		while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
	done
	wait
	[ ! -s failed ] || fail "$(cat failed "$(head -n 1 failed | sed 's/^fuzz_\([a-z_]*\).*/\1/')".out)"
	for target in "$@"; do
		assert_at_least "inputs of $target" "$(sed -n 's/ runs$//p' "$target.out")" 50
	done
}

readers="elf_head elf eh_frame table_walk jitdump worker"

test_readers_of_foreign_files() {
	# shellcheck disable=SC2086 # words
	run_targets "${KILN_TEST_FUZZ_S:-10}" $readers
}

test_all_others() {
	local target others=()
	for target in "$SRC"/tests/fuzz/fuzz_*.c; do
		target=$(basename "${target#*/fuzz_}" .c)
		target=${target#fuzz_}
		[[ " $readers " == *" $target "* ]] || others+=("$target")
	done
	assert_at_least "targets" ${#others[@]} 15
	run_targets "${KILN_TEST_FUZZ_S:-1}" "${others[@]}"
}

run_tests "$@"
