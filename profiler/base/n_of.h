/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_BASE_N_OF_H
#define KILN_BASE_N_OF_H

/* Elements of an array, not of a pointer. */
#define N_OF(array) (sizeof(array) / sizeof(*(array)))

#endif
