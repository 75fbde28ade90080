#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The power fails while windows are stored: a machine in qemu, with ext4 on a disk of its own, is killed. What it
# had acknowledged is there. KILN_TEST_POWER_CUTS: how many times (3).
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/kernels.sh
. "$SRC/tests/lib/kernels.sh"

# Boots the machine, which goes on with window number FIRST, and cuts its power after some of them.
run_and_cut() { # FIRST
	local lines=$((RANDOM % 40 + 5)) ms=$((RANDOM % 300))
	"$SRC/tools/boot-kernel" -c 1 -m 512 -t 120 -d disk -k $lines:$ms "$kernel" \
		"mkdir -p /disk; mount -t ext4 /dev/vda /disk && $BUILD/store_writer /disk/store $1" \
		"$BUILD/store_writer" >booted 2>err || {
		tail -n 20 err booted | sed 's/^/# /'
		fail "the machine does not come up, or the store's writer fails there"
	}
	grep '^ack ' booted | cut -d ' ' -f 2 | grep -E '^[0-9]+$' >now || fail "nothing was acknowledged: $(cat booted)"
	# The last line may be cut as well.
	[ -z "$(tail -c 1 booted)" ] || sed -i '$d' now
	cat now >>acknowledged
}

# What a machine finds that is switched on again.
recover() {
	local status=0
	e2fsck -fy disk >fsck 2>&1 || status=$?
	assert_at_most "status of e2fsck" "$status" 1
	rm -rf found
	mkdir found
	debugfs -R "rdump /store found" disk >debugfs 2>&1
	[ -d found/store ] || fail "there is no store: $(cat debugfs)"
}

check_store() {
	local n got
	"$KILN" list found/store --step 1s --json >list || fail "the store cannot be listed"
	assert_eq "what cannot be read" "$(jq .unreadable list)" 0
	jq -r '.rows[] | "\((.begin_ns / 1000000000 - 1795824000) / 5) \(.windows) \(.samples)"' list >rows
	while read -r n; do
		got=$(grep "^$n " rows) || fail "window $n was acknowledged and is gone"
		assert_eq "window $n" "$got" "$n 1 $((100 + n % 50))"
	done <acknowledged
	assert_eq "windows that are there twice" "$(awk '$2 != 1' rows)" ""
	assert_status 0 "$KILN" report found/store
	assert_eq "what report says" "$(cat err)" ""
	next=$(($(tail -n 1 rows | cut -d ' ' -f 1) + 1))
}

test_power_cuts() {
	need e2fsck debugfs mkfs.ext4 jq
	local i kernel next=0
	[ "$(uname -m)" = x86_64 ] || skip "kernels of x86-64"
	command -v qemu-system-x86_64 >/dev/null || skip "no qemu"
	get_kernel bookworm 6.1
	truncate -s 64M disk
	mkfs.ext4 -q disk
	for ((i = 0; i < ${KILN_TEST_POWER_CUTS:-3}; i++)); do
		run_and_cut $next
		recover
		check_store
	done
	echo "# $i cuts, $(wc -l <acknowledged) windows acknowledged and there, $(wc -l <rows) in all"
}

run_tests "$@"
