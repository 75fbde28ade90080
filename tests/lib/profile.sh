# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Asking a profile questions, through profile.py's table of samples:
# $1 count, $2 ns, $3 comm, $4 pid, $5 tid, $6 functions root first, $7 their modules.

profile_py() {
	python3 "$SRC/tests/lib/profile.py" "$@"
}

# profile_sum FILE COLUMN [AWK_CONDITION]: the sum of a column over the samples of a condition.
profile_sum() {
	profile_py samples "$1" | awk -F '\t' "${3:-1} { n += \$$2 } END { printf \"%.0f\\n\", n }"
}
profile_samples() { # FILE [CONDITION]
	profile_sum "$1" 1 "${2:-1}"
}
profile_ns() { # FILE [CONDITION]
	profile_sum "$1" 2 "${2:-1}"
}

# In per cent: profile_share FILE CONDITION [OF_CONDITION]
profile_share() {
	profile_py samples "$1" | awk -F '\t' "
		${3:-1} { all += \$1 }
		(${3:-1}) && ($2) { n += \$1 }
		END { printf \"%.2f\\n\", all ? 100 * n / all : 0 }"
}

# An awk condition: the function is somewhere in the stack (its text, not an expression).
# That a losses' frame is in it: in_stack '[lost samples]'.
in_stack() {
	printf 'index(";" $6 ";", ";%s;")' "$1"
}

# The heaviest functions by inclusive count: profile_top FILE N [CONDITION] -> "share function"
profile_top() {
	profile_py samples "$1" | awk -F '\t' "${3:-1}"' {
		n = split($6, f, ";"); all += $1; delete seen
		for (i = 1; i <= n; i++)
			if (!(f[i] in seen)) { seen[f[i]] = 1; count[f[i]] += $1 }
	} END { for (name in count) printf "%.2f %s\n", 100 * count[name] / all, name }' |
		sort -rn | head -n "$2"
}

# The value of a kiln.KEY comment; counters that are 0 are not written.
quality() { # FILE KEY
	profile_py comments "$1" | sed -n "s/^kiln\.$2=//p" | grep . || echo 0
}

# expected = idle + stolen + filtered + recorded + losses, exactly; and the profile's own samples, without
# those that stand for losses, are what it says was recorded.
assert_accounting() { # FILE
	local file=$1 sum
	assert_at_least "expected samples of $file" "$(quality "$file" expected)" 1
	sum=$(profile_py comments "$file" | awk -F '[.=]' '
		$1 != "kiln" { next }
		$2 == "expected" { expected = $3 }
		$2 == "idle" || $2 == "stolen" || $2 == "filtered" || $2 == "recorded" { sum += $3 }
		$2 == "lost" { sum += $4 }
		END { print expected - sum }')
	assert_eq "unaccounted samples in $file" "$sum" 0
	assert_eq "samples recorded in $file" \
		"$(profile_samples "$file" "!$(in_stack '[lost samples]')")" "$(quality "$file" recorded)"
}
