// SPDX-License-Identifier: GPL-2.0-or-later
/* Contents of whole sections: read within limits, and inflated. */
#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_inflate.h"

DEFINE_CLEANUP(inflater, inflater_free)

static int load(struct elf_obj *obj, const struct stored *st, uint8_t *out)
{
	_cleanup_(inflater_freep) struct inflater *in = NULL;
	int err;

	if (st->codec == CODEC_NONE)
		return elf_read_exact(obj, out, st->size, st->file_off);
	err = inflater_new(&in, obj, st, true);
	return err ?: inflater_read(in, out, st->inflated) ?: inflater_end(in);
}

int elf_load_raw(struct elf_obj *obj, const struct elf_section *sec, struct elf_loaded **out)
{
	struct elf_loaded *l = &obj->loaded[sec->index];
	_cleanup_free_ uint8_t *buf = NULL;
	struct stored st;
	size_t size;
	int err;

	*out = l;
	if (l->data)
		return 0;
	err = elf_stored(obj, sec, &st);
	if (err)
		return err;
	size = st.inflated;
	if (size > obj->limits.total_bytes - obj->held)
		return -EFBIG;
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	err = load(obj, &st, buf);
	if (err)
		return err;
	buf[size] = 0;
	*l = (struct elf_loaded){steal_ptr(buf), size};
	obj->held += size;
	return 0;
}

void elf_obj_drop(struct elf_obj *obj, const struct elf_section *sec)
{
	struct elf_loaded *l = &obj->loaded[sec->index];

	obj->held -= l->len;
	free(l->data);
	*l = (struct elf_loaded){0};
}

size_t elf_obj_bytes(const struct elf_obj *obj)
{
	return obj->held;
}
