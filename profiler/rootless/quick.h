/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal to the room. */
#ifndef KILN_ROOTLESS_QUICK_H
#define KILN_ROOTLESS_QUICK_H

/*
 * Of the calling thread: who is stopped waits for it to be scheduled. From Linux 6.12 on who asks for short slices comes
 * sooner, at no more CPU time. Where that is not so, nothing changes.
 */
void be_quick(void);

#endif
