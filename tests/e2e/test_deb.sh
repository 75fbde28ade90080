#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian package: what is in it, and that it is installed, upgraded, removed and purged as Debian's
# policy wants, in a root of its own (tests/lib/roots.sh).
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/roots.sh
. "$SRC/tests/lib/roots.sh"
# shellcheck source=tests/lib/foreign.sh
. "$SRC/tests/lib/foreign.sh"

need_deb() {
	command -v dpkg-shlibdeps >/dev/null || skip "no dpkg-dev here"
}

build() { # VERSION FILE
	DEB_VERSION=$1 "$SRC/tools/deb/build" "$KILN" "$T/$2" >built 2>err || fail "$(cat err)"
}

test_contents() {
	need_deb
	need lintian
	local path
	build 1.0 kiln.deb
	dpkg-deb -c kiln.deb | awk '{ print $1, $2, $6 }' >list
	for path in '-rwxr-xr-x root/root ./usr/bin/kiln' \
		'-rw-r--r-- root/root ./etc/kiln/kiln.yaml' \
		'-rw-r--r-- root/root ./usr/lib/sysctl.d/10-kiln.conf' \
		'-rw-r--r-- root/root ./lib/systemd/system/kiln-agent.service' \
		'-rw-r--r-- root/root ./usr/share/man/man1/kiln.1.gz' \
		'-rw-r--r-- root/root ./usr/share/man/man5/kiln.yaml.5.gz' \
		'-rw-r--r-- root/root ./usr/share/man/man5/kiln-store.5.gz' \
		'-rw-r--r-- root/root ./usr/share/man/man7/kiln-fleet.7.gz' \
		'-rw-r--r-- root/root ./usr/share/man/man7/kiln-clickhouse.7.gz' \
		'-rw-r--r-- root/root ./usr/share/kiln/grafana/kiln-fleet.json' \
		'-rw-r--r-- root/root ./usr/share/bash-completion/completions/kiln' \
		'-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_kiln' \
		'-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/kiln.fish' \
		'-rw-r--r-- root/root ./usr/share/doc/kiln/copyright' \
		'-rw-r--r-- root/root ./usr/share/doc/kiln/changelog.gz'; do
		grep -qxF -- "$path" list || fail "not in the package: $path"
	done
	assert_eq "conffiles" "$(dpkg-deb -I kiln.deb conffiles)" /etc/kiln/kiln.yaml
	dpkg-deb -f kiln.deb Depends | tr ',' '\n' | sed 's/^ //' >depends
	assert_match "Depends" depends '^libc6 [(]>= '
	assert_match "Depends" depends '^libsqlite3-0'
	dpkg-deb -x kiln.deb root
	assert_no_match "sections" <(readelf -SW root/usr/bin/kiln) '[.](symtab|debug_info)'
	lintian --allow-root --fail-on error kiln.deb >lintian 2>&1 || fail "$(cat lintian)"
}

# What the file says is commented out is the default: with it in force nothing changes.
test_configuration() {
	assert_status 0 "$KILN" agent --check-config -c "$SRC/tools/deb/kiln.yaml"
	"$KILN" agent --print-config -c "$SRC/tools/deb/kiln.yaml" | sed 's/  #.*//' >as_installed
	sed -E '/^#(labels|relabel|- )/d; s/^#([a-z]|  )/\1/' "$SRC/tools/deb/kiln.yaml" >all.yaml
	assert_match "keys" all.yaml '^window: '
	"$KILN" agent --print-config -c all.yaml >print
	assert_at_least "keys of the file that are in force" "$(grep -c 'all.yaml:[0-9]*$' print)" 10
	sed 's/  #.*//' print >in_force
	diff as_installed in_force >differ || fail "not the defaults: $(cat differ)"
	sed -nE 's/^#(labels|relabel|- )/\1/p' "$SRC/tools/deb/kiln.yaml" >rest.yaml
	assert_status 0 "$KILN" agent --check-config -c rest.yaml
}

