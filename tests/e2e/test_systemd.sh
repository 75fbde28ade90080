#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The installed unit under a real systemd, on Debian's kernel in qemu: ready, reload, watchdog, stop. It
# takes minutes: KILN_TEST_SYSTEMD=1 runs it (make soak).
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/kernels.sh
. "$SRC/tests/lib/kernels.sh"
# shellcheck source=tests/lib/roots.sh
. "$SRC/tests/lib/roots.sh"

# A root with systemd and the package becomes the directory system/.
make_system() {
	"$SRC/tools/deb/build" "$KILN" "$T/kiln.deb" >built 2>err || fail "$(cat err)"
	cat >steps <<-'END'
		set -e
		apt-get -qq update || { echo "no package archive can be reached" && exit 77; }
		apt-get -qq -y install --no-install-recommends systemd-sysv dbus procps kmod /debs/kiln.deb
		rm -rf /var/cache/apt /var/lib/apt/lists/* /usr/share/{doc,locale,man,i18n} /debs/kiln.deb
		systemctl mask systemd-timesyncd systemd-resolved getty@tty1 apt-daily.timer
	END
	in_root "$RELEASE" steps 'mkdir system && cp -a --one-file-system "$root/." system/'
}

test_unit() {
	[ -n "${KILN_TEST_SYSTEMD:-}" ] || skip "takes minutes: KILN_TEST_SYSTEMD=1 runs it"
	need_bpf
	[ "$RELEASE" = bookworm ] || [ "$RELEASE" = trixie ] || skip "for Debian 12 and 13"
	make_system
	get_kernel "$RELEASE" "$([ "$RELEASE" = bookworm ] && echo 6.1 || echo 6.12)"
	cat >check <<-'END'
		cd /root
		fail() {
			echo "failed: $*"
			systemctl status --no-pager -l kiln-agent
			journalctl --no-pager -b -u kiln-agent | tail -n 40
			exit 1
		}
		unit() { # PROPERTY
			systemctl show -p "$1" --value kiln-agent
		}
		wait_until() { # SECONDS COMMAND...
			local i=0 limit=$1
			shift
			while ! "$@"; do
				i=$((i + 1))
				[ $i -lt $((limit * 2)) ] || fail "not within $limit s: $*"
				sleep 0.5
			done
		}
		active() { [ "$(systemctl is-active kiln-agent)" = active ]; }
		has_windows() { unit StatusText | grep -qE '[2-9][0-9]* windows stored'; }
		restarted() { [ "$(unit NRestarts)" -ge 1 ] && active && [ "$(unit MainPID)" != "$1" ]; }

		# Type=notify: active is READY=1.
		wait_until 60 active
		wait_until 60 has_windows
		main=$(unit MainPID)
		[ "$(ps -o user= -p "$main")" = kiln ] || fail "user $(ps -o user= -p "$main")"
		grep -q '^NoNewPrivs:.*1' "/proc/$main/status" || fail "new privileges"
		[ "$(stat -c '%U:%G %a' /var/lib/kiln)" = 'kiln:kiln 750' ] || fail "store's mode"
		kiln doctor --color never | tee doctor
		for check in "agent +it runs" "agent's user +kiln, with the cap" "configuration " "store +/var/lib/kiln" \
			"last window +began"; do
			grep -qE "^ok +$check" doctor || fail "doctor: $check"
		done
		kiln report /var/lib/kiln >report || fail "report"
		cat report
		grep -qE 'Stacks +(100|9[0-9])' report || fail "stacks of the report"
		echo "passed: ready"

		printf 'window: 5s\nlabels: {env: reloaded}\n' >/etc/kiln/conf.d/test.yaml
		systemctl reload kiln-agent || fail "reload"
		sleep 12
		kiln export /var/lib/kiln --where env=reloaded -o reloaded.pb.gz || fail "reloaded labels"
		echo 'wndow: 5s' >/etc/kiln/conf.d/test.yaml
		systemctl reload kiln-agent
		sleep 2
		active || fail "a wrong configuration ended the agent"
		[ "$(unit MainPID)" = "$main" ] || fail "reload began another process"
		journalctl --no-pager -b -u kiln-agent | grep -q 'did you mean' || fail "log of a mistake"
		rm /etc/kiln/conf.d/test.yaml
		echo "passed: reload"

		mkdir -p /etc/systemd/system/kiln-agent.service.d
		printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' >/etc/systemd/system/kiln-agent.service.d/test.conf
		systemctl daemon-reload
		systemctl restart kiln-agent || fail "restart"
		sleep 10
		[ "$(unit NRestarts)" -eq 0 ] || fail "the watchdog bites an agent that runs"
		main=$(unit MainPID)
		kill -STOP "$main"
		wait_until 60 restarted "$main"
		journalctl --no-pager -b -u kiln-agent | grep -qi 'watchdog timeout' || fail "no watchdog"
		echo "passed: watchdog"

		systemctl stop kiln-agent || fail "stop"
		[ "$(unit Result) $(unit ExecMainStatus)" = 'success 0' ] ||
			fail "stop: $(unit Result) $(unit ExecMainStatus)"
		! pgrep -u kiln -l || fail "processes are left"
		journalctl --no-pager -b -u kiln-agent | tail -n 20
		echo "passed: stop"
	END
	"$SRC/tools/boot-kernel" -m 2048 -t 500 -r system "$kernel" "$(cat check)" >booted 2>err || {
		[ $? -ne 77 ] || skip "$(cat err)"
		fail "$(tail -n 80 err booted)"
	}
	for step in ready reload watchdog stop; do
		assert_match "steps" booted "^passed: $step\$"
	done
}

run_tests "$@"
