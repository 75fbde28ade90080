// SPDX-License-Identifier: GPL-2.0-or-later
/* From an aggregate to a profile: names, labels, and what the profile knows of its own quality. */
#include "tests/lib/named_files.h"

#include <errno.h>

#include "profiler/base/text.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/profile/quality.h"
#include "tests/lib/aggregates.h"
#include "tests/lib/proc_table.h"
#include "tests/lib/windows.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define KERNEL_VA 0xffffffff81000123ull

static struct named_files nf;
static struct aggregate agg;
static struct naming *naming;
static struct quality quality;
static struct profile *profile;

static int begin(void **state)
{
	(void)state;
	named_open(&nf, NULL, false);
	agg = (struct aggregate){0};
	quality = (struct quality){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	aggregate_clear(&agg);
	quality_release(&quality);
	profile_free(profile);
	profile = NULL;
	naming_free(naming);
	naming = NULL;
	named_close(&nf);
	return 0;
}

static struct profile *name_by(struct naming *n, struct quality *q)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	assert_int_equal(naming_run(n, &agg, p, q), 0);
	return p;
}

static void name_with(const struct naming_opts *opts)
{
	assert_int_equal(naming_new(&naming, opts), 0);
	profile = name_by(naming, &quality);
}

static void name_all(void)
{
	struct naming_opts opts = named_opts(&nf);

	name_with(&opts);
}

/* One sample of one user stack. */
static void sample(uint64_t count, enum unwind_end end, const struct agg_frame *frames, uint32_t n)
{
	agg_count(&agg, agg_stack_of(&agg, end, 0, frames, n), 100, "comm", count);
}

/* --- frames -------------------------------------------------------------------------------------- */

TEST(test_functions_lines_and_inlined_calls)
{
	uint32_t file = named_file(&nf, "prog");
	uint64_t off = inlined_off("prog"), main_off = file_off_of_symbol("prog", "main");
	const struct profile_location *l;
	const struct profile_mapping *m;
	struct elf_segment seg;
	struct elf_obj *obj;
	char hex[2 * BUILD_ID_MAX + 1];

	sample(1, UNWIND_END_ROOT, AGG_FRAMES({AT_FILE, file, off}, {AT_FILE, file, main_off}));
	name_all();
	assert_int_equal(profile->samples.len, 1);
	assert_string_equal(stack_text(profile, 0), "twice:2<shown:3;main:4");
	l = frame_of(profile, 0, 0);
	assert_int_equal(elf_obj_open(&obj, fixture_open("prog"), NULL), 0);
	seg = *elf_obj_segment_at_va(obj, fixture_nm("prog", "main"));
	text_hex(elf_obj_build_id(obj)->data, elf_obj_build_id(obj)->len, hex);
	elf_obj_free(obj);
	assert_int_equal(l->address, seg.va + off - seg.file_off);
	m = &profile->mappings.data[l->mapping];
	assert_string_equal(profile_text(profile, m->file), fixture_at("prog"));
	assert_string_equal(profile_text(profile, m->build_id), hex);
	assert_int_equal(m->start, seg.va);
	assert_int_equal(m->limit, seg.va + seg.mem_len);
	assert_int_equal(m->offset, seg.file_off);
	assert_true(m->has_functions && m->has_filenames && m->has_line_numbers &&
		    m->has_inline_frames);
	assert_string_equal(
		strrchr(profile_text(
				profile,
				profile->functions.data[profile->lines.data[l->first_line].function]
					.file),
			'/'),
		"/prog.c");
}

TEST(test_names_only)
{
	struct naming_opts opts;
	uint32_t file;

	named_close(&nf);
	named_open(&nf, NULL, true);
	opts = named_opts(&nf);
	opts.names_only = true;
	file = named_file(&nf, "prog");
	sample(1, UNWIND_END_ROOT, AGG_FRAMES({AT_FILE, file, inlined_off("prog")}));
	name_with(&opts);
	assert_string_equal(stack_text(profile, 0), "shown");
	assert_false(profile->mappings.data[frame_of(profile, 0, 0)->mapping].has_line_numbers);
}

/*
 * The whole way of a stack whose caller ends with its call: the return address is the first byte of a
 * function that has nothing to do with it.
 */
