/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this is built with AddressSanitizer or ThreadSanitizer. Both replace malloc(), map shadow
 * memory far and wide, and report through system calls that a sandbox forbids: limits of memory and
 * the filter of system calls are off then.
 */
#ifndef KILN_BASE_SANITIZER_H
#define KILN_BASE_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* as gcc says it */
#define SANITIZED 1
#elif defined(__has_feature) /* as clang does */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
