// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/cpus.h"

/* Reads the number at *s and moves behind it. Negative errno if there is none. */
static int parse_cpu(const char **s)
{
	int v = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++) {
		v = v * 10 + (**s - '0');
		if (v >= CPUS_MAX)
			return -ERANGE;
	}
	return v;
}

static int add_sorted(struct cpu_list *l, int cpu)
{
	size_t i = l->cpus.len;
	int err;

	if (cpu_list_has(l, cpu))
		return 0;
	err = vec_push(&l->cpus, cpu);
	if (err)
		return err;
	for (; i && l->cpus.data[i - 1] > cpu; i--)
		l->cpus.data[i] = l->cpus.data[i - 1];
	l->cpus.data[i] = cpu;
	return 0;
}

static int parse_into(struct cpu_list *l, const char *s)
{
	for (;;) {
		int first = parse_cpu(&s), last = first, err;

		if (first >= 0 && *s == '-') {
			s++;
			last = parse_cpu(&s);
		}
		if (first < 0 || last < 0)
			return first < 0 ? first : last;
		if (last < first)
			return -EINVAL;
		for (int cpu = first; cpu <= last; cpu++) {
			err = add_sorted(l, cpu);
			if (err)
				return err;
		}
		if (!*s)
			return 0;
		if (*s++ != ',')
			return -EINVAL;
	}
}

int cpu_list_parse(struct cpu_list *out, const char *text)
{
	struct cpu_list l = {0};
	int err = parse_into(&l, text);

	if (err) {
		cpu_list_release(&l);
		return err;
	}
	*out = l;
	return 0;
}

int cpu_list_online(struct cpu_list *out)
{
	char line[4096];
	int err = io_read_line("/sys/devices/system/cpu/online", line, sizeof(line));

	return err ? err : cpu_list_parse(out, line);
}

bool cpu_list_has(const struct cpu_list *l, int cpu)
{
	for (size_t i = 0; i < l->cpus.len; i++)
		if (l->cpus.data[i] == cpu)
			return true;
	return false;
}

void cpu_list_release(struct cpu_list *l)
{
	vec_release(&l->cpus);
}
