/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: a copy of every stored window, to compare the store with. */
#ifndef KILN_AGENT_KEEP_WINDOWS_H
#define KILN_AGENT_KEEP_WINDOWS_H

struct window_sink;

/*
 * Puts a sink before *sink that also writes each window into a file DIR/BEGIN_UNIX_NS.pb.gz, once *sink has
 * taken it: what is in the directory was acknowledged. DIR is KILN_TEST_KEEP_WINDOWS; below the store, because
 * the writer may write nowhere else. Does nothing without it. Owns the old sink. 0 or -ENOMEM.
 */
int keep_windows(struct window_sink **sink);

#endif
