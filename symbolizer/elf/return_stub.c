// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/elf/return_stub.h"

#include <stdbool.h>
#include <string.h>

static const uint8_t by_eax[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, RETURN_STUB_LAST};
static const uint8_t by_rax[RETURN_STUB_MAX] = {
	0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, RETURN_STUB_LAST};

static bool ends_with(const uint8_t *p, size_t len, const uint8_t *code, size_t code_len)
{
	return len >= code_len && !memcmp(p + len - code_len, code, code_len);
}

size_t return_stub_len(const uint8_t *p, size_t len)
{
	if (ends_with(p, len, by_rax, sizeof(by_rax)))
		return sizeof(by_rax);
	return ends_with(p, len, by_eax, sizeof(by_eax)) ? sizeof(by_eax) : 0;
}
