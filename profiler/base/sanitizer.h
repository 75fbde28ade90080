/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SANITIZED: built with AddressSanitizer or ThreadSanitizer. Both replace malloc(), map much shadow
 * memory, and report through system calls that a sandbox forbids. So memory limits and the system
 * call filter are off then.
 */
#ifndef KILN_BASE_SANITIZER_H
#define KILN_BASE_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* gcc */
#define SANITIZED 1
#elif defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
