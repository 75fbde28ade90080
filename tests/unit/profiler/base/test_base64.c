// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/base64.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/test.h"
