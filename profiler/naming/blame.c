// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/profile/blame_shares.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/window/aggregate.h"
#include "profiler/naming/blame.h"
#include "profiler/naming/made_code.h"
#include "profiler/naming/naming_internal.h"
#include "profiler/naming/packages.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/symbolizer.h"

#define BLAME_MAX 10 /* most rows of a report */
#define MERGE_MAX 64 /* suspects to search for the same binary */
/* A binary with a smaller share of all frames or stacks is not reported, unless its names are missing in this
 * share of samples (BLAME_WORTH). */
#define BLAME_MIN_SHARE 0.005

struct suspect {
	enum frame_class cls; /* AT_FILE or AT_ANON; AT_UNMAPPED of owner UNMAPPED_CUT */
	uint32_t owner;
	uint64_t frames, unnamed, broken;
	uint64_t spoilt;		 /* samples with a frame in it without a name */
	uint64_t last;			 /* the last of them */
	uint64_t ends[UNWIND_END_COUNT]; /* broken stacks, by reason */
};

struct blame {
	VEC(struct suspect) suspects;
	struct htab index;
	uint64_t frames, broken;
	uint64_t sample; /* its number; from 1 */
};

struct needle {
	const struct blame *b;
	const struct agg_frame *f;
};

static bool suspect_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;
	const struct suspect *s = &n->b->suspects.data[id];

	return s->cls == n->f->cls && s->owner == n->f->owner;
}

struct blame *blame_new(void)
{
	struct blame *b = calloc(1, sizeof(*b));

	if (b)
		b->sample = 1;
	return b;
}

void blame_free(struct blame *b)
{
	if (!b)
		return;
	vec_release(&b->suspects);
	htab_release(&b->index);
	free(b);
}

static bool may_be_blamed(const struct agg_frame *f)
{
	return f->cls == AT_FILE || f->cls == AT_ANON ||
	       (f->cls == AT_UNMAPPED && f->owner == UNMAPPED_CUT);
}

static struct suspect *get(struct blame *b, const struct agg_frame *f)
{
	struct needle n = {b, f};
	uint64_t hash = hash_mix(f->owner, f->cls);
	struct suspect fresh = {.cls = f->cls, .owner = f->owner};
	uint32_t id;

	if (!may_be_blamed(f))
		return NULL;
	id = htab_find(&b->index, hash, suspect_eq, &n);
	if (id != HTAB_NONE)
		return &b->suspects.data[id];
	if (vec_push(&b->suspects, fresh))
		return NULL;
	if (htab_insert(&b->index, hash, (uint32_t)b->suspects.len - 1)) {
		b->suspects.len--;
		return NULL;
	}
	return &vec_last(&b->suspects);
}

void blame_next(struct blame *b)
{
	b->sample++;
}

void blame_frame(struct blame *b, const struct agg_frame *f, uint64_t count, bool unnamed)
{
	struct suspect *s = get(b, f);

	b->frames += count;
	if (!s)
		return;
	s->frames += count;
	if (!unnamed)
		return;
	s->unnamed += count;
	s->spoilt += s->last == b->sample ? 0 : count;
	s->last = b->sample;
}

void blame_broken(struct blame *b, const struct agg_frame *f, enum unwind_end why, uint64_t count)
{
	struct suspect *s = get(b, f);

	b->broken += count;
	if (!s)
		return;
	s->broken += count;
	s->ends[why] += count;
}

static int order_suspects(const void *x, const void *y)
{
	const struct suspect *s = x, *t = y;
	uint64_t a = s->spoilt + s->broken, b = t->spoilt + t->broken;

	return a > b ? -1 : a < b;
}

/* --- one binary, once ------------------------------------------------------------------------- */

/* What identifies a suspect: the file, or for anonymous code the program that made it. */
static uint32_t file_of(const struct suspect *s, const struct aggregate *a)
{
	if (s->cls != AT_ANON)
		return s->cls == AT_FILE ? s->owner : FILE_NONE;
	return s->owner < a->images.len ? a->images.data[s->owner].exe : FILE_NONE;
}

/* A library may be known by its inode from /proc and by its build id from an event. What a file says of itself
 * does not count: nobody's faults are to be put down to the file of somebody else. */
