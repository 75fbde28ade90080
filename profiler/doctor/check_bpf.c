// SPDX-License-Identifier: GPL-2.0-or-later
/* Tries BPF: creates maps of every kind that kiln uses, loads small programs of every kind,
 * attaches them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/doctor/check_bpf.h"
#include "profiler/doctor/doctor.h"

#define RING_BYTES (64 * 1024) /* a multiple of the page size everywhere */

static const struct map_kind {
	const char *name;
	enum bpf_map_type type;
	unsigned key_bytes, value_bytes, entries;
} map_kinds[] = {
	{"hash", BPF_MAP_TYPE_HASH, 8, 8, 64},
	{"LRU hash", BPF_MAP_TYPE_LRU_HASH, 8, 8, 64},
	{"per-CPU array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 64, 1},
	{"ring buffer", BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES},
	{"stack trace", BPF_MAP_TYPE_STACK_TRACE, 4, KILN_MAX_FRAMES * 8, 16},
	{"cgroup array", BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 1},
};

static int make_map(const struct map_kind *k)
{
	int fd = bpf_map_create(k->type, "kiln_doctor", k->key_bytes, k->value_bytes, k->entries,
				NULL);

	return fd < 0 ? -errno : fd;
}

static struct buf map_cure(const struct doctor *d, const struct map_kind *k, int err)
{
	char depth[32];

	if (err == -EPERM)
		return doctor_caps_cure(d, CAP_MASK(bpf));
	if (k->type == BPF_MAP_TYPE_STACK_TRACE && err == -EINVAL &&
	    !io_read_line("/proc/sys/kernel/perf_event_max_stack", depth, sizeof(depth)))
		return doctor_cure("sysctl kernel.perf_event_max_stack=%d (it is %s)",
				   KILN_MAX_FRAMES, depth);
	return doctor_cure("a kernel of 5.10 or newer with CONFIG_BPF_SYSCALL=y");
}

void check_bpf_maps(struct doctor *d)
{
	for (size_t i = 0; i < sizeof(map_kinds) / sizeof(*map_kinds); i++) {
		_cleanup_close_ int fd = make_map(&map_kinds[i]);
		struct buf cure;

		if (fd >= 0)
			continue;
		cure = map_cure(d, &map_kinds[i], fd);
		d->cannot_sample = true;
		doctor_add(d, FINDING_fail, "bpf maps", &cure, "cannot create a %s map: %s",
			   map_kinds[i].name, strerror(-fd));
		return;
	}
	doctor_add(d, FINDING_ok, "bpf maps", NULL, "hash, array, ring buffer, stack trace");
}

/* --- programs ---------------------------------------------------------------------------------- */

#define INSN(op, dst, src, offset, value)                                                          \
	{                                                                                          \
		.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value)  \
	}
#define MOV_REG(dst, src)  INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOV_IMM(dst, imm_) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm_)
#define ADD_IMM(dst, imm_) INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm_)
#define CALL(func)	   INSN(BPF_JMP | BPF_CALL, 0, 0, 0, func)
#define EXIT()		   INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* 16 bytes: two instructions */
#define LOAD_MAP(dst, fd)                                                                          \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
/* helper(fp - 8, 8, 0): reads 8 bytes from address 0 into the stack */
#define READ_NOTHING(helper)                                                                       \
	MOV_REG(BPF_REG_1, BPF_REG_10), ADD_IMM(BPF_REG_1, -8), MOV_IMM(BPF_REG_2, 8),             \
		MOV_IMM(BPF_REG_3, 0), CALL(helper), MOV_IMM(BPF_REG_0, 0), EXIT()

static const struct bpf_insn do_nothing[] = {MOV_IMM(BPF_REG_0, 0), EXIT()};
static const struct bpf_insn read_user[] = {READ_NOTHING(BPF_FUNC_probe_read_user)};
static const struct bpf_insn read_kernel[] = {READ_NOTHING(BPF_FUNC_probe_read_kernel)};

