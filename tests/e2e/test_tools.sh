#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tools that judge the sources and the tests, on small trees that are wrong in one way each.
# Runs beside other tests.
. "$(dirname "$0")/../lib/assert.sh"

# --- tools/arrows -----------------------------------------------------------------------------

# A tree of three rooms, in which all is right: top -> low, both on base.
make_tree() {
	mkdir -p tools profiler/base profiler/low profiler/top
	cp "$SRC/tools/arrows" tools/
	printf '%s\n' 'profiler/base ->     # ground' 'profiler/low ->     # low' \
		'profiler/top -> low  # top' >tools/rooms
	echo 'int base(void);' >profiler/base/base.h
	echo 'int low(void);' >profiler/low/low.h
	printf '%s\n' '#include "profiler/base/base.h"' 'int low(void) { return base(); }' \
		>profiler/low/low.c
	printf '%s\n' '#include "profiler/low/low.h"' 'int top(void) { return low(); }' \
		>profiler/top/top.c
	git init -q .
}

# The only line that tools/arrows prints.
assert_finding() {
	assert_status 1 tools/arrows
	assert_eq "findings" "$(cat err)" "$1"
}

test_arrows_of_a_tree_without_faults() {
	need git python3 ctags
	make_tree
	assert_status 0 tools/arrows
	assert_eq "findings" "$(cat err)" ""
	assert_status 0 tools/arrows --print
	assert_eq "first room printed" "$(head -n 1 out)" "profiler/top         top"
}

test_arrows_find_an_include_upwards() {
	need git python3 ctags
	make_tree
	echo '#include "profiler/top/top.h"' >>profiler/low/low.h
	assert_finding "profiler/low/low.h:2: room profiler/low may not include room profiler/top"
}

test_arrows_find_that_base_includes_a_room() {
	need git python3 ctags
	make_tree
	echo '#include "profiler/low/low.h"' >>profiler/base/base.h
	assert_finding "profiler/base/base.h:2: room profiler/base may not include room profiler/low"
}

test_arrows_find_rooms_in_a_circle() {
	need git python3 ctags
	make_tree
	sed -i 's/^profiler\/low ->/& top/' tools/rooms
	assert_finding "tools/rooms: rooms in a circle: profiler/low profiler/top"
}

test_arrows_find_rooms_and_folders_that_differ() {
	need git python3 ctags
	make_tree
	mkdir profiler/new && echo 'int x;' >profiler/new/new.c
	assert_finding "profiler/new: a folder with sources that is no room of tools/rooms"
	echo 'later profiler/new ->  # new' >>tools/rooms
	assert_finding "tools/rooms:4: profiler/new exists: no longer \`later\`"
	sed -i '$d' tools/rooms && rm -r profiler/new
	echo 'profiler/gone ->  # gone' >>tools/rooms
	assert_finding "tools/rooms:4: profiler/gone has no folder"
	sed -i '$s/.*/profiler\/top -> nothing/' tools/rooms
	assert_finding "tools/rooms:4: nothing is no room"
}

test_arrows_find_a_map_that_differs() {
	need git python3 ctags
	make_tree
	tools/arrows --readme >README.md
	assert_status 0 tools/arrows
	sed -i 's/→ low/→ low {base}/' README.md
	assert_finding "README.md: the map lacks the row: | \`top\` → low | top |"
}

test_arrows_read_several_rooms_of_a_folder() {
	need git python3 ctags
	make_tree
	mkdir -p symbolizer/a symbolizer/b
	touch symbolizer/a/a.h symbolizer/b/b.h
	printf '%s\n' 'symbolizer/a ->  # a' 'symbolizer/b ->  # b' >>tools/rooms
	sed -i 's/^profiler\/top -> low/& symbolizer\/{a,b}/' tools/rooms
	printf '%s\n' '#include "symbolizer/a/a.h"' '#include "symbolizer/b/b.h"' >>profiler/top/top.c
	assert_status 0 tools/arrows
}