TEST(test_callers_of_what_never_returns)
{
	uint32_t file = named_file(&nf, "prog");
	uint64_t shown = fixture_nm("prog", "shown"), main_va = fixture_nm("prog", "main");
	uint64_t neighbour = fixture_nm("prog", "innocent_neighbour");
	uint64_t page = neighbour & ~4095ull;
	struct procs *procs = new_table(NULL);
	struct window *w = new_window();

	/* both have the same segment: the program is not position independent */
	map(procs, 1 * SEC, 100, page - 0x10000, 0x20000, file_off_of("prog", page) - 0x10000,
	    file);
	add_row(w, 2 * SEC, 1,
		(struct kiln_count_key){
			.tgid = 100,
			user_only(user_stack(w, UNWIND_END_ROOT, shown, neighbour, main_va + 1))});
	aggregate_window(&agg, w, procs, nf.ksyms);
	window_free(w);
	procs_free(procs);
	name_all();
	assert_string_equal(stack_text(profile, 0), "shown:3;last_words:5;main:4");
	assert_int_equal(frame_of(profile, 0, 1)->address, neighbour - 1);
}

/* By its function's start, where there is no symbol. */
TEST(test_functions_without_symbols)
{
	uint32_t file = named_file(&nf, "stripped");
	uint64_t off = file_off_of_symbol("prog", "shown") + 2;
	char want[64];

	sample(1, UNWIND_END_ROOT, AGG_FRAMES({AT_FILE, file, off}));
	name_all();
	snprintf(want, sizeof(want), "stripped+sub_%" PRIx64, fixture_nm("prog", "shown"));
	assert_string_equal(stack_text(profile, 0), want);
	assert_int_equal(quality.frames, 1);
	assert_int_equal(quality.frames_fde, 1);
	assert_int_equal(quality.frames_named, 0);
}

#define MANY 700

/* The offsets of functions "f0", "f1", ... */
static void read_offsets(const char *name, uint64_t *offs)
{
	uint64_t first = fixture_nm(name, "f0"), bias = first - file_off_of(name, first);
	char cmd[64];
	unsigned i;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "nm %s | sed -n 's/ [Tt] f\\([0-9]\\)/ \\1/p'", name);
	f = popen(cmd, "re");
	assert_non_null(f);
	for (uint64_t va; fscanf(f, "%" SCNx64 " %u", &va, &i) == 2;)
		offs[i] = va - bias;
	pclose(f);
}

/* More than is asked about at once, of two files, in no order. */
TEST(test_many_functions)
{
	static const char *const files[] = {"many1", "many2"};
	uint64_t offs[2][MANY] = {0};
	struct buf source = {0};
	uint32_t ids[2];

	for (int i = 0; i < MANY; i++)
		buf_printf(&source, "int f%d(int x) { return x * %d; }\n", i, i);
	fixture_write("many.c", buf_cstr(&source));
	buf_release(&source);
	fixture_run(
		"gcc -O1 -shared -fPIC many.c -o many1 && gcc -O0 -shared -fPIC many.c -o many2");
	for (int k = 0; k < 2; k++) {
		ids[k] = named_file(&nf, files[k]);
		read_offsets(files[k], offs[k]);
	}
	for (uint64_t i = 0; i < 2 * MANY; i++) {
		uint64_t at = i * 997 % (2 * MANY);

		sample(1 + at, UNWIND_END_ROOT,
		       AGG_FRAMES({AT_FILE, ids[at / MANY], offs[at / MANY][at % MANY]}));
	}
	name_all();
	assert_int_equal(profile->samples.len, 2 * MANY);
	for (size_t i = 0; i < 2 * MANY; i++) {
		int64_t at = profile->values.data[profile->samples.data[i].first_value] - 1;
		char want[16];

		snprintf(want, sizeof(want), "f%d", (int)(at % MANY));
		assert_string_equal(stack_text(profile, i), want);
		assert_string_equal(mapping_file_of(profile, frame_of(profile, i, 0)),
				    fixture_at(files[at / MANY]));
	}
}