static uint64_t identity(const struct suspect *s, const struct naming *n, const struct aggregate *a)
{
	uint32_t file = file_of(s, a);
	struct file_identity identity;
	struct sym_file sym;
	struct file_view v;
	uint64_t id;

	if (file == FILE_NONE)
		return hash_mix(s->owner, s->cls);
	files_get(n->opts.files, file, &v);
	sym = file_view_sym(&v);
	id = sym_file_identity(&sym, &identity) ? hash_bytes(&identity, sizeof(identity), s->cls)
						: hash_mix(hash_u64(file), s->cls);
	files_release_fd(n->opts.files, file);
	return id;
}

static void add_suspect(struct suspect *to, const struct suspect *from)
{
	to->frames += from->frames;
	to->unnamed += from->unnamed;
	to->spoilt += from->spoilt;
	to->broken += from->broken;
	for (int e = 0; e < UNWIND_END_COUNT; e++)
		to->ends[e] += from->ends[e];
}

/* Keeps the worst suspects, each binary once. */
static void merge_suspects(struct blame *b, const struct naming *n, const struct aggregate *a)
{
	uint64_t ids[MERGE_MAX];
	size_t kept = 0, len = b->suspects.len < MERGE_MAX ? b->suspects.len : MERGE_MAX;

	for (size_t i = 0; i < len; i++) {
		const struct suspect *s = &b->suspects.data[i];
		uint64_t id = identity(s, n, a);
		size_t at = 0;

		while (at < kept && ids[at] != id)
			at++;
		if (at < kept) {
			add_suspect(&b->suspects.data[at], s);
		} else {
			ids[kept] = id;
			b->suspects.data[kept++] = *s;
		}
	}
	b->suspects.len = kept;
}

/* --- what to do ------------------------------------------------------------------------------- */

/* What lets a file be opened; kiln itself has raised the soft limit. */
#define RAISE_NOFILE   " (raise the hard limit: `ulimit -Hn`)"
#define RAISE_FILE_MAX " (raise the sysctl fs.file-max)"

#define NO_CFI                                                                                     \
	"code in it has no call frame information: rebuild it with -fasynchronous-unwind-tables "  \
	"(rustc: -C force-unwind-tables; assembly: .cfi directives) or -fno-omit-frame-pointer "   \
	"(-C force-frame-pointers)"

#define BARE_LEAVES                                                                                \
	"code in it has no call frame information, and whether its functions that call no other "  \
	"have a frame record is not always seen, so that their callers may be missing: rebuild "   \
	"it "                                                                                      \
	"with -fasynchronous-unwind-tables or -mno-omit-leaf-frame-pointer"

#define V8_CFI                                                                                     \
	"V8's own builtins in it have no call frame information, and some have no frame: nothing " \
	"to do"

#define BAD_CFI                                                                                    \
	"the reader of its call frame information failed on it: rebuild it, with frame pointers "  \
	"if it fails again"

#define UNREADABLE_CFI                                                                             \
	"its call frame information cannot be read: the file is damaged, no ELF file, of another " \
	"architecture, or larger than kiln reads"

/* Why stacks end in a file's code, and the remedy, by the reason for the walk's end. */
static const char *const file_remedy[UNWIND_END_COUNT] = {
	[UNWIND_ON] = "built without frame pointers, and unwind tables were not used: see "
		      "--unwind, and `kiln doctor`",
	[UNWIND_END_NO_MAPPING] = "its callers are in no known mapping: its call frame information "
				  "is wrong, or an event was lost",
	[UNWIND_END_NO_TABLE] = "its unwind table was not ready in time: record for longer",
	[UNWIND_END_NO_RULE] = NO_CFI,
	[UNWIND_END_BAD_READ] = "its stack could not be read: it was swapped out, or the call "
				"frame information is wrong",
	[UNWIND_END_SLOW] =
		"frames that only libunwind can walk, above code that it cannot walk, or "
		"more of them than there was room for (then lower -F)",
	[UNWIND_END_LOOP] = "its call frame information is wrong: rebuild it with frame pointers",
	[UNWIND_END_DEEP] = "recursion deeper than kiln can walk: nothing to do",
	[UNWIND_END_SLICE] =
		"its stack is larger than the part that is copied, or goes on elsewhere (a "
		"signal's, cgo's): with root's rights, only the first samples of a process are cut "
		"so",
	[UNWIND_END_CHAIN] = "frame pointers lead no further: code on the way uses their register "
			     "otherwise, or runs on a stack of its own",
	[UNWIND_END_ZERO] = "a return address of 0 is above it: it runs on a stack of its own (a "
			    "coroutine's), or code on the way keeps no frame pointers",
	[UNWIND_END_UPROBE] = "somebody watches its functions with uretprobes (perf, bpftrace), "
			      "which hide return addresses: profile without them",
	[UNWIND_END_COMPAT] =
		"a 32-bit program: its signal frames, and code in it without call frame "
		"information, are not walked",
	[UNWIND_END_LEAF] = BARE_LEAVES,
};

