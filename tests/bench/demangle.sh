#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Microseconds to demangle a name, over all C++ names that libLLVM exports, beside libiberty.
# NAMES: a file of other names.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need nm

cc -D_GNU_SOURCE -std=gnu11 -O2 -I"$SRC" -o "$T/demangle" "$SRC/tests/bench/demangle.c" \
	"$SRC/$B/libkiln.a" -liberty -lm || exit 1
if [ -z "${NAMES:-}" ]; then
	NAMES=$T/names
	nm -D --defined-only /usr/lib/llvm-19/lib/libLLVM.so.1 | sed 's/@.*//' | awk '{ print $3 }' |
		grep ^_Z >"$NAMES"
fi
result "a name of $(wc -l <"$NAMES")" us "$("$T/demangle" <"$NAMES")" \
	libiberty "$("$T/demangle" libiberty <"$NAMES")"
