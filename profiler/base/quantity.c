// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"TiB", 1ull << 40},
	{"GiB", 1ull << 30},
	{"MiB", 1ull << 20},
	{"KiB", 1ull << 10},
	{"TB", 1000000000000ull},
	{"GB", 1000000000},
	{"MB", 1000000},
	{"kB", 1000},
	{"B", 1},
};
static const struct unit time_units[] = {
	{"d", 86400000000000ull},
	{"h", 3600000000000ull},
	{"m", 60000000000ull},
	{"s", 1000000000},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
};

/* DIGITS[.DIGITS] at *s, at most nine after the point, which are in billionths. Moves *s past it. */
static int parse_decimal(const char **s, uint64_t *whole, uint64_t *nano)
{
	uint64_t v = 0, frac = 0, scale = 1000000000;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
			return -ERANGE;
	}
	if (**s == '.') {
		(*s)++;
		if (!isdigit((unsigned char)**s))
			return -EINVAL;
		for (; isdigit((unsigned char)**s) && scale > 1; (*s)++) {
			scale /= 10;
			frac += (uint64_t)(**s - '0') * scale;
		}
		if (isdigit((unsigned char)**s))
			return -EINVAL;
	}
	*whole = v;
	*nano = frac;
	return 0;
}

static int scale_decimal(uint64_t whole, uint64_t nano, uint64_t factor, uint64_t *out)
{
	unsigned __int128 v =
		(unsigned __int128)whole * factor + (unsigned __int128)nano * factor / 1000000000;

	if (v > INT64_MAX)
		return -ERANGE;
	*out = (uint64_t)v;
	return 0;
}

int quantity_parse_size(const char *s, uint64_t *bytes)
{
	uint64_t whole, nano;
	int err = parse_decimal(&s, &whole, &nano);

	if (err)
		return err;
	if (!*s)
		return nano ? -EINVAL : scale_decimal(whole, 0, 1, bytes);
	s += *s == ' ';
	for (size_t i = 0; i < sizeof(size_units) / sizeof(*size_units); i++)
		if (!strcmp(s, size_units[i].name))
			return scale_decimal(whole, nano, size_units[i].factor, bytes);
	return -EINVAL;
}

int quantity_parse_percent(const char *s, uint64_t *ppm)
{
	uint64_t whole, nano;
	int err = parse_decimal(&s, &whole, &nano);

	if (err)
		return err;
	s += *s == ' ';
	if (strcmp(s, "%") != 0 || nano % 100000)
		return -EINVAL;
	err = scale_decimal(whole, nano, 10000, ppm);
	return err ?: *ppm > 1000000 ? -ERANGE : 0;
}

static const char *format(uint64_t v, const struct unit *units, size_t n, char *out, size_t size)
{
	size_t i = 0;

	while (i + 1 < n && (!v || v % units[i].factor))
		i++;
	snprintf(out, size, "%" PRIu64 "%s", v / units[i].factor, units[i].name);
	return out;
}

const char *quantity_format_size(uint64_t bytes, char *out, size_t size)
{
	return format(bytes, size_units, sizeof(size_units) / sizeof(*size_units), out, size);
}

const char *quantity_format_duration(uint64_t ns, char *out, size_t size)
{
	return format(ns, time_units, sizeof(time_units) / sizeof(*time_units), out, size);
}

const char *quantity_format_percent(uint64_t ppm, char *out, size_t size)
{
	int len = snprintf(out, size, "%" PRIu64 ".%04" PRIu64, ppm / 10000, ppm % 10000);

	while (out[len - 1] == '0')
		len--;
	len -= out[len - 1] == '.';
	snprintf(out + len, size - (size_t)len, "%%");
	return out;
}
