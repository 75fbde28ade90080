// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/json.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"
#include "profiler/cli/addresses.h"
#include "profiler/cli/command.h"
#include "profiler/cli/fetch.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"

#define READ_BYTES 65536 /* size of a pipe's buffer; longer than any line */
/* Lines in one batch if input does not end. Bounds the answers in memory. Larger batches read
 * compressed debug sections less often. */
#define BATCH_LINES (128 << 10)
#define WRITE_BYTES (1u << 20)
/* The only file may use all of it. A browser's lines need so much. */
#define CACHE_BYTES (1ul << 30)

struct asked {
	uint64_t va;	/* as in the input, without the base */
	bool bad;	/* the input is no address */
	size_t at, len; /* place of its text answer */
};

struct answering {
	const struct addresses_opts *o;
	struct symbolizer *symbolizer;
	struct sym_file file;
	uint64_t base; /* added to each address of the input */
	VEC(struct asked) asked;
	VEC(uint64_t) va; /* addresses of good lines */
	VEC(uint32_t) index;
	struct buf text, out;
	uint64_t n_bad;
	bool bare; /* the file has a build id and no debug information: its debug file is elsewhere */
	bool has_line; /* so has an answer */
};

/* --- one answer ------------------------------------------------------------------------------- */

/* "+0x..." and "+sub_..." are kiln's names for unnamed addresses. */
static bool has_name(const struct sym_result *r, const struct sym_frame *f)
{
	bool outer = f == &r->frames[r->n_frames - 1];

	return !outer || r->reason == SYM_OK;
}

