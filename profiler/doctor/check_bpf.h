/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_DOCTOR_CHECK_BPF_H
#define KILN_DOCTOR_CHECK_BPF_H

/* Loads a perf_event program that does nothing. A descriptor that the caller owns, or -errno. */
int doctor_load_perf_program(void);

#endif
