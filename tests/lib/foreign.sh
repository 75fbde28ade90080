# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# kiln in a root that is not this machine's: what every package is asked to do there.

# A script for in_root(), which has to put kiln into PATH before.
write_foreign_steps() { # FILE
	cat >"$1" <<-'END'
		set -e
		mount -t sysfs none /sys
		cd /tmp
		kiln version
		kiln doctor --color never || echo "doctor: $?"
		kiln record -o foreign.pb.gz -- bash -c 'for ((i = 0; i < 1000000; i++)); do :; done'
		kiln report foreign.pb.gz
	END
}

# FILE has the output of `kiln version`, `doctor --color never`, `record` and `report`.
assert_foreign() { # FILE
	assert_match "version" "$1" '^kiln [0-9]+[.][0-9]+'
	assert_match "doctor" "$1" '^ok +sampling programs +they load, with the unwinder'
	assert_match "doctor" "$1" '^Result: sampling works'
	assert_match "recording" "$1" '^Wrote .*foreign.pb.gz'
	assert_match "stacks" "$1" '^Stacks +(100[.]0|99[.][0-9]) % complete'
}
