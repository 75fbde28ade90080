#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Filters on frames and groupings in the page show what the profile's text says, and what pprof says.
# The cases are in tests/lib/filters_test.mjs, which prints their TAP lines itself.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
need python3 node chromium

T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
hostile_text() {
	local a
	a=$(printf '%01000000d' 0 | tr 0 a)
	printf '9\tcomm=x pid=1\tmain|/bin/x\t%s|/bin/x\n' "$a" "${a}<img src=x onerror=window.hacked=1>"
	printf '5\tcomm=x pid=1 constructor=1 __proto__=2\tmain|/bin/x\t<img src=x onerror=window.hacked=1>|/bin/x\n'
	printf '4\tcomm=x pid=1\tmain|/bin/x\t\xe2\x80\xaegnirts\xe2\x80\xac|/bin/<img src=x>\n'
}
for name in small large recursive wide inlined; do
	python3 "$SRC/tests/lib/figures_profiles.py" "$name" >"$T/$name.text" || exit 1
done
hostile_text >"$T/hostile.text"
for name in small large recursive wide inlined hostile; do
	python3 "$SRC/tests/lib/make_profile.py" <"$T/$name.text" >"$T/$name.pb" &&
		"$KILN" export "$T/$name.pb" -o "$T/$name.html" || exit 1
done

# name, number, options of pprof, the same filters in the page
cases='recursive 0 -focus=step {"focus":"step"}
recursive 1 -show_from=repeat {"showFrom":"repeat"}
wide 3 -focus=pass1(2|3)$ {"focus":"pass1(2|3)$"}
wide 4 -ignore=pass[0-4] {"ignore":"pass[0-4]"}
wide 5 -show_from=^pass8 {"showFrom":"^pass8"}
large 6 -focus=f39[0-9] {"focus":"f39[0-9]"}
inlined 7 -noinlines {"noInline":true}
inlined 8 -focus=std::f3$ {"focus":"std::f3$"}
small 9 -noinlines {"noInline":true}'
while read -r name i option filters; do
	printf '%s["%s", %d, %s]' "${comma-}" "$name" "$i" "${filters//\\/\\\\}"
	comma=,
	if command -v go >/dev/null; then
		go tool pprof -top -sample_index=samples -nodefraction=0 -nodecount=1000000 "$option" \
			"$T/$name.pb" >"$T/$name.$i.top" 2>/dev/null || exit 1
	fi
done <<<"$cases" >"$T/cases"
printf '[%s]' "$(cat "$T/cases")" >"$T/pprof.json"
node --no-warnings "$SRC/tests/lib/filters_test.mjs" "$T"
