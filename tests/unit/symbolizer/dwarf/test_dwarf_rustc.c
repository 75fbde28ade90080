// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/dwarf_matrix.h"

MATRIX_MAIN(RUSTC)