/* Frames that lie in no file have address 0: no address of the kernel leaves the host. */
TEST(test_frames_outside_files)
{
	static const struct {
		enum frame_class cls;
		const char *mapping, *name;
	} cases[] = {
		{AT_UNMAPPED, MAPPING_UNKNOWN, "[unknown]"},
		{AT_NO_PROCESS, MAPPING_UNKNOWN, "[unknown]"},
		{AT_MISSED_USER, MAPPING_KILN, FRAME_MISSED_USER},
		{AT_MISSED_KERNEL, MAPPING_KILN, FRAME_MISSED_KERNEL},
		{AT_USER_ELIDED, MAPPING_KILN, "[user]"},
		{AT_KERNEL_ELIDED, MAPPING_KILN, "[kernel]"},
		{AT_KSYM, "[bpf]", "bpf_prog_1234_mine"},
		{AT_ANON, MAPPING_JIT, MAPPING_JIT},
	};
	uint32_t ksym;

	ksyms_begin(nf.ksyms, 1, KERNEL_VA, 0x100, "bpf_prog_1234_mine");
	ksym = ksyms_find(nf.ksyms, 2, KERNEL_VA);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct agg_frame f = {cases[i].cls, cases[i].cls == AT_KSYM ? ksym : UINT32_MAX,
				      KERNEL_VA};

		sample(1 << i, UNWIND_END_ROOT, &f, 1);
	}
	name_all();
	for (size_t i = 0; i < profile->samples.len; i++) {
		int64_t value = profile->values.data[profile->samples.data[i].first_value];
		/* the first two are one sample */
		const int at = __builtin_ffsll(value) - 1;
		const struct profile_location *l = frame_of(profile, i, 0);

		assert_int_equal(l->address, 0);
		assert_string_equal(mapping_file_of(profile, l), cases[at].mapping);
		assert_string_equal(stack_text(profile, i), cases[at].name);
	}
	assert_int_equal(profile->samples.len, sizeof(cases) / sizeof(*cases) - 1);
}

TEST(test_the_kernel_and_the_vdso)
{
	struct agg_frame kernel = {AT_KERNEL, 0, KERNEL_VA}, vdso = {AT_VDSO, 0, 0x10};

	agg_count(&agg, agg_stack_of(&agg, UNWIND_ON, 1, &kernel, 1), 1, "", 1);
	sample(2, UNWIND_END_ROOT, &vdso, 1);
	name_all();
	assert_int_equal(frame_of(profile, 0, 0)->address, 0);
	assert_int_equal(profile_frame_kind(profile, profile->frames.data[0]), FRAME_KERNEL);
	assert_string_equal(mapping_file_of(profile, frame_of(profile, 1, 0)), MAPPING_VDSO);
}

/* A pprof reader takes the first mapping for the program. */
TEST(test_the_busiest_program_comes_first)
{
	uint32_t lib = named_file(&nf, "stripped"), exe = named_file(&nf, "prog");
	struct agg_exe exes[] = {{lib, 10}, {exe, 11}, {lib + 7, 2}};

	sample(9, UNWIND_END_ROOT, AGG_FRAMES({AT_KSYM, 0, 1}, {AT_FILE, lib, 0x1000}));
	sample(1, UNWIND_END_ROOT, AGG_FRAMES({AT_FILE, exe, 0x1000}));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(vec_push(&agg.exes, exes[i]), 0);
	name_all();
	assert_string_equal(profile_text(profile, profile->mappings.data[0].file),
			    fixture_at("prog"));
}

/* --- samples ------------------------------------------------------------------------------------- */

static const char *label(size_t at, const char *key)
{
	const struct profile_label *l =
		profile_find_label(profile, profile->samples.data[at].labelset, key);
	static char number[32];

	if (!l)
		return NULL;
	if (l->str != PROFILE_NONE)
		return profile_text(profile, l->str);
	snprintf(number, sizeof(number), "%" PRId64, l->num);
	return number;
}

TEST(test_values_and_labels)
{
	static const char *const user_labels[] = {"env=prod", "a=b=c", "none=", NULL};
	struct agg_frame f = {AT_UNMAPPED, 0, 1};
	struct naming_opts opts = named_opts(&nf);

	sample(3, UNWIND_END_ROOT, &f, 1);
	memcpy(agg.samples.data[0].comm, "sixteen letters!", KILN_COMM_LEN);
	opts.user_labels = user_labels;
	name_with(&opts);
	assert_int_equal(profile->samples.len, 1);
	assert_int_equal(profile->values.data[0], 3);
	assert_int_equal(profile->values.data[1], 3000);
	assert_string_equal(label(0, LABEL_PID), "100");
	assert_string_equal(label(0, LABEL_TID), "101");
	assert_string_equal(label(0, LABEL_COMM), "sixteen letters!");
	assert_string_equal(label(0, "env"), "prod");
	assert_string_equal(label(0, "a"), "b=c");
	assert_null(label(0, "none"));
	assert_null(label(0, LABEL_CGROUP));
	assert_null(label(0, LABEL_UNIT));
}

