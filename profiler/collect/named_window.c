// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/named_window.h"

#include "profiler/profile/profile.h"

void named_window_release(struct named_window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
	*w = (struct named_window){0};
}
