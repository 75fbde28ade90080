/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a function is a part of, as its language says: package, crate or namespace. */
#ifndef KILN_PROFILE_PACKAGE_H
#define KILN_PROFILE_PACKAGE_H

#include <stdbool.h>

#include "profiler/base/buf.h"

/*
 * Appends the package of a function, and says whether its names tell it; it appends nothing if not.
 *   Go      "github.com/a/b.(*T).m"                       "github.com/a/b"
 *   Rust    "<alloc::vec::Vec<T> as core::ops::Drop>::drop"   "alloc", the crate
 *   C++     "void rocksdb::DBImpl::Get(int)"              "rocksdb", the outermost namespace or class
 *   Java    "int java.util.HashMap.hash(java.lang.Object)"    "java.util"
 *   JavaScript, Python: "LazyCompile:*f /a/node_modules/b/c.js:3"    "b"; else the script's directory
 * file: of the source, or "". is_jit: made at run time: of Java, JavaScript or Python.
 */
bool package_of(struct buf *out, const char *name, const char *file, bool is_jit);

/* Appends the directory of a file, without the last "/"; false if its name has none. */
bool package_directory(struct buf *out, const char *file);

#endif
