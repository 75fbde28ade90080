// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/naming/made_code.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "profiler/files/files.h"
#include "profiler/naming/naming_internal.h"
#include "profiler/profile/interpreters.h"
#include "profiler/window/aggregate.h"

/* Programs that make code at run time: options that give it names and walkable frames. */
static const struct maker {
	const char *exe, *names, *frames; /* names, frames: NULL: it has no such option */
	bool both;			  /* one option gives both */
	unsigned since; /* the version that has the option for names, 100 * major + minor; 0: any */
	const char *instead; /* of an option for names */
} makers[] = {
	/* the second one names what is interpreted, too, as interpreters.c says */
	{"node", "--perf-basic-prof --interpreted-frames-native-stack",
	 "--interpreted-frames-native-stack", false},
	{"java", "-XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit (JDK 17 and newer)",
	 "-XX:+PreserveFramePointer", false},
	{"dotnet", "DOTNET_PerfMapEnabled=1", NULL, false},
	{"mono", "--jitmap", NULL, false},
	{"php", "-d opcache.jit_debug=16", NULL, false},
	{"beam.smp", "+JPperf true (OTP 25 and newer)", "+JPperf true", true},
	{"python", "-X perf",
	 "-X perf_jit (3.13 and newer), or build it with -fno-omit-frame-pointer", false, 312},
	{"ruby", "--yjit-perf", "--yjit-perf", true, 303},
	{"luajit", NULL, NULL, false, 0,
	 ", and no option to write one (try its own profiler, -jp)"},
	{"", NULL, NULL, false, 0,
	 ", and kiln knows no option of it that writes one (code moved to huge pages has names if "
	 "it stays where it is, that of a packed program if it is unpacked)"},
};

/* Ends that have nothing to do with what a compiler keeps in rbp. */
static bool is_end_of_its_own(enum unwind_end reason)
{
	switch (reason) {
	case UNWIND_END_NO_TABLE:
	case UNWIND_END_SLOW:
	case UNWIND_END_DEEP:
	case UNWIND_END_SLICE:
	case UNWIND_END_UPROBE:
	case UNWIND_END_COMPAT:
	case UNWIND_END_LEAF:
		return true;
	default:
		return false;
	}
}

/* In another pid namespace a program's map has the number that it has there, and lies in its own /tmp. */
static void add_pid(struct buf *b, const char *exe, const struct agg_image *img)
{
	buf_printf(b, "%s pid %d", exe, img->tgid);
	if (img->ns_tgid && img->ns_tgid != img->tgid)
		buf_printf(b, " (%d in its pid namespace, where /tmp/perf-%d.map is looked for)",
			   img->ns_tgid, img->ns_tgid);
}

/* A command of a recording has ended by now, or is a zombie. */
static bool is_running(const struct agg_image *img)
{
	char path[48], exe[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)img->tgid);
	return readlink(path, exe, sizeof(exe)) > 0;
}

/* What a JVM has compiled so far it can write down at any time. */
static void add_jcmd(struct buf *b, const struct agg_image *img)
{
	bool elsewhere = img->ns_tgid && img->ns_tgid != img->tgid;

	buf_printf(b, "`jcmd %d Compiler.perfmap`%s and record again",
		   elsewhere ? img->ns_tgid : img->tgid, elsewhere ? " in its container" : "");
}

static void add_option(struct buf *b, const char *exe, const struct maker *m, const char *option)
{
	interpreter_option(b, option, m->since, interpreter_version(exe, m->exe));
}

/* What is wrong with a map that is there, as perf_map.h says; NULL: another would help. */
static const char *map_fault(int err)
{
	switch (err) {
	case -EPERM:
		return " has a perf map of another user, which is not believed: it has to be of "
		       "the program's user";
	case -EINVAL:
		return " has a perf map that is no regular file, and is not read";
	case -EFBIG:
		return " has a perf map that is larger than kiln reads: 256 MB, or 4 million lines";
	default:
		return NULL;
	}
}

/* map_err: 0, or why there is no map. */
static void add_names_hint(struct buf *b, const char *exe, const struct maker *m, int map_err,
			   const struct agg_image *img)
{
	bool runs = text_has_prefix(exe, "java") && is_running(img);

	add_pid(b, exe, img);
	if (map_fault(map_err)) {
		buf_str(b, map_fault(map_err));
		return;
	}
	if (!map_err) {
		buf_printf(b,
			   runs ? " has compiled more since it wrote its %s: "
				: " has code that its %s does not name",
			   img->jitdump == FILE_NONE ? "perf map" : "jitdump");
		if (runs)
			add_jcmd(b, img);
		return;
	}
	buf_printf(b, " has %s%s",
		   map_err == -EEXIST ? "only a perf map from before it began" : "no perf map",
		   m->names ? ": " : m->instead);
	if (runs)
		add_jcmd(b, img);
	if (!m->names)
		return;
	buf_str(b, runs ? "; or " : "");
	add_option(b, exe, m, m->names);
}

/* Where one option gives both, a perf map tells that it was given. */
static void add_frames_hint(struct buf *b, const char *exe, const struct maker *m, bool has_map,
			    const struct made_code *c)
{
	if (is_end_of_its_own(c->end) || (m->both && has_map)) {
		buf_str(b, c->remedy);
		return;
	}
	buf_printf(b, "%s keeps no frame pointers in code it compiles%s", exe,
		   m->frames ? ": " : "");
	if (m->both)
		add_option(b, exe, m, m->frames);
	else if (m->frames)
		buf_printf(b, "start it with %s", m->frames);
}

/* Of code that keeps frame pointers. In user space, where the first samples of a program are walked, stubs that the
 * kernel half knows by their code are not known. */
#define FEW_CUT                                                                                    \
	"only a few, in stubs and prologues, most of them among the first samples of a program: "  \
	"nothing to do"

static void add_maker_hint(struct buf *b, const char *exe, struct naming *n,
			   const struct made_code *c)
{
	const struct maker *m = makers;
	int map_err = naming_jit_error(n, c->image);

	while (!text_has_prefix(exe, m->exe))
		m++;
	exe = *exe ? exe : "its program";
	if (!c->lacks_names && !c->lacks_frames)
		buf_str(b, is_end_of_its_own(c->end) ? c->remedy : FEW_CUT);
	if (c->lacks_names)
		add_names_hint(b, exe, m, map_err, c->image);
	if (!c->lacks_frames)
		return;
	buf_str(b, c->lacks_names ? "; " : "");
	add_frames_hint(b, exe, m, !map_err || map_err == -EFBIG, c);
}

char *made_code_hint(const struct made_code *c, struct naming *n)
{
	uint32_t file = c->image->exe;
	struct file_view v = {.path = ""};
	const char *exe = "";
	struct buf b = {0};

	if (file != FILE_NONE) {
		files_get(n->opts.files, file, &v);
		exe = strrchr(v.path, '/') ? strrchr(v.path, '/') + 1 : v.path;
	}
	add_maker_hint(&b, exe, n, c);
	if (file != FILE_NONE)
		files_release_fd(n->opts.files, file);
	return buf_take(&b);
}