/* As many as fit are all there; one more is refused, and none is dropped. */
TEST(test_many_labels)
{
	static char texts[NAMING_USER_LABELS_MAX + 1][16];
	const char *labels[NAMING_USER_LABELS_MAX + 2] = {0};
	struct agg_frame f = {AT_UNMAPPED, 0, 1};
	struct naming_opts opts = named_opts(&nf);
	struct naming *n;

	for (size_t i = 0; i <= NAMING_USER_LABELS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "k%zu=v%zu", i, i);
		labels[i] = texts[i];
	}
	opts.user_labels = labels;
	assert_int_equal(naming_new(&n, &opts), -E2BIG);
	labels[NAMING_USER_LABELS_MAX] = NULL;
	sample(1, UNWIND_END_ROOT, &f, 1);
	name_with(&opts);
	assert_string_equal(label(0, LABEL_PID), "100");
	assert_string_equal(label(0, "k0"), "v0");
	assert_string_equal(label(0, "k57"), "v57");
}

/* A cgroup's number is that of its directory. */
TEST(test_labels_of_cgroups)
{
	struct agg_frame f = {AT_UNMAPPED, 0, 1};
	struct naming_opts opts = named_opts(&nf);
	char name[32], path[256];
	struct stat st;

	snprintf(name, sizeof(name), "/kiln-test-%d", getpid());
	if (!cgroups_new(&opts.cgroups))
		snprintf(path, sizeof(path), "%s%s", cgroups_mount(opts.cgroups), name);
	if (!opts.cgroups || mkdir(path, 0755)) {
		print_message("[ REASON   ] no cgroup can be made here\n");
		cgroups_free(opts.cgroups);
		skip();
	}
	assert_int_equal(stat(path, &st), 0);
	sample(1, UNWIND_END_ROOT, &f, 1);
	agg.samples.data[0].cgroup_id = st.st_ino;
	sample(2, UNWIND_END_ROOT, &f, 1);
	agg.samples.data[1].cgroup_id = UINT64_MAX; /* nobody knows it */
	assert_int_equal(stat(cgroups_mount(opts.cgroups), &st), 0);
	sample(3, UNWIND_END_ROOT, &f, 1);
	agg.samples.data[2].cgroup_id = st.st_ino; /* the root says nothing */
	name_with(&opts);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(profile->samples.len, 2);
	assert_string_equal(label(0, LABEL_CGROUP), name);
	assert_null(label(1, LABEL_CGROUP));
	naming_free(naming);
	naming = NULL;
	cgroups_free(opts.cgroups);
}

/* Threads of the same stack are samples of their own, and the same frames are one stack. */
TEST(test_samples_of_one_stack)
{
	uint32_t stack = agg_stack_of(&agg, UNWIND_END_ROOT, 0, AGG_FRAMES({AT_UNMAPPED, 0, 1}));

	agg_count(&agg, stack, 100, "a", 1);
	agg_count(&agg, stack, 100, "b", 2);
	agg_count(&agg, stack, 200, "a", 3);
	name_all();
	assert_int_equal(profile->samples.len, 3);
	assert_int_equal(profile->stacks.len, 1);
	assert_int_equal(total_of_type(profile, 0), 6);
	assert_int_equal(total_of_type(profile, 1), 6000);
}

/* What was held back for the next window leaves nothing in this one. */
TEST(test_samples_that_were_held_back)
{
	struct agg_frame f = {AT_UNMAPPED, 0, 1}, g = {AT_ANON, UINT32_MAX, 1};

	sample(0, UNWIND_ON, &g, 1);
	sample(3, UNWIND_ON, &f, 1);
	name_all();
	assert_int_equal(profile->samples.len, 1);
	assert_string_equal(stack_text(profile, 0), "[unknown];[truncated]");
	assert_int_equal(quality.frames, 3);
}

/* --- quality ------------------------------------------------------------------------------------- */

enum judged { COMPLETE = 1, CUT, MISSING, NO_USER };

struct judged_case {
	struct agg_frame frames[4];
	uint32_t n, n_kernel;
	enum unwind_end end;
	enum judged judged;
	const char *want;
};

