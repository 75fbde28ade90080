/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Go compilers there may be, and building tests/fixtures/go/main.go with them. */
#ifndef KILN_TESTS_GO_TOOLCHAINS_H
#define KILN_TESTS_GO_TOOLCHAINS_H

#include <stdbool.h>
#include <stdlib.h>

#include "tests/lib/fixture.h"

struct toolchain {
	const char *name, *go;
	bool pie; /* also builds that need the standard library anew */
	/* of Go 1.21 or newer: morestack() clears rbp */
	const char *records;
};

static const struct toolchain toolchains[] = {
	{"go", "go", true, "go version | grep -qE 'go1[.](2[1-9]|[3-9][0-9])'"},
	{"Debian's go 1.19", "/usr/lib/go-1.19/bin/go", false, "false"},
};

static inline bool have(const char *command)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", command);
	return !system(cmd);
}

static inline bool skip_without(const struct toolchain *t)
{
	if (have(t->go))
		return false;
	print_message("left out: there is no %s\n", t->name);
	return true;
}

static inline void build_go(const struct toolchain *t, const char *dir, const char *flags,
			    const char *out)
{
	fixture_run("GO111MODULE=off GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=1 "
		    "%s build %s -o %s %s/main.go",
		    t->go, flags, out, dir);
}

#endif
