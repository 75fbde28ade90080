// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/query/answer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/sha256.h"
#include "profiler/base/text.h"

int sym_module_name(struct buf *out, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *base = !slash ? path : slash[1] == '[' ? slash : slash + 1;

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
	key->ctime.tv_sec = st.stx_ctime.tv_sec;
	key->ctime.tv_nsec = st.stx_ctime.tv_nsec;
	return true;
}

bool sym_file_facts(const struct sym_file *file, struct sym_file_key *key)
{
	if (!file->held)
		return sym_file_key(file->fd, key);
	*key = file->held->key;
	return true;
}

/* What is hashed. Nobody but the kernel can set the time of the last change of an inode. Numbers of devices
 * without hardware are given out again, so these files are told apart from those of other boots. */
struct facts {
	char domain[16];
	struct sym_file_key key;
	uint64_t root_dev, root_ino;
	char boot[64];
};

static void add_root(struct facts *f, const struct sym_file *file)
{
	struct stat st;

	if (file->held) {
		f->root_dev = file->held->root_dev;
		f->root_ino = file->held->root_ino;
	} else if (file->root_fd >= 0 && !fstat(file->root_fd, &st)) {
		f->root_dev = st.st_dev;
		f->root_ino = st.st_ino;
	}
}

bool sym_file_identity(const struct sym_file *file, struct file_identity *out)
{
	struct facts f;

	if (file->identity) {
		*out = *file->identity;
		return true;
	}
	memset(out, 0, sizeof(*out));
	memset(&f, 0, sizeof(f));
	if (!sym_file_facts(file, &f.key))
		return false;
	strcpy(f.domain, "kiln file 1");
	add_root(&f, file);
	if (!(f.key.dev >> 32) || (f.root_ino && !major(f.root_dev)))
		io_read_line("/proc/sys/kernel/random/boot_id", f.boot, sizeof(f.boot));
	sha256(&f, sizeof(f), out->data);
	return true;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	static const struct file_identity unknown;

	return !memcmp(a, b, sizeof(*a)) && memcmp(a, &unknown, sizeof(*a)) != 0;
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
