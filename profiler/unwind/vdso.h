/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vDSO: the kernel maps the same image into every process, so this process's copy will do. */
#ifndef KILN_UNWIND_VDSO_H
#define KILN_UNWIND_VDSO_H

/* A file that holds the image; the caller closes it. -1: there is no vDSO. */
int vdso_open(void);

#endif