# Whoever has privileges parses no contents of foreign files: by a room that does so, a library, or itself.
test_arrows_find_who_parses_foreign_files() {
	need git python3 ctags
	make_tree
	echo 'foreign profiler/low' >>tools/rooms
	assert_finding "profiler/top/top.c:1: may not include profiler/low/low.h, which parses foreign files"
	echo 'reads profiler/top/top.c' >>tools/rooms
	assert_status 0 tools/arrows
	echo '#include <libelf.h>' >profiler/top/more.c
	assert_finding "profiler/top/more.c:1: may not include libelf.h, which parses foreign files"
	echo '#include <elfutils/libdwfl.h>' >profiler/top/more.c
	assert_finding "profiler/top/more.c:1: may not include elfutils/libdwfl.h, which parses foreign files"
	printf '%s\n' '#include <elf.h>' 'int machine = EM_386;' >profiler/top/more.c
	assert_status 0 tools/arrows
	echo 'Elf64_Ehdr header;' >profiler/top/more.c
	assert_finding "profiler/top/more.c:1: may not parse foreign files: Elf64_Ehdr"
	mv profiler/top/more.c profiler/low/
	assert_status 0 tools/arrows
	echo 'reads profiler/nobody.c' >>tools/rooms
	assert_finding "tools/rooms: profiler/nobody.c is neither a room nor a file"
}

test_arrows_find_modules_that_include_each_other() {
	need git python3 ctags
	make_tree
	# By way of a third one: a.c -> b.h -> c.h, c.c -> a.h
	echo '#include "profiler/low/b.h"' >profiler/low/a.c
	echo '#include "profiler/low/c.h"' >profiler/low/b.h
	echo '#include "profiler/low/a.h"' >profiler/low/c.c
	touch profiler/low/a.h profiler/low/c.h
	assert_status 1 tools/arrows
	assert_eq "finding" "$(head -n 1 err)" \
		"modules that include each other in a circle: profiler/low/a profiler/low/b profiler/low/c"
	assert_match "a line of it" err '^  profiler/low/c\.c:1: includes profiler/low/a\.h$'
	# The private header of a module is a part of it.
	mv profiler/low/b.h profiler/low/a_priv.h
	sed -i 's/b\.h/a_priv.h/' profiler/low/a.c
	assert_status 0 tools/arrows
}

test_arrows_find_modules_that_call_each_other() {
	need git python3 ctags
	make_tree
	printf '%s\n' 'int one(void);' 'int two(void);' >profiler/low/one_priv.h
	echo 'int one(void) { return two(); }' >profiler/low/one.c
	echo 'static int helper(void) { return one(); } int two(void) { return helper(); }' \
		>profiler/low/two.c
	assert_status 1 tools/arrows
	assert_eq "finding" "$(head -n 1 err)" \
		"modules that call each other in a circle: profiler/low/one profiler/low/two"
	echo 'circle profiler/low/one profiler/low/two' >>tools/rooms
	assert_status 0 tools/arrows
	# Words in comments and texts are no calls.
	echo '/* one() */ int two(void) { return sizeof("one()"); }' >profiler/low/two.c
	assert_finding "tools/rooms: no such circle any more: profiler/low/one profiler/low/two"
}

# --- tools/run-tests --------------------------------------------------------------------------

# fake_test NAME TRIES: a test that passes in its TRIES-th run.
fake_test() {
	mkdir -p tools tests/e2e
	cp "$SRC/tools/run-tests" tools/
	cat >"tests/e2e/test_$1.sh" <<-END
		#!/bin/bash
		echo try >>$T/tries-$1
		[ \$(wc -l <$T/tries-$1) -ge $2 ] && echo "ok 1 - $1" && exit
		echo "not ok 1 - $1"
		exit 1
	END
	chmod +x "tests/e2e/test_$1.sh"
}

run_fakes() { # exit status, variables...
	local status=$1
	shift
	rm -f tries-*
	assert_status "$status" env -u SUDO_UID -u FLAKY_MAX B=build "$@" tools/run-tests e2e
	assert_match "time taken" out '^took [0-9]+ s$'
	# what comes after the lines of the tests themselves
	grep -m 1 -A 99 -E '^(failed: |flaky: |[0-9]+ flaky)' out | grep -v '^took' >end
}

