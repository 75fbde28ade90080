#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The exported page and picture do in a browser what they promise. The cases are in
# tests/lib/page_test.mjs, which prints their TAP lines itself.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
need python3 node chromium

T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
make_profile() {
	python3 "$SRC/tests/lib/make_profile.py"
}

# count, labels, frames root first (tests/lib/make_profile.py).
evil='evil<img src=x onerror=window.hacked=1></script><script>window.hacked=1</script>&amp;"'\'
{
	printf '40\tcomm=burn pid=7 thread_id=7\tmain|/bin/burn\twork<int>|/bin/burn\tspin|/bin/burn\n'
	printf '10\tcomm=burn pid=7 thread_id=7\tmain|/bin/burn\twork<int>|/bin/burn\thash|^\n'
	printf '20\tcomm=burn pid=7 thread_id=8\tmain|/bin/burn\tfib|/bin/burn\tfib|/bin/burn\tfib|/bin/burn\n'
	printf '10\tcomm=burn pid=7 thread_id=8\tmain|/bin/burn\tread|/lib/libc.so.6\tdo_syscall_64|[kernel.kallsyms]\tvfs_read|[kernel.kallsyms]\n'
	printf '5\tcomm=node pid=9 thread_id=9\tstart|/bin/node\tJS:*run app.js:1|[jit]\tspin|/bin/node\n'
	printf '5\tcomm=node pid=9 thread_id=9\tstart|/bin/node\t%s|/bin/node\n' "$evil"
	printf '4\tcomm=node pid=9 thread_id=9\tstart|/bin/node\t|/bin/node\n'
	printf '6\t\t[lost samples]|[kiln]\n'
} >"$T/text"
make_profile <"$T/text" >"$T/p.pb"
{
	cat "$T/text"
	printf '# kiln.%s\n' expected=120 idle=8 filtered=2 recorded=94 lost.map_full=6 \
		user_complete=80 user_truncated=10 user_missing=4 frames=400 frames_named=380 frames_fde=12
} | make_profile >"$T/told.pb"

"$SRC/tests/lib/big_profile.sh" | make_profile >"$T/big.pb"

for name in p told big; do
	"$KILN" export "$T/$name.pb" -o "$T/$name.html" || exit 1
done
"$KILN" export "$T/p.pb" -o "$T/p.svg" || exit 1
node --no-warnings "$SRC/tests/lib/page_test.mjs" "$T"
