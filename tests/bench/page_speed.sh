#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The exported page with 50,000 nodes in a headless browser (software rendering, 1360 x 800): median
# of ROUNDS openings. Limits it was made for: first paint 300 ms, a draw 8 ms and 16 ms at the 95th
# percentile, a search 30 ms; 80 KB gzipped without data.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 node chromium

"$SRC/tests/lib/big_profile.sh" | python3 "$SRC/tests/lib/make_profile.py" >"$T/big.pb"
printf '1\t\tmain|/bin/x\n' | python3 "$SRC/tests/lib/make_profile.py" >"$T/small.pb"
"$KILN" export "$T/big.pb" -o "$T/big.html" && "$KILN" export "$T/small.pb" -o "$T/small.html" || exit 1
for ((round = 0; round < ROUNDS; round++)); do
	node --no-warnings "$SRC/tests/bench/page_speed.mjs" "$T/big.html"
done >"$T/figures" || exit 1
for what in "first paint" "load, CPU" "draw, median" "draw, 95th percentile" "full redraw, CPU" \
	"search" "search, CPU" "heap"; do
	grep "^$what:" "$T/figures" | awk -F '[: ]+' '{ print $(NF - 1) }' >"$T/values"
	figure "$what" "$(grep -m 1 "^$what:" "$T/figures" | awk '{ print $NF }')" "$(median <"$T/values")"
done
figure "page without data, gzipped" kB "$(gzip -9c "$T/small.html" | wc -c | awk '{ print $1 / 1000 }')"
figure "page with 50,000 nodes, gzipped" kB "$(gzip -9c "$T/big.html" | wc -c | awk '{ print $1 / 1000 }')"
