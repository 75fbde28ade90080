#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The slowdown at ten times the usual rate: where there is a cost a sample, it shows.
FREQ=999 exec "$(dirname "$0")/slowdown.sh" "$@"