static void check_judged(const struct judged_case *c, uint32_t ksym)
{
	struct agg_frame frames[4];
	int ends = c->judged == CUT ? (int)c->end : -1;

	memcpy(frames, c->frames, sizeof(frames));
	for (int k = 0; k < 4; k++)
		if (frames[k].cls == AT_KSYM)
			frames[k].owner = ksym;
	agg = (struct aggregate){0}, quality = (struct quality){0};
	agg_count(&agg, agg_stack_of(&agg, c->end, c->n_kernel, frames, c->n), 1, "", 7);
	name_all();
	assert_string_equal(stack_text(profile, 0), c->want);
	assert_int_equal(quality.user_complete, c->judged == COMPLETE ? 7 : 0);
	assert_int_equal(quality.user_truncated, c->judged == CUT ? 7 : 0);
	assert_int_equal(quality.user_missing, c->judged == MISSING ? 7 : 0);
	assert_int_equal(quality.ends_chain, ends == UNWIND_END_CHAIN ? 7 : 0);
	assert_int_equal(quality.ends_zero, ends == UNWIND_END_ZERO ? 7 : 0);
	assert_int_equal(quality.ends_uprobe, ends == UNWIND_END_UPROBE ? 7 : 0);
	assert_int_equal(quality.ends_compat, ends == UNWIND_END_COMPAT ? 7 : 0);
	assert_int_equal(quality.ends_leaf, ends == UNWIND_END_LEAF ? 7 : 0);
	assert_int_equal(quality.kernel_missing, frames[0].cls == AT_MISSED_KERNEL ? 7 : 0);
	profile_free(profile);
	naming_free(naming);
	profile = NULL, naming = NULL;
	quality_release(&quality);
	aggregate_clear(&agg);
}

TEST(test_stacks_are_judged)
{
	uint32_t file = named_file(&nf, "prog");
	struct agg_frame shown = {AT_FILE, file, file_off_of_symbol("prog", "shown")},
			 start = {AT_FILE, file, file_off_of_symbol("prog", "_start")},
			 main_fn = {AT_FILE, file, file_off_of_symbol("prog", "main")},
			 cut = {AT_TRUNCATED}, kernel = {AT_KSYM, 0, 1}, nowhere = {AT_UNMAPPED},
			 no_user = {AT_MISSED_USER}, no_kernel = {AT_MISSED_KERNEL},
			 elided = {AT_USER_ELIDED};
	const struct judged_case cases[] = {
		/* the walk says so, or the function that nothing calls */
		{{shown, main_fn}, 2, 0, UNWIND_END_ROOT, COMPLETE, "shown:3;main:4"},
		{{shown, start}, 2, 0, UNWIND_ON, COMPLETE, "shown:3;_start"},
		{{shown, start}, 2, 0, UNWIND_END_NO_RULE, COMPLETE, "shown:3;_start"},
		/* else it is cut, and shows it once */
		{{shown, main_fn}, 2, 0, UNWIND_ON, CUT, "shown:3;main:4;[truncated]"},
		{{start, shown}, 2, 0, UNWIND_END_NO_RULE, CUT, "_start;shown:3;[truncated]"},
		{{shown, main_fn, cut}, 3, 0, UNWIND_ON, CUT, "shown:3;main:4;[truncated]"},
		{{shown, cut}, 2, 0, UNWIND_END_NO_MAPPING, CUT, "shown:3;[truncated]"},
		/* zeros are no root, but they may come behind one */
		{{shown, main_fn}, 2, 0, UNWIND_END_CHAIN, CUT, "shown:3;main:4;[truncated]"},
		{{shown, main_fn}, 2, 0, UNWIND_END_ZERO, CUT, "shown:3;main:4;[truncated]"},
		{{shown, main_fn}, 2, 0, UNWIND_END_UPROBE, CUT, "shown:3;main:4;[truncated]"},
		{{shown, start}, 2, 0, UNWIND_END_CHAIN, COMPLETE, "shown:3;_start"},
		{{nowhere}, 1, 0, UNWIND_ON, CUT, "[unknown];[truncated]"},
		{{kernel, shown, start}, 3, 1, UNWIND_END_LEAF, CUT, "k;shown:3;_start"},
		/* what is missing in the middle leaves the root what it is */
		{{shown, cut, start},
		 3,
		 0,
		 UNWIND_END_DEEP,
		 COMPLETE,
		 "shown:3;[truncated];_start"},
		{{kernel, shown, main_fn}, 3, 1, UNWIND_END_ROOT, COMPLETE, "k;shown:3;main:4"},
		{{kernel, shown}, 2, 1, UNWIND_END_SLICE, CUT, "k;shown:3;[truncated]"},
		{{kernel, no_user}, 2, 1, UNWIND_ON, MISSING, "k;[missed user stack]"},
		{{no_user}, 1, 0, UNWIND_ON, MISSING, "[missed user stack]"},
		{{no_kernel, no_user},
		 2,
		 1,
		 UNWIND_ON,
		 MISSING,
		 "[missed kernel stack];[missed user stack]"},
		{{kernel}, 1, 1, UNWIND_ON, NO_USER, "k"},
		{{elided}, 1, 0, UNWIND_ON, NO_USER, "[user]"},
	};

	ksyms_begin(nf.ksyms, 1, KERNEL_VA, 16, "k");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_judged(&cases[i], ksyms_find(nf.ksyms, 2, KERNEL_VA));
}

