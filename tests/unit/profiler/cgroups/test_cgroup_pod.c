// SPDX-License-Identifier: GPL-2.0-or-later
/* Layouts of cgroups as kubelet, containerd, CRI-O, Docker and podman document and make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/cgroups/cgroup_pod.h"

#define ID	   "4f1c6bd5ab0c7d5c34c8b5ee6a3f1d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
#define ID2	   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UID_	   "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define UID_U	   "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9"
#define STATIC_UID "8e1d5b2c4f6a7988b1c2d3e4f5061728"

static void assert_place(const struct cgroup_place *p, const char *pod, const char *container,
			 const char *unit)
{
	assert_string_equal(p->pod_uid, pod);
	assert_string_equal(p->container, container);
	assert_string_equal(p->unit, unit);
}

static const struct {
	const char *path, *pod, *container, *unit;
} cases[] = {
	{"/", "", "", ""},
	/* the systemd driver: burstable, besteffort, guaranteed */
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_U
	 ".slice/cri-containerd-" ID ".scope",
	 UID_, ID, ""},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_U ".slice/crio-" ID
	 ".scope",
	 UID_, ID, ""},
	{"/kubepods.slice/kubepods-pod" UID_U ".slice/docker-" ID ".scope", UID_, ID, ""},
	/* CRI-O puts the container's processes one lower */
	{"/kubepods.slice/kubepods-pod" UID_U ".slice/crio-" ID ".scope/container", UID_, ID, ""},
	/* the cgroupfs driver */
	{"/kubepods/burstable/pod" UID_ "/" ID, UID_, ID, ""},
	{"/kubepods/besteffort/pod" UID_ "/" ID, UID_, ID, ""},
	{"/kubepods/pod" UID_ "/" ID, UID_, ID, ""},
	/* a systemd name under the cgroupfs driver */
	{"/system.slice/containerd.service/kubepods-burstable-pod" UID_U
	 ".slice:cri-containerd:" ID,
	 UID_, ID, "containerd.service"},
	/* static pods have a digest for a uid */
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID
	 ".slice/cri-containerd-" ID ".scope",
	 STATIC_UID, ID, ""},
	{"/kubepods/burstable/pod" STATIC_UID "/" ID, STATIC_UID, ID, ""},
	/* a cluster in a container: kind */
	{"/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/"
	 "kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_U
	 ".slice/cri-containerd-" ID ".scope",
	 UID_, ID, ""},
	{"/system.slice/docker-" ID2 ".scope/kubelet/kubepods/besteffort/pod" UID_ "/" ID, UID_, ID,
	 ""},
	/* systemd in a container of a pod */
	{"/kubepods/pod" UID_ "/" ID "/system.slice/nginx.service", UID_, ID, "nginx.service"},
	/* the pod's own directory, without a container */
	{"/kubepods/burstable/pod" UID_, UID_, "", ""},
	/* no pods */
	{"/system.slice/docker-" ID ".scope", "", ID, ""},
	{"/machine.slice/libpod-" ID ".scope/container", "", ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container",
	 "", ID, "user@1000.service"},
	{"/pod" UID_ "/x", "", "", ""},
	{"/kubepods/podium", "", "", ""},
	{"/kubepods/pod" UID_ "x/" ID, "", ID, ""},
	{"/kubepods/pod0a1b2c3d-4e5f_6071-8293-a4b5c6d7e8f9/" ID, "", ID, ""},
	{"/kubepods/pod0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9/" ID, "", ID, ""},
	{"/kubepods/tripod" UID_ "/" ID, "", ID, ""},
};

static void paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cgroup_place p;

		cgroup_place_parse(&p, cases[i].path);
		assert_place(&p, cases[i].pod, cases[i].container, cases[i].unit);
	}
}

static void processes(void **state)
{
	struct cgroup_place p;

	(void)state;
	/* cgroup v2 */
	cgroup_place_of_process(&p, "0::/kubepods/pod" UID_ "/" ID "\n");
	assert_place(&p, UID_, ID, "");
	/* cgroup v1 */
	cgroup_place_of_process(&p, "12:pids:/kubepods/besteffort/pod" UID_ "/" ID "\n"
				    "4:cpu,cpuacct:/kubepods/besteffort/pod" UID_ "/" ID "\n"
				    "1:name=systemd:/kubepods/besteffort/pod" UID_ "/" ID "\n");
	assert_place(&p, UID_, ID, "");
	/* hybrid: the unified hierarchy knows the runtime's unit only */
	cgroup_place_of_process(&p, "5:memory:/docker/" ID "\n"
				    "1:name=systemd:/docker/" ID "\n"
				    "0::/system.slice/containerd.service\n");
	assert_place(&p, "", ID, "");
	cgroup_place_of_process(&p, "0::/system.slice/containerd.service\n"
				    "5:memory:/docker/" ID "\n");
	assert_place(&p, "", ID, "");
	/* hybrid, a unit */
	cgroup_place_of_process(&p, "9:devices:/system.slice\n"
				    "1:name=systemd:/system.slice/nginx.service\n"
				    "0::/system.slice/nginx.service\n");
	assert_place(&p, "", "", "nginx.service");
	cgroup_place_of_process(&p, "4:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n");
	assert_place(&p, "", "", "a.service");
	/* a colon in a path; nothing to read */
	cgroup_place_of_process(&p,
				"0::/system.slice/kubepods-pod" UID_U ".slice:cri-containerd:" ID);
	assert_place(&p, UID_, ID, "");
	cgroup_place_of_process(&p, "");
	assert_place(&p, "", "", "");
	cgroup_place_of_process(&p, "junk\n:\n::\n0:\n\n");
	assert_place(&p, "", "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(processes),
	};

	return cmocka_run_group_tests_name("cgroup_pod", tests, NULL, NULL);
}
