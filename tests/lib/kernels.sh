# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Debian's kernel packages. KERNELS names a directory that has them, or gets them.
KERNELS=${KERNELS:-$SRC/build/kernels}

# Where this machine has its Debian packages from; what there is of security updates only is elsewhere.
mirror() {
	# shellcheck disable=SC2016 # apt fills it in
	apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | sort -u | head -n 1
}

# apt with lists of its own: nothing of this machine's is changed.
own_apt() { # SUITE COMMAND...
	local suite=$1 tool=$2 root=$KERNELS/apt-$1
	shift 2
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"$(mirror) $suite main" >"$root/sources.list"
	timeout 90 "$tool" -qq -o Dir::Etc::SourceList="$root/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$root/lists" \
		-o Dir::Cache="$root/cache" -o Debug::NoLocking=1 -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o APT::Sandbox::User=root "$@"
}

# Puts the path of a suite's kernel package in $kernel.
get_kernel() { # SUITE VERSION
	local package
	mkdir -p "$KERNELS"
	kernel=$(find "$KERNELS" -maxdepth 1 -name "linux-image-$2.*.deb" | sort | tail -n 1)
	[ -z "$kernel" ] || return 0
	own_apt "$1" apt-get update >"$T/apt" 2>&1 || skip "no package lists of Debian $1"
	package=$(own_apt "$1" apt-cache search "^linux-image-$2[.].*-cloud-amd64\$" | awk '{ print $1 }' |
		sort -V | tail -n 1)
	[ -n "$package" ] || skip "Debian $1 has no kernel $2 any more"
	(cd "$KERNELS" && own_apt "$1" apt-get download "$package" >>"$T/apt" 2>&1) ||
		skip "$package cannot be downloaded"
	kernel=$(find "$KERNELS" -maxdepth 1 -name "linux-image-$2.*.deb" | sort | tail -n 1)
}
