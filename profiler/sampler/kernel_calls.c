// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/sampler/kernel_calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/abi.h"
#include "profiler/base/cleanup.h"

DEFINE_CLEANUP(btf, btf__free)

uint32_t kernel_calls_patch(struct bpf_insn *insns, uint32_t n, int32_t id)
{
	uint32_t calls = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct bpf_insn *insn = &insns[i];

		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			i++; /* its other half is data */
			continue;
		}
		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg ||
		    insn->imm != KILN_CALL_RDONLY_CAST)
			continue;
		calls++;
		if (id) {
			insn->src_reg = BPF_PSEUDO_KFUNC_CALL;
			insn->imm = id;
		}
	}
	return calls;
}

/* Id of a function in the kernel's own BTF, without that of modules; or -errno. */
static int find_function(const char *name)
{
	_cleanup_(btf_freep) struct btf *btf = btf__load_vmlinux_btf();

	return btf ? btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) : -errno;
}

static int prepare_load(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t n = bpf_program__insn_cnt(prog);
	_cleanup_free_ struct bpf_insn *insns = malloc(n * sizeof(*insns));
	int id;

	(void)opts;
	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	if (!kernel_calls_patch(insns, (uint32_t)n, 0))
		return 0;
	id = find_function("bpf_rdonly_cast");
	if (id < 0)
		return id;
	kernel_calls_patch(insns, (uint32_t)n, id);
	return bpf_program__set_insns(prog, insns, n);
}

/* libbpf keeps handlers for the whole process, and its programs point at them. */
static int registered;

static void register_once(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare_load);

	registered = libbpf_register_prog_handler("perf_event", BPF_PROG_TYPE_PERF_EVENT, 0, &opts);
}

int kernel_calls_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_once);
	return registered < 0 ? registered : 0;
}
