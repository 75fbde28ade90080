# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Processes that are gone before anybody looks at them, and what a profile knows of them. Beside profile.sh.

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
# nor "[module]" nor "module+sub_...", the start of code that no symbol names.
leaf_named() { # FILE CONDITION
	profile_py samples "$1" | awk -F '\t' "$2"' {
		n = split($6, f, ";"); all += $1
		if (f[n] !~ /^(0x[0-9a-f]+|.*\+(sub_|0x)[0-9a-f]+|\[.*\])$/) named += $1
	} END { printf "%.2f\n", all ? 100 * named / all : 0 }'
}

leaf_in_module() { # FILE CONDITION
	profile_py samples "$1" | awk -F '\t' "$2"' {
		n = split($7, m, ";"); all += $1
		if (m[n] != "" && m[n] != "[unknown]") known += $1
	} END { printf "%.2f\n", all ? 100 * known / all : 0 }'
}

# N programs, each another file that is run for some milliseconds of CPU time and removed, as test suites do.
run_and_remove() { # FIRST LAST MS
	local i
	for ((i = $1; i <= $2; i++)); do
		cp "$WORKLOADS/forkstorm" "once$i"
		printf '%d' "$i" >>"once$i"
		"./once$i" burn "$3"
		rm "once$i"
	done
}

# Of the samples in the code of such programs, the share that names its function.
once_named() { # FILE
	leaf_named "$1" '$3 ~ /^once/ && $7 ~ /\/once[0-9]+$/'
}
