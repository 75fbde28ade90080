# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# Roots of Debian's releases. KILN_TEST_ROOTS names a folder that has them by release: bookworm/ and so on.
# Nothing in them is changed, because an overlay lies above.

ROOTS=${KILN_TEST_ROOTS:-$SRC/build/roots}
RELEASE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# Runs a script in such a root, where /debs has the files of this directory; then a command beside it, in
# which $root is the root. Status 77 of the script skips the test, for the reason in its last line.
in_root() { # RELEASE SCRIPT [COMMAND]
	need_root
	[ -d "$ROOTS/$1" ] ||
		skip "no root of $1: tools/make-root $1, or set KILN_TEST_ROOTS"
	mkdir -p "$T/root" "$T/above"
	# The overlay's upper directory is a tmpfs: not every file system can be one.
	T=$T unshare -m bash -c '
		set -e
		above=$T/above root=$T/root
		mount -t tmpfs none "$above"
		mkdir "$above/upper" "$above/work"
		mount -t overlay none -o "lowerdir=$1,upperdir=$above/upper,workdir=$above/work" "$root"
		mount --bind /proc "$root/proc"
		mount -t tmpfs none "$root/dev"
		for node in null zero urandom; do
			touch "$root/dev/$node"
			mount --bind "/dev/$node" "$root/dev/$node"
		done
		mkdir "$root/dev/shm" "$root/debs"
		find . -maxdepth 1 -type f -exec cp {} "$root/debs/" \;
		printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
		chmod +x "$root/usr/sbin/policy-rc.d"
		cp /etc/resolv.conf "$root/etc/resolv.conf"
		chroot "$root" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive bash "/debs/$2"
		umount "$root"/dev/* "$root/dev" "$root/proc" 2>/dev/null || :
		eval "$3"
	' - "$ROOTS/$1" "$2" "${3:-}" >"$T/said" 2>&1 || {
		[ $? -ne 77 ] || skip "$(tail -n 1 "$T/said")"
		fail "in a root: $(tail -n 30 "$T/said")"
	}
}