static const struct program_kind {
	const char *name;
	enum bpf_prog_type type;
	const struct bpf_insn *insns;
	size_t n_insns;
} program_kinds[] = {
#define KIND(name, type, insns)                                                                    \
	{                                                                                          \
		name, type, insns, sizeof(insns) / sizeof(*(insns))                                \
	}
	KIND("perf event", BPF_PROG_TYPE_PERF_EVENT, do_nothing),
	KIND("raw tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, do_nothing),
	KIND("user memory reading", BPF_PROG_TYPE_PERF_EVENT, read_user),
	KIND("kernel memory reading", BPF_PROG_TYPE_PERF_EVENT, read_kernel),
#undef KIND
};

static int load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n)
{
	int fd = bpf_prog_load(type, "kiln_doctor", "GPL", insns, n, NULL);

	return fd < 0 ? -errno : fd;
}

/* A program that takes stacks: bpf_get_stackid(ctx, map, 0). */
static int load_stack_taker(void)
{
	_cleanup_close_ int map = make_map(
		&(const struct map_kind){"", BPF_MAP_TYPE_STACK_TRACE, 4, KILN_MAX_FRAMES * 8, 16});
	struct bpf_insn insns[] = {
		LOAD_MAP(BPF_REG_2, map),
		MOV_IMM(BPF_REG_3, 0),
		CALL(BPF_FUNC_get_stackid),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};

	return map < 0 ? map
		       : load(BPF_PROG_TYPE_PERF_EVENT, insns, sizeof(insns) / sizeof(*insns));
}

int doctor_load_perf_program(void)
{
	return load(BPF_PROG_TYPE_PERF_EVENT, do_nothing, sizeof(do_nothing) / sizeof(*do_nothing));
}

static void cannot_load(struct doctor *d, const char *name, int err)
{
	struct buf cure = err == -EPERM || err == -EACCES
				  ? doctor_caps_cure(d, CAP_MASK(bpf) | CAP_MASK(perfmon))
				  : doctor_cure("a kernel of 5.10 or newer with "
						"CONFIG_BPF_EVENTS=y, not locked down to "
						"confidentiality");

	d->cannot_sample = true;
	doctor_add(d, FINDING_fail, "bpf programs", &cure, "cannot load a %s program: %s", name,
		   strerror(-err));
}

static int attach_raw_tracepoint(void)
{
	_cleanup_close_ int prog = load(BPF_PROG_TYPE_RAW_TRACEPOINT, do_nothing,
					sizeof(do_nothing) / sizeof(*do_nothing));
	int link;

	if (prog < 0)
		return prog;
	link = bpf_raw_tracepoint_open("sched_process_fork", prog);
	if (link < 0)
		return -errno;
	close(link);
	return 0;
}

void check_bpf_programs(struct doctor *d)
{
	int fd, err;

	for (size_t i = 0; i < sizeof(program_kinds) / sizeof(*program_kinds); i++) {
		const struct program_kind *k = &program_kinds[i];

		fd = load(k->type, k->insns, k->n_insns);
		if (fd < 0) {
			cannot_load(d, k->name, fd);
			return;
		}
		close(fd);
	}
	fd = load_stack_taker();
	if (fd < 0) {
		cannot_load(d, "stack-taking", fd);
		return;
	}
	close(fd);
	err = attach_raw_tracepoint();
	if (err) {
		struct buf cure = doctor_caps_cure(d, CAP_MASK(bpf) | CAP_MASK(perfmon));

		doctor_add(d, FINDING_fail, "bpf programs", &cure,
			   "cannot attach to raw tracepoint sched_process_fork: %s",
			   strerror(-err));
		return;
	}
	doctor_add(d, FINDING_ok, "bpf programs", NULL,
		   "perf event, raw tracepoint; stacks, user and kernel memory");
}

void check_bpf_jit(struct doctor *d)
{
	char value[16];
	struct buf cure;

	/* absent if the kernel always compiles (CONFIG_BPF_JIT_ALWAYS_ON); most users cannot
	 * read it */
	if (io_read_line("/proc/sys/net/core/bpf_jit_enable", value, sizeof(value)) ||
	    strcmp(value, "0"))
		return;
	cure = doctor_cure("sysctl net.core.bpf_jit_enable=1");
	doctor_add(d, FINDING_warn, "bpf jit", &cure,
		   "programs are interpreted: sampling costs several times more");
}