test_run_tests_without_a_second_try() {
	fake_test one 1
	run_fakes 0 FLAKY_MAX=0
	assert_eq "end" "$(cat end)" "0 flaky
1 passed, 0 failed"
}

test_run_tests_names_what_is_flaky() {
	fake_test one 1
	fake_test two 2
	fake_test three 3
	run_fakes 1
	assert_eq "end" "$(cat end)" "failed: e2e/test_three: three
flaky: e2e/test_two
1 flaky
2 passed, 1 failed"
}

# What passed is not run again, and counts once.
test_run_tests_tries_failed_cases_again() {
	fake_test one 1
	cat >tests/e2e/test_one.sh <<-END
		#!/bin/bash
		echo "\$*" >>$T/tries-one
		[ \$# -eq 0 ] || { [ "\$*" = test_b ] && echo "ok 1 - test_b"; exit; }
		echo "ok 1 - test_a"
		echo "not ok 2 - test_b"
		exit 1
	END
	run_fakes 0
	assert_eq "tries" "$(tr '\n' , <tries-one)" ",test_b,"
	assert_eq "cases" "$(grep -c '^PASS' out)" 2
	assert_eq "end" "$(cat end)" "flaky: e2e/test_one
1 flaky
2 passed, 0 failed"
}

# Unit tests run side by side, and are told of in their order.
test_run_tests_keeps_the_order() {
	local name
	mkdir -p tools tests/unit build/tests/unit
	cp "$SRC/tools/run-tests" tools/
	for name in a b c d; do
		touch "tests/unit/test_$name.c"
		printf '#!/bin/bash\nsleep %s\necho "%s 1 - %s"\n[ %s != d ]\n' \
			"$([ $name = a ] && echo 0.5 || echo 0)" "$([ $name = d ] && echo not ok || echo ok)" $name $name \
			>"build/tests/unit/test_$name"
		chmod +x "build/tests/unit/test_$name"
	done
	assert_status 1 env -u SUDO_UID -u FLAKY_MAX B=build tools/run-tests unit
	assert_eq "lines" "$(grep -E '^(PASS|FAIL)' out)" "PASS unit/test_a: a
PASS unit/test_b: b
PASS unit/test_c: c
FAIL unit/test_d: d"
	assert_eq "end" "$(grep -E '^[0-9]+ passed' out)" "3 passed, 1 failed"
}

# Whoever of them is first waits for the other. The one that says nothing of the kind comes when both have ended.
test_run_tests_runs_some_scripts_beside_others() {
	local name
	[ "$(nproc)" -ge 2 ] || skip "one CPU"
	fake_test one 1
	for name in two three; do
		cat >tests/e2e/test_$name.sh <<-END
			#!/bin/bash
			# Runs beside other tests.
			touch $T/here-$name
			for i in {1..100}; do
				[ -e $T/here-two ] && [ -e $T/here-three ] && [ ! -e $T/tries-one ] && echo "ok 1 - $name" && exit
				sleep 0.1
			done
			echo "not ok 1 - $name"
			exit 1
		END
		chmod +x tests/e2e/test_$name.sh
	done
	run_fakes 0
	assert_eq "lines" "$(grep '^PASS' out)" "PASS e2e/test_three: three
PASS e2e/test_two: two
PASS e2e/test_one: one"
}

test_run_tests_fails_if_too_much_is_flaky() {
	fake_test one 2
	fake_test two 2
	run_fakes 0
	run_fakes 0 FLAKY_MAX=2
	assert_eq "end" "$(cat end)" "flaky: e2e/test_one
flaky: e2e/test_two
2 flaky
2 passed, 0 failed"
	run_fakes 1 FLAKY_MAX=1
	assert_eq "end" "$(cat end)" "flaky: e2e/test_one
flaky: e2e/test_two
failed: more than 1 flaky tests
2 flaky
2 passed, 0 failed"
}

run_tests