static const char *function_of(const struct addresses_opts *o, const struct sym_result *r,
			       const struct sym_frame *f)
{
	if (!has_name(r, f))
		return NULL;
	return o->no_demangle ? f->raw_name : f->name;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* "??:0" if nothing is known, "FILE:?" if only the line is unknown, like addr2line and
 * llvm-symbolizer. */
static void add_place(struct buf *b, const struct addresses_opts *o, const struct sym_frame *f)
{
	if (!f->file) {
		buf_str(b, "??:0");
		return;
	}
	buf_str(b, o->basenames ? last_component(f->file) : f->file);
	if (!f->line) {
		buf_str(b, ":?");
		return;
	}
	buf_char(b, ':');
	buf_dec(b, f->line);
}

static void add_text(struct buf *b, const struct addresses_opts *o, const struct sym_result *r,
		     uint64_t asked)
{
	size_t n = o->no_inlines ? 1 : r->n_frames;

	if (o->addresses) {
		buf_str(b, "0x");
		buf_hex(b, asked, 16);
		buf_str(b, o->pretty ? ": " : "\n");
	}
	for (size_t i = 0; i < n; i++) {
		const struct sym_frame *f = &r->frames[i];

		if (i && o->pretty)
			buf_str(b, " (inlined by) ");
		if (!o->no_functions) {
			buf_str(b, function_of(o, r, f) ?: "??");
			buf_str(b, o->pretty ? " at " : "\n");
		}
		add_place(b, o, f);
		buf_char(b, '\n');
	}
}

static void add_json_frame(struct json *j, const struct sym_result *r, const struct sym_frame *f)
{
	json_open(j, '{');
	json_key_text(j, "function", f->name);
	if (strcmp(f->name, f->raw_name) != 0)
		json_key_text(j, "symbol", f->raw_name);
	if (f->file)
		json_key_text(j, "file", f->file);
	if (f->line)
		json_key_uint(j, "line", f->line);
	if (f->start_line)
		json_key_uint(j, "start_line", f->start_line);
	json_key_bool(j, "inlined", f != &r->frames[r->n_frames - 1]);
	json_close(j, '}');
}

static void add_json(struct buf *b, const struct sym_result *r, uint64_t asked)
{
	struct json j = {.out = b};
	char address[24];

	snprintf(address, sizeof(address), "0x%" PRIx64, asked);
	json_open(&j, '{');
	json_key_text(&j, "address", address);
	json_key_open(&j, "frames", '[');
	for (size_t i = 0; i < r->n_frames; i++)
		if (has_name(r, &r->frames[i]) || r->frames[i].file)
			add_json_frame(&j, r, &r->frames[i]);
	json_close(&j, ']');
	if (r->reason != SYM_OK)
		json_key_text(&j, "reason", sym_reason_text(r->reason));
	json_close(&j, '}');
	buf_char(b, '\n');
}

static void on_answer(void *ctx, size_t index, const struct sym_result *r)
{
	struct answering *a = ctx;
	struct asked *q = &a->asked.data[a->index.data[index]];

	q->at = a->text.len;
	for (size_t i = 0; i < r->n_frames; i++)
		a->has_line |= r->frames[i].file != NULL;
	if (a->o->json)
		add_json(&a->text, r, q->va);
	else
		add_text(&a->text, a->o, r, q->va);
	q->len = a->text.len - q->at;
}

static void answer_bad(struct answering *a, struct asked *q)
{
	const struct sym_frame frame = {.name = "??", .raw_name = "??"};
	const struct sym_result r = {.reason = SYM_NO_SYMBOL, .frames = &frame, .n_frames = 1};

	q->at = a->text.len;
	if (a->o->json)
		buf_str(&a->text, "{\"address\":null,\"frames\":[],"
				  "\"reason\":\"not a hexadecimal address\"}\n");
	else
		add_text(&a->text, a->o, &r, 0);
	q->len = a->text.len - q->at;
}

/* --- a batch ---------------------------------------------------------------------------------- */

static bool parse_address(const char *s, size_t len, uint64_t *va)
{
	uint64_t v = 0;

	if (len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		s += 2;
		len -= 2;
	}
	if (!len || len > 16)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i] | 0x20; /* to lower case; digits have this bit already */

		if (s[i] >= '0' && s[i] <= '9')
			v = v << 4 | (uint64_t)(s[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*va = v;
	return true;
}

static int ask(struct answering *a, const char *s, size_t len)
{
	struct asked q = {0};

	while (len && strchr(" \t\r", s[len - 1]))
		len--;
	while (len && strchr(" \t", *s)) {
		s++;
		len--;
	}
	q.bad = !parse_address(s, len, &q.va);
	a->n_bad += q.bad;
	if (!q.bad &&
	    (vec_push(&a->va, q.va + a->base) || vec_push(&a->index, (uint32_t)a->asked.len)))
		return -ENOMEM;
	return vec_push(&a->asked, q);
}

static int write_out(struct answering *a)
{
	int err = a->out.err;

	if (!err && io_write(STDOUT_FILENO, a->out.data, a->out.len)) {
		log_error("cannot write to standard output: %s", strerror(errno));
		err = -EIO;
	}
	buf_clear(&a->out);
	return err;
}

/* Results come in any order. Answers are printed in the order of input. */
static int answer(struct answering *a)
{
	int err = 0;

	if (a->va.len)
		err = symbolizer_resolve_va(a->symbolizer, &a->file, a->va.data, a->va.len,
					    on_answer, a)
			      ?: a->text.err;
	for (size_t i = 0; i < a->asked.len && !err; i++) {
		struct asked *q = &a->asked.data[i];

		if (q->bad)
			answer_bad(a, q);
		buf_add(&a->out, a->text.data + q->at, q->len);
		err = a->text.err;
		if (!err && a->out.len >= WRITE_BYTES)
			err = write_out(a);
	}
	a->asked.len = a->va.len = a->index.len = 0;
	buf_clear(&a->text);
	return err ?: write_out(a);
}

/* --- standard input --------------------------------------------------------------------------- */

struct input {
	char data[READ_BYTES];
	size_t len;
	bool end;
	bool skipping; /* skips the rest of a line that is too long */
};

/* Answers all complete lines, at the end of input also the last one. */
static int take_lines(struct answering *a, struct input *in)
{
	char *at = in->data, *nl;
	int err = 0;

	while ((nl = memchr(at, '\n', in->len - (size_t)(at - in->data))) && !err) {
		err = in->skipping ? ask(a, "", 0) : ask(a, at, (size_t)(nl - at));
		in->skipping = false;
		at = nl + 1;
	}
	in->len -= (size_t)(at - in->data);
	memmove(in->data, at, in->len);
	if (in->end && (in->len || in->skipping)) {
		err = err ?: ask(a, in->data, in->len);
		in->len = 0;
	} else if (in->len == sizeof(in->data)) {
		in->skipping = true;
		in->len = 0;
	}
	return err;
}

static int read_more(struct input *in)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, in->data + in->len, sizeof(in->data) - in->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	in->len += (size_t)n;
	in->end = !n;
	return 0;
}

static bool more_is_there(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* A program that writes one line and waits gets its answer. One that writes many lines gets
 * batches. */
static int answer_stdin(struct answering *a)
{
	_cleanup_free_ struct input *in = calloc(1, sizeof(*in));
	int err = in ? 0 : -ENOMEM;

	while (!err && !in->end) {
		do
			err = read_more(in) ?: take_lines(a, in);
		while (!err && !in->end && a->asked.len < BATCH_LINES && more_is_there());
		err = err ?: answer(a);
	}
	return err;
}

static int answer_words(struct answering *a, const struct command *cmd, char *const *words, int n)
{
	int err = 0;

	for (int i = 0; i < n && !err; i++)
		err = ask(a, words[i], strlen(words[i]));
	for (int i = 0; i < n && !err; i++)
		if (a->asked.data[i].bad) {
			usage_error(cmd, "\"%s\" is not a hexadecimal address", words[i]);
			return -EINVAL;
		}
	return err ?: answer(a);
}

/* --- the file --------------------------------------------------------------------------------- */

static const char *elf_problem(int err)
{
	return err == -ENOEXEC	 ? "not an ELF file that kiln can read"
	       : err == -EBADMSG ? "the ELF file is malformed"
	       : err == -EINVAL	 ? "not a regular file"
				 : strerror(-err);
}

/* Start of the section. -ENOENT: there is none. */
static int base_of(struct elf_obj *obj, const char *section, uint64_t *base)
{
	const struct elf_section *s;

	*base = 0;
	if (!section && elf_obj_type(obj) != ET_REL)
		return 0;
	s = elf_obj_section(obj, section ? section : ".text");
	if (s)
		*base = s->va;
	return s ? 0 : -ENOENT;
}

static bool is_bare(struct elf_obj *obj)
{
	return elf_obj_build_id(obj)->len && !elf_obj_section(obj, ".debug_info") &&
	       !elf_obj_section(obj, ".zdebug_info");
}

/* EXIT_OK with file.fd and base set, or an exit code. */
static int open_file(struct answering *a, const struct command *cmd)
{
	int fd = open(a->o->exe, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	struct elf_obj *obj;

	a->file.fd = fd;
	if (fd < 0) {
		log_error("%s: %s", a->o->exe, strerror(errno));
		return EXIT_ERROR;
	}
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	err = fd < 0 ? -errno : elf_obj_open(&obj, fd, NULL);
	if (err) {
		log_error("%s: %s", a->o->exe, elf_problem(err));
		return EXIT_ERROR;
	}
	err = base_of(obj, a->o->section, &a->base);
	a->bare = is_bare(obj);
	elf_obj_free(obj);
	if (err)
		return usage_error(cmd, "%s has no section %s", a->o->exe,
				   a->o->section ? a->o->section : ".text");
	return EXIT_OK;
}

static void ignore(void *ctx, size_t index, const struct sym_result *r)
{
	(void)ctx;
	(void)index;
	(void)r;
}

/* With debuginfod: the first look-up of any address asks for the debug file, and the next one
 * finds it. */
static int open_symbolizer(struct answering *a, const struct symbolizer_opts *opts)
{
	int err = symbolizer_new(&a->symbolizer, opts);

	if (err || !a->o->wait)
		return err;
	err = symbolizer_resolve_va(a->symbolizer, &a->file, &a->base, 1, ignore, NULL);
	if (err || !a->o->wait(a->o->wait_ctx))
		return err;
	symbolizer_free(a->symbolizer);
	a->symbolizer = NULL;
	return symbolizer_new(&a->symbolizer, opts);
}

static int run(struct answering *a, const struct command *cmd, char *const *words, int n)
{
	struct symbolizer_opts opts = *a->o->symbolizer;
	int err;

	opts.cache_bytes = CACHE_BYTES;
	opts.names_only = false;
	err = open_symbolizer(a, &opts);
	err = err ?: n ? answer_words(a, cmd, words, n) : answer_stdin(a);
	if (a->n_bad && !n)
		log_warning("%" PRIu64 " line%s of the input %s not hexadecimal", a->n_bad,
			    a->n_bad == 1 ? "" : "s", a->n_bad == 1 ? "is" : "are");
	if (!err && a->bare && !a->has_line && !a->o->wait)
		fetch_advise("no debug information here");
	if (err == -EINVAL && n)
		return EXIT_USAGE; /* already reported */
	if (err && err != -EIO)	   /* -EIO was reported already */
		log_error("%s: %s", cmd->name, strerror(-err));
	return err ? EXIT_ERROR : EXIT_OK;
}

int addresses_run(const struct command *cmd, const struct addresses_opts *o, char *const *words,
		  int n)
{
	/* Debug files are near the file's real path. */
	_cleanup_free_ char *path = realpath(o->exe, NULL);
	struct answering a = {
		.o = o,
		.file = {.fd = -1, .root_fd = -1, .path = path ?: o->exe},
	};
	int code = open_file(&a, cmd);

	if (code == EXIT_OK)
		code = run(&a, cmd, words, n);
	if (a.file.fd >= 0)
		close(a.file.fd);
	symbolizer_free(a.symbolizer);
	vec_release(&a.asked);
	vec_release(&a.va);
	vec_release(&a.index);
	buf_release(&a.text);
	buf_release(&a.out);
	return code;
}