static enum unwind_end main_reason(const struct suspect *s)
{
	int best = 0;

	for (int e = 1; e < UNWIND_END_COUNT; e++)
		if (s->ends[e] > s->ends[best])
			best = e;
	return best;
}

#define CUT_MAPPINGS                                                                               \
	"its program has mapped more code than a sample can tell: it is unknown until /proc has "  \
	"been read, so record for longer"

#define NO_READER                                                                                  \
	"no process could be started to read its call frame information: limits of processes or "  \
	"of memory"

#define NO_SERVER "the server of its file system did not answer: its stacks end there"

/* Why there is no table of a file that may well describe its frames. */
static const char *table_remedy(int err)
{
	switch (err) {
	case -ECONNABORTED:
		return BAD_CFI;
	case -ENODATA:
		return NO_CFI;
	case -EMFILE:
		return "kiln may not open more files to read it" RAISE_NOFILE;
	case -ENFILE:
		return "no more files can be opened to read it" RAISE_FILE_MAX;
	case -ENOTCONN:
		return NO_READER;
	case -ETIMEDOUT:
	case -EHOSTDOWN:
		return NO_SERVER;
	default:
		return UNREADABLE_CFI;
	}
}

/* Programs with V8 inside: nobody can build its builtins otherwise. */
static bool has_v8(const char *path)
{
	static const char *const files[] = {"node", "libnode", "deno", "electron", "chrome"};
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (text_has_prefix(name, files[i]))
			return true;
	return false;
}

static const char *broken_hint(const struct suspect *s, const struct naming *n, const char *path)
{
	int err = n->opts.feed ? unwind_feed_table_error(n->opts.feed, s->owner) : 0;
	enum unwind_end reason = main_reason(s);

	if (!s->broken)
		return NULL;
	if (reason == UNWIND_END_UPROBE) /* whatever describes the file */
		return file_remedy[reason];
	if (!err && (reason == UNWIND_END_NO_RULE || reason == UNWIND_END_LEAF) && has_v8(path))
		return V8_CFI;
	return err && reason != UNWIND_END_LEAF ? table_remedy(err) : file_remedy[reason];
}

static bool is_stripped(struct naming *n, const struct file_view *v)
{
	struct sym_file sym = file_view_sym(v);
	bool has = true;

	return !symbolizer_has_symbols(n->opts.symbolizer, &sym, &has) && !has;
}

/* It has the inode that was mapped, and another build id, or no ELF file's content any more. */
static bool is_overwritten(struct naming *n, const struct file_view *v)
{
	struct sym_file sym = file_view_sym(v);
	bool is = false;
	int err;

	if (!v->build_id.len || !sym_file_is_open(&sym))
		return false;
	err = symbolizer_is_replaced(n->opts.symbolizer, &sym, &is);
	return is || err == -ENOEXEC;
}

/* What names the functions of a file that has no symbol table. */
static void add_symbols_hint(struct buf *b, struct naming *n, const struct file_view *v)
{
	struct package_file file = {.path = v->path, .build_id = v->build_id};
	struct sym_file sym = file_view_sym(v);
	char hex[2 * BUILD_ID_MAX + 1];
	struct buf command = {0};
	enum package_answer answer = PACKAGE_UNKNOWN;

	if (n->packages && sym_file_facts(&sym, &file.key))
		answer = packages_ask(n->packages, &file, &command);
	if (answer == PACKAGE_INSTALLED) /* and has no name for it either */
		return;
	buf_str(b, "stripped");
	text_hex(v->build_id.data, v->build_id.len, hex);
	hex[8] = '\0';
	if (answer == PACKAGE_FOUND)
		buf_printf(b, ": %s", buf_cstr(&command));
	else if (*hex)
		buf_printf(b, " (build id %s...)", hex);
	if (answer == PACKAGE_NONE)
		buf_str(b, ", and of no package: build it with its symbols, or put its debug file "
			   "below /usr/lib/debug");
	else if (answer == PACKAGE_ELSEWHERE && v->deleted)
		buf_str(b, ", and its file was replaced since: start its program again");
	else if (answer != PACKAGE_FOUND)
		buf_printf(b, ": install its debug symbols (-dbg, -dbgsym, -debuginfo)%s",
			   answer == PACKAGE_ELSEWHERE ? " where it comes from" : "");
	buf_release(&command);
}

