#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Page and picture show the figures that `kiln report --json` has, whatever the size of the profile.
# The cases are in tests/lib/figures_test.mjs, which prints their TAP lines itself.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
need python3 node chromium

T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
for name in small large recursive wide inlined before; do
	python3 "$SRC/tests/lib/figures_profiles.py" "$name" |
		python3 "$SRC/tests/lib/make_profile.py" >"$T/$name.pb"
	for format in html svg; do
		"$KILN" export "$T/$name.pb" -o "$T/$name.$format" || exit 1
	done
	for by in function line module process package directory file command thread; do
		"$KILN" report "$T/$name.pb" --json --by "$by" >"$T/$name.$by.json" || exit 1
	done
done
# What changed from small to large: a tree that is too large to be drawn as a whole.
change() { # NAME NEW OLD
	"$KILN" export "$T/$2.pb" --diff-base "$T/$3.pb" -o "$T/$1.html" || exit 1
	for by in function line module process package directory file command thread; do
		"$KILN" report "$T/$2.pb" --diff-base "$T/$3.pb" --json --by "$by" >"$T/$1.$by.json" || exit 1
	done
}
change changed inlined before
change grown large small
node --no-warnings "$SRC/tests/lib/figures_test.mjs" "$T"