TEST(test_roots_are_whole_names)
{
	static const char *const names[] = {"_start", "start_thread", "__libc_start_main",
					    "clone3"};
	static const char *const not_names[] = {"_start_it", "my_start_thread", "clone33"};
	uint32_t file;

	fixture_write("roots.c", "#define F(name) int name(int x) { return x; }\n"
				 "F(_start) F(start_thread) F(__libc_start_main) F(clone3)"
				 "F(_start_it) F(my_start_thread) F(clone33)");
	fixture_run("gcc -O1 -fno-builtin -shared -fPIC -nostdlib roots.c -o roots");
	file = named_file(&nf, "roots");
	for (size_t i = 0; i < 4; i++)
		sample(1, UNWIND_ON,
		       AGG_FRAMES({AT_FILE, file, file_off_of_symbol("roots", names[i])}));
	for (size_t i = 0; i < 3; i++)
		sample(100, UNWIND_ON,
		       AGG_FRAMES({AT_FILE, file, file_off_of_symbol("roots", not_names[i])}));
	/* Any program may have a function of that name: a walk that knows why it ended knows better. */
	for (size_t i = 1; i < 3; i++)
		sample(1000, UNWIND_END_NO_RULE,
		       AGG_FRAMES({AT_FILE, file, file_off_of_symbol("roots", names[i])}));
	name_all();
	assert_int_equal(quality.user_complete, 1004);
	assert_int_equal(quality.user_truncated, 1300);
}

/* Frames count by their samples; those that are no frames of the program do not. */
TEST(test_frames_are_counted)
{
	uint32_t file = named_file(&nf, "prog"), stripped = named_file(&nf, "stripped");
	uint64_t shown = file_off_of_symbol("prog", "shown");

	sample(10, UNWIND_ON,
	       AGG_FRAMES({AT_FILE, file, shown}, {AT_FILE, file, shown}, {AT_TRUNCATED}));
	sample(100, UNWIND_ON, AGG_FRAMES({AT_FILE, stripped, shown}, {AT_UNMAPPED, 0, 1}));
	sample(1000, UNWIND_ON, AGG_FRAMES({AT_MISSED_USER}));
	name_all();
	assert_int_equal(quality.frames, 2 * 10 + 2 * 100);
	assert_int_equal(quality.frames_named, 2 * 10);
	assert_int_equal(quality.frames_fde, 100);
	assert_int_equal(quality.recorded, 0); /* the caller's */
}

static void count_tick(void *ctx)
{
	++*(unsigned *)ctx;
}

TEST(test_ticks)
{
	struct naming_opts opts = named_opts(&nf);
	uint32_t file = named_file(&nf, "prog");
	unsigned ticks = 0;

	for (uint64_t i = 0; i < 3000; i++)
		sample(1, UNWIND_ON, AGG_FRAMES({AT_FILE, file, i}));
	opts.tick = count_tick;
	opts.tick_ctx = &ticks;
	name_with(&opts);
	assert_in_range(ticks, 3000 / 512, 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_functions_lines_and_inlined_calls),
		T(test_names_only),
		T(test_callers_of_what_never_returns),
		T(test_functions_without_symbols),
		T(test_many_functions),
		T(test_frames_outside_files),
		T(test_the_kernel_and_the_vdso),
		T(test_the_busiest_program_comes_first),
		T(test_values_and_labels),
		T(test_many_labels),
		T(test_labels_of_cgroups),
		T(test_samples_of_one_stack),
		T(test_samples_that_were_held_back),
		T(test_stacks_are_judged),
		T(test_roots_are_whole_names),
		T(test_frames_are_counted),
		T(test_ticks),
	};

	return cmocka_run_group_tests_name("naming", tests, named_files_setup, fixture_teardown);
}
