/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store writer: takes windows from the sampler, stores them, and acknowledges each that is on disk. */
#ifndef KILN_AGENT_WRITER_H
#define KILN_AGENT_WRITER_H

struct role_env;

/* Until it is asked to end, or the supervisor is gone: then everything that it was sent is stored. 0 or
 * -errno, said in the log. */
int writer_run(struct role_env *env);

#endif
