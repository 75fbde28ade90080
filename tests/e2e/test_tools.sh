#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tools that judge the sources and the tests, on small trees that are wrong in one way each.
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

run_tests
