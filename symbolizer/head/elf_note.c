// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/head/elf_note.h"

#include <elf.h>

#include "profiler/base/bytes.h"

bool elf_note_build_id(const void *notes, size_t len, size_t align, struct build_id *id)
{
	struct bytes b = bytes_of(notes, len);
	uint32_t pad = align == 8 ? 7 : 3;

	while (bytes_left(&b) >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nh;
		struct bytes name, desc;

		bytes_read(&b, &nh, sizeof(nh));
		name = bytes_sub(&b, nh.n_namesz);
		bytes_skip(&b, -(uint64_t)(sizeof(nh) + nh.n_namesz) & pad);
		desc = bytes_sub(&b, nh.n_descsz);
		if (b.bad) /* a name that is cut, too, whatever its description's length */
			return false;
		if (nh.n_type == NT_GNU_BUILD_ID && nh.n_namesz == 4 && !memcmp(name.p, "GNU", 4) &&
		    nh.n_descsz && nh.n_descsz <= BUILD_ID_MAX) {
			memcpy(id->data, desc.p, nh.n_descsz);
			id->len = (uint8_t)nh.n_descsz;
			return true;
		}
		bytes_skip(&b, -(uint64_t)nh.n_descsz & pad);
	}
	return false;
}
