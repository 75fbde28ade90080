// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/formats/autofdo.h"
#include "profiler/formats/compress.h"
#include "profiler/formats/export.h"

/* Suffixes, a longer one before its own ending. The last column: list it in messages. */
#define SUFFIXES(X)                                                                                \
	X(".pb.gz", EXPORT_PPROF_GZ, true)                                                         \
	X(".pprof", EXPORT_PPROF_GZ, false)                                                        \
	X(".pb.zst", EXPORT_PPROF_ZST, true)                                                       \
	X(".pb", EXPORT_PPROF, true)                                                               \
	X(".folded", EXPORT_FOLDED, true)                                                          \
	X(".txt", EXPORT_FOLDED, false)                                                            \
	X(".svg", EXPORT_SVG, true)                                                                \
	X(".html", EXPORT_HTML, true)                                                              \
	X(".json", EXPORT_SPEEDSCOPE, true)                                                        \
	X(".speedscope", EXPORT_SPEEDSCOPE, false)                                                 \
	X(".autofdo", EXPORT_AUTOFDO, true)

static const struct {
	const char *suffix;
	enum export_format format;
} suffixes[] = {
#define X(suffix, format, listed) {suffix, format},
	SUFFIXES(X)
#undef X
};

int export_format_of(const char *path)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (text_has_suffix(path, suffixes[i].suffix) ||
		    !strcmp(path, suffixes[i].suffix + 1))
			return (int)suffixes[i].format;
	return -EINVAL;
}

const char *export_suffixes(void)
{
#define LISTED_true(suffix)	  " " suffix
#define LISTED_false(suffix)	  ""
#define X(suffix, format, listed) LISTED_##listed(suffix)
	return &(SUFFIXES(X))[1];
#undef X
}

bool export_is_binary(enum export_format f)
{
	return f == EXPORT_PPROF_GZ || f == EXPORT_PPROF_ZST || f == EXPORT_PPROF;
}

bool export_leaves_out(const struct profile *p, enum export_format f)
{
	if (export_is_binary(f) || f == EXPORT_HTML)
		return false;
	for (size_t i = 0; i < p->values.len; i++)
		if (p->values.data[i] < 0)
			return true;
	return false;
}

static int export_compressed(struct buf *out, const struct profile *p,
			     int (*compress)(struct buf *out, const void *data, size_t len))
{
	struct buf raw = {0};
	int err = export_pprof(&raw, p);

	err = err ?: compress(out, raw.data, raw.len);
	buf_release(&raw);
	return err;
}

int export_profile(struct buf *out, const struct profile *p, enum export_format f,
		   const struct export_opts *opts)
{
	static const struct export_opts defaults;
	struct autofdo_result result;

	opts = opts ?: &defaults;
	switch (f) {
	case EXPORT_PPROF_GZ:
		return export_compressed(out, p, compress_gzip);
	case EXPORT_PPROF_ZST:
		return export_compressed(out, p, compress_zstd);
	case EXPORT_PPROF:
		return export_pprof(out, p);
	case EXPORT_FOLDED:
		return export_folded(out, p, opts);
	case EXPORT_SVG:
		return export_svg(out, p, opts);
	case EXPORT_HTML:
		return export_html(out, p, opts);
	case EXPORT_SPEEDSCOPE:
		return export_speedscope(out, p, opts);
	case EXPORT_AUTOFDO:
		return export_autofdo(out, p, &result);
	}
	return -EINVAL;
}

const char *export_strerror(int err)
{
	switch (err) {
	case -EOVERFLOW:
		return "the values of the profile add up to more than 63 bits hold";
	case -EFBIG:
		return "it would be larger than 4 GiB";
	default:
		return strerror(-err);
	}
}
