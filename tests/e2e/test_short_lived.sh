#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Processes that live for milliseconds keep their names after their death.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"
# shellcheck source=tests/lib/profile.sh
. "$SRC/tests/lib/profile.sh"

# A C project of its own making: FILES sources with a few functions each, and a Makefile.
generate_project() { # DIRECTORY FILES
	local i f
	mkdir -p "$1"
	for ((i = 0; i < $2; i++)); do
		{
			printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
			for ((f = 0; f < 40; f++)); do
				cat <<-C
					int part_${i}_$f(int n, char *s)
					{
						for (int i = 0; i < n; i++)
							if (s[i] == $f || strlen(s + i) > $i)
								n += atoi(s + i) ^ $f;
							else
								printf("%d %s", n, s);
						return n ? part_${i}_$f(n / 2, s) : $i;
					}
				C
			done
			[ "$i" -ne 0 ] || echo 'int main(int argc, char **argv) { return part_0_0(argc, *argv); }'
		} >"$1/part$i.c"
	done
	cat >"$1/Makefile" <<-'MAKE'
		OBJECTS := $(patsubst %.c,%.o,$(wildcard *.c))
		project: $(OBJECTS); $(CC) -o $@ $^
		%.o: %.c; $(CC) -O1 -g -w -c -o $@ $<
	MAKE
}

# Of the samples of a condition, the share whose leaf function has a name: neither a bare address
# nor "module+sub_...", the start of code that no symbol names.
leaf_named() { # FILE CONDITION
	profile_py samples "$1" | awk -F '\t' "$2"' {
		n = split($6, f, ";"); all += $1
		if (f[n] !~ /^(0x[0-9a-f]+|.*\+(sub_|0x)[0-9a-f]+|\[unknown\])$/) named += $1
	} END { printf "%.2f\n", all ? 100 * named / all : 0 }'
}

leaf_in_module() { # FILE CONDITION
	profile_py samples "$1" | awk -F '\t' "$2"' {
		n = split($7, m, ";"); all += $1
		if (m[n] != "" && m[n] != "[unknown]") known += $1
	} END { printf "%.2f\n", all ? 100 * known / all : 0 }'
}

test_make() {
	need_bpf
	generate_project project 60
	"$KILN" record -q -o p.pb.gz -- make -s -j2 -C project CC="${CC:-gcc}" >log 2>&1
	local dead='$6 !~ /\[lost samples\]/'
	assert_at_least "samples" "$(profile_samples p.pb.gz "$dead")" 200
	assert_at_least "processes seen" "$(profile_py samples p.pb.gz | cut -f4 | sort -u | wc -l)" 40
	assert_at_least "share of the compiler" "$(profile_share p.pb.gz '$3 == "cc1"')" 40
	assert_at_least "samples that name their module" "$(leaf_in_module p.pb.gz "$dead")" 98
	# Whether cc1's functions have names depends on the packages installed; the kernel's do.
	assert_at_least "kernel samples that name their function" \
		"$(leaf_named p.pb.gz "$dead && \$7 ~ /\\[kernel[^;]*\$/")" 98
	assert_accounting p.pb.gz
}

test_system_wide_make() {
	need_bpf
	generate_project project 40
	"$KILN" record -q -a -o p.pb.gz -- make -s -j2 -C project >log 2>&1
	assert_at_least "samples of the compiler" "$(profile_samples p.pb.gz '$3 == "cc1"')" 50
	assert_at_least "compiler samples that name their module" \
		"$(leaf_in_module p.pb.gz '$3 == "cc1"')" 98
	assert_accounting p.pb.gz
}

test_storm_of_forks() {
	need_bpf
	"$KILN" record -q -a -F 199 -o p.pb.gz -- "$WORKLOADS/forkstorm" 5 5 100 3 >told
	local mine='$3 == "forkstorm" && $7 ~ /forkstorm[^;]*$/'
	assert_at_least "samples" "$(profile_samples p.pb.gz "$mine")" 100
	assert_at_least "samples that name their module" "$(leaf_in_module p.pb.gz '$3 == "forkstorm"')" 98
	assert_at_least "samples that name their function" "$(leaf_named p.pb.gz "$mine")" 98
	assert_at_least "samples through short_life" \
		"$(profile_share p.pb.gz "$(in_stack short_life)" "$mine")" 98
	assert_accounting p.pb.gz
}

# The file is gone too: what was mapped was opened in time.
test_program_that_was_removed() {
	need_bpf
	cp "$WORKLOADS/deep" gone
	"$KILN" record -q -a -o p.pb.gz -- sh -c './gone 1 20; rm gone'
	assert_no_file gone
	assert_at_least "samples through at_the_bottom" \
		"$(profile_share p.pb.gz "$(in_stack at_the_bottom)" '$3 == "gone"')" 95
}

run_tests "$@"
