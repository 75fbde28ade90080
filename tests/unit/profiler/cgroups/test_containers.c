// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of containers from trees as kubelet and the runtimes document and leave them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/cgroups/containers.h"

#define ID	"4f1c6bd5ab0c7d5c34c8b5ee6a3f1d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
#define ID2	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define POD_UID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

static char root[64];

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/kiln-containers-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void make_dirs(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p '%s%s'", root, path);
	assert_int_equal(system(command), 0);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	make_dirs(dir);
	snprintf(path, sizeof(path), "%s%s/%s", root, dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void assert_names(const char *container, const char *pod_uid, const char *name,
			 const char *image, const char *pod, const char *namespace)
{
	struct container_names n;
	struct containers *c;

	assert_int_equal(containers_new(&c, root), 0);
	for (int i = 0; i < 2; i++) { /* looked up, then known */
		containers_find(c, container, pod_uid, &n);
		assert_string_equal(n.name, name);
		assert_string_equal(n.image, image);
		assert_string_equal(n.pod, pod);
		assert_string_equal(n.namespace, namespace);
	}
	containers_free(c);
}

static void nothing_there(void **state)
{
	(void)state;
	assert_names(ID, POD_UID, "", "", "", "");
	assert_names("", "", "", "", "", "");
}

static void kubelet(void **state)
{
	(void)state;
	make_dirs("/var/log/pods/kube-system_coredns-7db6d8ff4d-x2vkq_" POD_UID "/coredns");
	make_dirs("/var/log/pods/other_pod_11111111-4e5f-6071-8293-a4b5c6d7e8f9/x");
	assert_names(ID, POD_UID, "coredns", "", "coredns-7db6d8ff4d-x2vkq", "kube-system");
	assert_names("", POD_UID, "", "", "coredns-7db6d8ff4d-x2vkq", "kube-system");
	/* Of two containers nobody says which this is. */
	make_dirs("/var/log/pods/kube-system_coredns-7db6d8ff4d-x2vkq_" POD_UID "/sidecar");
	assert_names(ID, POD_UID, "", "", "coredns-7db6d8ff4d-x2vkq", "kube-system");
}

static void containerd(void **state)
{
	(void)state;
	write_file("/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID, "config.json",
		   "{\"ociVersion\": \"1.1.0\", \"process\": {\"args\": [\"/a\", \"x\"], "
		   "\"terminal\": "
		   "false}, \"annotations\": {\n"
		   "\"io.kubernetes.cri.container-name\": \"web\",\n"
		   "\"io.kubernetes.cri.container-type\": \"container\",\n"
		   "\"io.kubernetes.cri.image-name\": \"docker.io/library/nginx:1.25\",\n"
		   "\"io.kubernetes.cri.sandbox-id\": \"" ID2 "\",\n"
		   "\"io.kubernetes.cri.sandbox-name\": \"web-0\",\n"
		   "\"io.kubernetes.cri.sandbox-namespace\": \"shop\"}}");
	make_dirs("/var/log/pods/shop_web-0_" POD_UID "/web");
	make_dirs("/var/log/pods/shop_web-0_" POD_UID "/sidecar");
	assert_names(ID, POD_UID, "web", "docker.io/library/nginx:1.25", "web-0", "shop");
}

static void crio(void **state)
{
	(void)state;
	write_file("/run/containers/storage/overlay-containers/" ID "/userdata", "config.json",
		   "{\"annotations\": {\"io.kubernetes.container.name\": \"db\","
		   "\"io.kubernetes.cri-o.ImageName\": \"quay.io/db:3\","
		   "\"io.kubernetes.pod.name\": \"db-1\","
		   "\"io.kubernetes.pod.namespace\": \"data\"}}");
	assert_names(ID, "", "db", "quay.io/db:3", "db-1", "data");
}

static void docker(void **state)
{
	(void)state;
	write_file("/var/lib/docker/containers/" ID, "config.v2.json",
		   "{\"StreamConfig\":{},\"State\":{\"Running\":true,\"Pid\":1},\"ID\":\"" ID "\","
		   "\"Config\":{\"Hostname\":\"h\",\"Env\":[\"SECRET=x\"],\"Image\":\"redis:7\","
		   "\"Labels\":{}},\"Name\":\"/cache\"}");
	assert_names(ID, "", "cache", "redis:7", "", "");
	/* As kubelet's old shim left it, in either order. */
	write_file("/var/lib/docker/containers/" ID, "config.v2.json",
		   "{\"Name\":\"/k8s_web_web-0_shop_x_0\",\"Config\":{\"Image\":\"i\",\"Labels\":"
		   "{\"io.kubernetes.container.name\":\"web\"}}}");
	assert_names(ID, "", "web", "i", "", "");
}

static void podman(void **state)
{
	(void)state;
	write_file("/var/lib/containers/storage/overlay-containers", "containers.json",
		   "[{\"id\":\"" ID2 "\",\"names\":[\"other\"],\"metadata\":\"{\\\"image-name\\\":"
		   "\\\"wrong\\\"}\"},"
		   "{\"id\":\"" ID "\",\"names\":[\"web\"],\"image\":\"9b\",\"layer\":\"0c\","
		   "\"metadata\":\"{\\\"image-name\\\":\\\"docker.io/library/httpd:2\\\","
		   "\\\"name\\\":\\\"web\\\"}\"},"
		   "{\"id\":\"" ID2 "\",\"names\":[\"third\"]}]");
	assert_names(ID, "", "web", "docker.io/library/httpd:2", "", "");
	assert_names("bbbb", "", "", "", "", "");
}

static void hostile_state(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"Name\":",
		"{\"Name\":7}",

		"{\"Name\":\"a\nb\"}",
		"{\"Name\":[{\"Name\":\"x\"}]}",
	};
	char name[700], path[512];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_file("/var/lib/docker/containers/" ID, "config.v2.json", bad[i]);
		assert_names(ID, "", "", "", "", "");
	}
	write_file("/var/lib/docker/containers/" ID, "config.v2.json",
		   "{\"Name\":\"/a\\u001b[31m\\u202eb\\ud83d\\ude00\\n\"}");
	assert_names(ID, "",
		     "a\xef\xbf\xbd[31m\xef\xbf\xbd"
		     "b\xf0\x9f\x98\x80\xef\xbf\xbd",
		     "", "", "");
	snprintf(name, sizeof(name), "{\"Name\":\"/%0600d\"}", 7);
	write_file("/var/lib/docker/containers/" ID, "config.v2.json", name);
	assert_names(ID, "", "", "", "", "");
	/* A FIFO where the file should be hangs nobody. */
	snprintf(path, sizeof(path), "%s/var/lib/docker/containers/" ID "/config.v2.json", root);
	remove(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_names(ID, "", "", "", "", "");
	assert_int_equal(stat(path, &st), 0);
}

/* With a list of 60,000 containers each new one would cost tens of milliseconds. */
static void many_containers(void **state)
{
	static const char entry[] = "{\"id\":\"" ID2 "\",\"names\":[\"other\"]},";
	const size_t n = 60000, len = strlen(entry);
	char *text = malloc(n * len + 16), id[65];
	uint64_t begin_ns = monotonic_ns();
	struct container_names names;
	struct containers *c;

	(void)state;
	assert_non_null(text);
	strcpy(text, "[");
	for (size_t i = 0; i < n; i++)
		memcpy(text + 1 + i * len, entry, len);
	strcpy(text + n * len, "]");
	write_file("/var/lib/containers/storage/overlay-containers", "containers.json", text);
	free(text);
	assert_int_equal(containers_new(&c, root), 0);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(id, sizeof(id), "%064x", i);
		containers_find(c, id, "", &names);
	}
	assert_in_range(monotonic_ns() - begin_ns, 0, 15 * NS_PER_S);
	containers_free(c);
}

int main(void)
{
#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		WITH_ROOT(nothing_there), WITH_ROOT(kubelet),	      WITH_ROOT(containerd),
		WITH_ROOT(crio),	  WITH_ROOT(docker),	      WITH_ROOT(podman),
		WITH_ROOT(hostile_state), WITH_ROOT(many_containers),
	};

	return cmocka_run_group_tests_name("containers", tests, NULL, NULL);
}
