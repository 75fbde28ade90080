/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KILN_BASE_VERSION_H
#define KILN_BASE_VERSION_H

#define KILN_VERSION "0.1.0"

#endif
