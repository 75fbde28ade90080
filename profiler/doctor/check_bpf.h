/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_DOCTOR_CHECK_BPF_H
#define KILN_DOCTOR_CHECK_BPF_H

/* A perf_event program that does nothing: its descriptor, or -errno. */
int doctor_load_perf_program(void);

#endif
