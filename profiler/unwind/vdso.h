/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vDSO. The kernel maps the same image into every process, so this process's copy is used. */
#ifndef KILN_UNWIND_VDSO_H
#define KILN_UNWIND_VDSO_H

/* A file with the image; the caller closes it. -1: there is no vDSO. */
int vdso_open(void);

#endif