static const char *opening_remedy(int err)
{
	switch (err) {
	case -EMFILE:
		return RAISE_NOFILE;
	case -ENFILE:
		return RAISE_FILE_MAX;
	default:
		return "";
	}
}

/* So many that it is told. */
static bool are_cut(const struct suspect *s, const struct aggregate *a)
{
	return s->broken && (double)s->broken >= BLAME_MIN_SHARE * (double)a->recorded;
}

/* What to do, or NULL. The caller frees it. A file that is told of for its names gets no advice for one cut stack. */
static char *hint_for_file(const struct suspect *s, struct naming *n, const struct aggregate *a,
			   const struct file_view *v)
{
	const char *broken = are_cut(s, a) ? broken_hint(s, n, v->path) : NULL;
	struct buf b = {0};

	if (v->err && (broken || s->unnamed)) {
		buf_printf(&b, "%s could not be opened: %s%s", v->path, strerror(-v->err),
			   opening_remedy(v->err));
		return buf_take(&b);
	}
	if (s->unnamed && is_overwritten(n, v)) {
		buf_str(&b,
			"its file was overwritten since it was mapped: start its program again");
		return buf_take(&b);
	}
	if (s->unnamed && is_stripped(n, v))
		add_symbols_hint(&b, n, v);
	if (broken)
		buf_printf(&b, "%s%s", b.len ? "; " : "", broken);
	return b.len ? buf_take(&b) : NULL;
}

/* Even with frame pointers, a few stacks end in stubs and in prologues. */
static bool is_frameless(const struct suspect *s)
{
	return s->broken * 50 >= s->frames;
}

static char *hint_for_anon(const struct suspect *s, struct naming *n, const struct aggregate *a,
			   const struct agg_image *img)
{
	bool unnamed = s->unnamed * 2 >= s->frames ||
		       (double)s->spoilt >= BLAME_WORTH * (double)a->recorded;
	enum unwind_end end = main_reason(s);
	const struct made_code code = {
		.image = img,
		.lacks_names = s->unnamed && unnamed,
		.lacks_frames = is_frameless(s),
		.end = end,
		.remedy = file_remedy[end],
	};

	return code.lacks_names || code.lacks_frames || are_cut(s, a) ? made_code_hint(&code, n)
								      : NULL;
}

static void order(struct blame *b)
{
	if (b->suspects.len)
		qsort(b->suspects.data, b->suspects.len, sizeof(*b->suspects.data), order_suspects);
}

static int report_one(const struct suspect *s, struct naming *n, const struct aggregate *a,
		      struct quality *q)
{
	struct quality_blame row = {
		.frames = s->frames, .unnamed = s->unnamed, .broken = s->broken};
	struct file_view v;
	int err;

	if (s->cls == AT_UNMAPPED) {
		row.module = strdup(MAPPING_UNKNOWN);
		row.hint = strdup(CUT_MAPPINGS);
	} else if (s->cls == AT_ANON) {
		row.module = strdup(MAPPING_JIT);
		if (s->owner < a->images.len)
			row.hint = hint_for_anon(s, n, a, &a->images.data[s->owner]);
	} else {
		files_get(n->opts.files, s->owner, &v);
		row.module = strdup(strrchr(v.path, '/') ? strrchr(v.path, '/') + 1 : v.path);
		row.hint = hint_for_file(s, n, a, &v);
		files_release_fd(n->opts.files, s->owner);
	}
	err = row.module ? vec_push(&q->blame, row) : -ENOMEM;
	if (err) {
		free(row.module);
		free(row.hint);
	}
	return err;
}

static bool is_worth(const struct suspect *s, const struct blame *b, const struct aggregate *a)
{
	return (double)s->unnamed >= BLAME_MIN_SHARE * (double)b->frames || are_cut(s, a) ||
	       (double)s->spoilt >= BLAME_WORTH * (double)a->recorded;
}

int blame_report(struct blame *b, struct naming *n, const struct aggregate *a, struct quality *q)
{
	int err = 0;

	order(b);
	merge_suspects(b, n, a);
	order(b);
	for (size_t i = 0; i < b->suspects.len && i < BLAME_MAX && !err; i++) {
		const struct suspect *s = &b->suspects.data[i];

		if ((s->unnamed || s->broken) && is_worth(s, b, a))
			err = report_one(s, n, a, q);
		if (n->opts.tick)
			n->opts.tick(n->opts.tick_ctx);
	}
	return err;
}
