/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that signal handlers return to on x86-64: mov $15, %eax (or %rax); syscall. C libraries call it __restore_rt, and
 * only their full symbol tables name it. */
#ifndef KILN_SYMBOLIZER_ELF_RETURN_STUB_H
#define KILN_SYMBOLIZER_ELF_RETURN_STUB_H

#include <stddef.h>
#include <stdint.h>

#define RETURN_STUB_NAME "__restore_rt"
/* The longer of the two. */
#define RETURN_STUB_MAX 9
/* The byte with which each ends. */
#define RETURN_STUB_LAST 0x05

/* Length of the stub that ends with the last of these bytes, or 0 if none does. */
size_t return_stub_len(const uint8_t *p, size_t len);

#endif
