/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a function is a part of, as who writes its language calls it: a package or a crate. C and C++ have none: their
 * unit is the program or library, the module. A namespace or class is none: nothing tells one from the other, and one
 * library's is another's.
 */
#ifndef KILN_PROFILE_PACKAGE_H
#define KILN_PROFILE_PACKAGE_H

#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/profile/profile.h"

/*
 * Appends the package of a function, and says whether its names tell it; it appends nothing if not.
 *   Go      "github.com/a/b.(*T).m"                       "github.com/a/b"
 *   Rust    "<alloc::vec::Vec<T> as core::ops::Drop>::drop"   "alloc", the crate; without a path in its name the crate
 *           that has its file, "/rustc/HASH/library/std/src/alloc.rs"    "std"
 *   Java    "int java.util.HashMap.hash(java.lang.Object)"    "java.util"
 *   JavaScript, Python: "LazyCompile:*f /a/node_modules/b/c.js:3"    "b"; else the script's directory
 * file: of the source, or "": where it tells the language, it is that one's rules. Linear in both.
 */
bool package_of(struct buf *out, const char *name, const char *file, enum frame_kind kind);

/* Appends the directory of a file, without the last "/"; false if its name has none. */
bool package_directory(struct buf *out, const char *file);

#endif
