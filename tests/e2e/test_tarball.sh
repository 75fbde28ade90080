#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tarball runs on Debian 11, 12 and 13, which have nothing but glibc for it. Building it takes minutes:
# KILN_TEST_TARBALL=1 does (make soak).
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/roots.sh
. "$SRC/tests/lib/roots.sh"
# shellcheck source=tests/lib/foreign.sh
. "$SRC/tests/lib/foreign.sh"

TARBALL=$BUILD/test-tarball.tar.gz

test_build() {
	[ -n "${KILN_TEST_TARBALL:-}" ] || skip "takes minutes: KILN_TEST_TARBALL=1 does it"
	need_root
	KILN_TEST_ROOTS=$ROOTS "$SRC/tools/tarball" "$TARBALL" >/dev/null 2>err || fail "$(cat err)"
	tar -xzf "$TARBALL"
	readelf -d kiln-*/bin/kiln | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >needed
	assert_match "libraries" needed '^libc[.]so[.]6$'
	assert_eq "other libraries" "$(grep -vE '^lib(c|m|dl|pthread|rt)[.]so' needed || :)" ""
	readelf -h kiln-*/bin/kiln >elf-header
	assert_match "position-independent" elf-header 'Type: +DYN'
}

check_on() { # RELEASE
	[ -n "${KILN_TEST_TARBALL:-}" ] || skip "takes minutes: KILN_TEST_TARBALL=1 does it"
	need_bpf
	[ -e "$TARBALL" ] || fail "no tarball was built"
	cp "$TARBALL" .
	write_foreign_steps steps
	sed -i '1i tar -xzf /debs/test-tarball.tar.gz -C /usr/local --strip-components=1' steps
	# libdebuginfod is loaded when it is wanted: here it is not there.
	echo 'DEBUGINFOD_URLS=http://127.0.0.1:9 kiln record --debuginfod -o d.pb.gz -- true 2>&1 || :' >>steps
	in_root "$1" steps
	assert_foreign said
	[ "$1" = trixie ] || assert_match "library that is missing" said 'libdebuginfod'
}

test_debian_11() {
	check_on bullseye
}

test_debian_12() {
	check_on bookworm
}

test_debian_13() {
	check_on trixie
}

run_tests "$@"
