#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The OCI image has all that kiln needs, and the manifest grants what the unit grants.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/foreign.sh
. "$SRC/tests/lib/foreign.sh"

test_manifest() {
	local unit manifest
	unit=$(sed -n 's/^AmbientCapabilities=//p' "$SRC/tools/kiln-agent.service" | sed 's/CAP_//g' |
		tr ' ' '\n' | sort | paste -sd,)
	manifest=$(sed -n 's/^ *add: \[\(.*\)\]$/\1/p' "$SRC/tools/kiln-daemonset.yaml" | tr -d ' ' |
		tr ',' '\n' | sort | paste -sd,)
	assert_eq "capabilities" "$manifest" "$unit"
	assert_match "nothing else" "$SRC/tools/kiln-daemonset.yaml" 'drop: \[ALL\]'
	assert_match "not privileged" "$SRC/tools/kiln-daemonset.yaml" 'privileged: false'
	assert_match "version" "$SRC/tools/kiln-daemonset.yaml" \
		"image: kiln:$("$KILN" version | cut -d' ' -f2)\$"
}

# What an OCI runtime does: unpack the layers, enter them with these capabilities and no others.
test_image_runs() {
	need_bpf
	need_root
	command -v buildah >/dev/null || skip "buildah is not installed"
	local digest caps file
	"$SRC/tools/image" "$KILN" "$T/kiln.tar" >/dev/null 2>err || fail "$(cat err)"
	mkdir image root
	tar -x -C image -f kiln.tar
	digest=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["manifests"][0]["digest"])' \
		image/index.json)
	python3 -c 'import json, sys; print("\n".join(l["digest"] for l in json.load(open(sys.argv[1]))["layers"]))' \
		"image/blobs/${digest/:/\/}" >layers
	while read -r digest; do
		tar -x -C root -f "image/blobs/${digest/:/\/}"
	done <layers
	caps=$(sed -n 's/^ *add: \[\(.*\)\]$/\1/p' "$SRC/tools/kiln-daemonset.yaml" | tr -d ' ' |
		tr 'A-Z' 'a-z' | sed 's/[^,][^,]*/+&/g')
	# setpriv and what it is linked to are not in the image: they give the rights and go.
	for file in $(command -v setpriv) $(ldd "$(command -v setpriv)" | grep -oE '/[^ )]+'); do
		[ -e "root$file" ] || install -D "$file" "root$file"
	done
	cp "$WORKLOADS/deep" root/burn
	unshare -m bash -c '
		set -e
		mount --bind /proc root/proc
		mount --bind /sys root/sys
		mount -t tmpfs none root/dev
		touch root/dev/null
		mount --bind /dev/null root/dev/null
		inside() {
			chroot root "$(command -v setpriv)" --no-new-privs --bounding-set="-all,$caps" \
				--inh-caps=-all /usr/bin/kiln "$@"
		}
		caps=$1
		inside version
		inside doctor --color never || echo "doctor: $?"
		inside record -o /tmp/foreign.pb.gz -- /burn 1
		inside report /tmp/foreign.pb.gz
	' - "$caps" >said 2>&1 || fail "$(cat said)"
	assert_foreign said
}

run_tests "$@"