test_installed_upgraded_removed_purged() {
	need_root
	need_deb
	build 1.0 old.deb
	build 1.1 new.deb
	dpkg-deb -f old.deb Depends >depends
	cat >steps <<-'END'
		set -e
		check() { # WHAT COMMAND...
			local what=$1
			shift
			"$@" >/dev/null || { echo "$what: $*" && exit 1; }
		}
		is() { # WHAT GOT WANTED
			[ "$2" = "$3" ] || { echo "$1: got '$2', wanted '$3'" && exit 1; }
		}
		# What dpkg, ldconfig, apt and adduser keep about any package does not count.
		everything() {
			find / -xdev \( -path /debs -o -path /proc -o -path /run -o -path /tmp -o -path /var/lib/dpkg \
				-o -path /var/log -o -path /var/cache -o -path /var/lib/apt \) -prune -o -print |
				sort
			for file in passwd group shadow gshadow; do
				cut -d: -f1 /etc/$file | sed "s/^/$file: /" | sort
			done
		}
		link=/etc/systemd/system/multi-user.target.wants/kiln-agent.service

		apt-get -qq update || { echo "no package archive can be reached" && exit 77; }
		apt-get -qq -y satisfy --no-install-recommends "$DEPENDS"
		# Their back-up copies come with the first change of these files.
		for file in passwd group shadow gshadow; do
			cp -p /etc/$file /etc/$file-
		done
		everything >/debs/before

		dpkg -i /debs/old.deb
		check "runs" kiln version
		check "configuration" kiln agent --check-config
		is "unit enabled" "$(readlink $link)" /lib/systemd/system/kiln-agent.service
		is "store" "$(stat -c '%U:%G %a' /var/lib/kiln)" 'kiln:kiln 750'
		is "configuration's mode" "$(stat -c '%U:%G %a' /etc/kiln/kiln.yaml)" 'root:root 644'
		check "system user" [ "$(id -u kiln)" -lt 1000 ]
		is "shell" "$(getent passwd kiln | cut -d: -f7)" /usr/sbin/nologin

		# An administrator changes the configuration, has profiles, and turns the agent off.
		echo 'window: 7s' >>/etc/kiln/kiln.yaml
		echo 'labels: {env: test}' >/etc/kiln/conf.d/own.yaml
		echo data >/var/lib/kiln/20260101T000000Z.kiln
		rm $link
		cp /etc/kiln/kiln.yaml /debs/changed.yaml
		dpkg -i /debs/new.deb
		is "version" "$(dpkg-query -W -f '${Version}' kiln)" 1.1
		check "configuration survives an upgrade" cmp /etc/kiln/kiln.yaml /debs/changed.yaml
		check "store survives an upgrade" grep -q data /var/lib/kiln/20260101T000000Z.kiln
		check "stays disabled" [ ! -L $link ]

		dpkg -r kiln
		check "program is gone" [ ! -e /usr/bin/kiln ]
		check "configuration stays" cmp /etc/kiln/kiln.yaml /debs/changed.yaml
		check "store stays" grep -q data /var/lib/kiln/20260101T000000Z.kiln
		dpkg -i /debs/new.deb
		check "configuration is found again" cmp /etc/kiln/kiln.yaml /debs/changed.yaml

		dpkg -P kiln
		everything >/debs/after
		diff /debs/before /debs/after || { echo "left behind, or taken away" && exit 1; }
		check "dpkg's books" sh -c '! dpkg-query -W kiln 2>/dev/null | grep .'
	END
	sed -i "1i DEPENDS='$(cat depends)'" steps
	in_root "$RELEASE" steps
}

# A package of Debian 12 is also one for 13.
test_runs_on_this_release_and_the_next() {
	need_root
	need_deb
	need_bpf
	local release
	build 1.0 kiln.deb
	write_foreign_steps steps
	sed -i '1i apt-get -qq update || { echo "no package archive can be reached" && exit 77; }\
apt-get -qq -y install --no-install-recommends /debs/kiln.deb' steps
	[ "$RELEASE" = bookworm ] || [ "$RELEASE" = trixie ] || skip "for Debian 12 and 13"
	for release in "$RELEASE" trixie; do
		in_root "$release" steps
		assert_foreign said
	done
}

run_tests "$@"
