// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/sampler/run_time.h"

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"

int run_time_count(int *fd)
{
	int got = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (got < 0)
		return -errno;
	*fd = got;
	return 0;
}

int run_time_read(const struct profile_bpf *skel, uint64_t *ns)
{
	struct bpf_program *prog;

	*ns = 0;
	bpf_object__for_each_program(prog, skel->obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		if (bpf_program__fd(prog) < 0)
			continue; /* not loaded: this kernel does without */
		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			return -errno;
		*ns += info.run_time_ns;
	}
	return 0;
}
