// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/query/answer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"

int sym_module_name(struct buf *out, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *base = slash ? slash + 1 : path;

	if (base && *base)
		text_add_clean(out, base, strlen(base));
	else
		buf_str(out, "[unknown]");
	return out->err;
}

int sym_answer_bare(size_t index, uint64_t addr, enum sym_reason reason, const char *module,
		    sym_result_fn fn, void *ctx)
{
	_cleanup_(buf_release) struct buf name = {0};
	struct sym_frame frame = {0};
	struct sym_result result = {
		.elf_va = addr, .reason = reason, .frames = &frame, .n_frames = 1};

	buf_printf(&name, "%s+0x%lx", module, (unsigned long)addr);
	if (name.err)
		return name.err;
	frame.name = frame.raw_name = buf_cstr(&name);
	fn(ctx, index, &result);
	return 0;
}

bool sym_file_key(int fd, struct sym_file_key *key)
{
	struct statx st;

	memset(key, 0, sizeof(*key));
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0)
		return false;
	key->dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	key->ino = st.stx_ino;
	key->size = st.stx_size;
	key->mtime.tv_sec = st.stx_mtime.tv_sec;
	key->mtime.tv_nsec = st.stx_mtime.tv_nsec;
	return true;
}

bool sym_file_facts(const struct sym_file *file, struct sym_file_key *key)
{
	if (!file->held)
		return sym_file_key(file->fd, key);
	*key = file->held->key;
	return true;
}

const char *sym_reason_text(enum sym_reason reason)
{
	static const char *const texts[] = {
#define X(name, text) [SYM_##name] = text,
		SYM_REASONS(X)
#undef X
	};

	return reason < SYM_REASON_COUNT ? texts[reason] : "unknown";
}
