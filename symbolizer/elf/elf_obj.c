// SPDX-License-Identifier: GPL-2.0-or-later
/* Headers and identity of an ELF file (System V gABI, chapters 4 and 5). */
#include "symbolizer/elf/elf_obj.h"

#include <string.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "symbolizer/elf/elf_priv.h"
#include "symbolizer/head/elf_head.h"

/* Linkers make up to a dozen PT_LOADs. Lookups search them linearly. */
#define SEGMENTS_MAX 512
/* Big C++ objects built with -ffunction-sections have 100,000. Each costs 96 bytes of memory. */
#define SECTIONS_MAX 262144
/* All section names together. Real tables have less than 8 MiB. */
#define NAMES_MAX (64u << 20)
/* Larger sections of object files get no address range. SECTIONS_MAX times this fits in 64 bits. */
#define REL_SECTION_MAX (1ull << 40)

const struct elf_limits elf_limits_default = {
	.section_bytes = 2ul << 30,
	.total_bytes = 2ul << 30,
};

long elf_obj_pread(struct elf_obj *obj, void *buf, size_t len, uint64_t file_off)
{
	if (file_off >= obj->file_size || !len)
		return 0;
	if (len > obj->file_size - file_off)
		len = obj->file_size - file_off;
	if (!obj->bytes)
		return io_pread(obj->fd, buf, len, file_off);
	memcpy(buf, obj->bytes + file_off, len);
	return (long)len;
}

int elf_read_exact(struct elf_obj *obj, void *buf, uint64_t len, uint64_t off)
{
	long n = elf_obj_pread(obj, buf, len, off);

	if (n < 0)
		return (int)n;
	return (uint64_t)n == len ? 0 : -EBADMSG;
}

static bool table_in_file(const struct elf_obj *obj, uint64_t off, uint64_t n, size_t entry)
{
	return off <= obj->file_size && n <= (obj->file_size - off) / entry;
}

/* --- the build id ----------------------------------------------------------------------------- */

static long read_for_head(void *ctx, void *buf, size_t len, uint64_t off)
{
	return elf_obj_pread(ctx, buf, len, off);
}

/* By the reader that privileged processes have, so that both say the same. */
static int read_build_id(struct elf_obj *obj)
{
	struct elf_head head;
	int err = elf_head_read(&head, read_for_head, obj);

	if (!err)
		obj->build_id = head.build_id;
	return err;
}

/* --- program headers -------------------------------------------------------------------------- */

static int segment_by_va(const void *a, const void *b)
{
	const struct elf_segment *x = a, *y = b;

	return (x->va > y->va) - (x->va < y->va);
}

static int take_segment(struct elf_segment *seg, const Elf64_Phdr *ph)
{
	if (ph->p_vaddr + ph->p_memsz < ph->p_vaddr || ph->p_offset + ph->p_filesz < ph->p_offset ||
	    ph->p_filesz > ph->p_memsz)
		return -EBADMSG;
	*seg = (struct elf_segment){
		.va = ph->p_vaddr,
		.mem_len = ph->p_memsz,
		.file_off = ph->p_offset,
		.file_len = ph->p_filesz,
		.exec = ph->p_flags & PF_X,
	};
	return 0;
}

static int take_phdr(struct elf_obj *obj, const Elf64_Phdr *ph)
{
	struct elf_segment seg;

	switch (ph->p_type) {
	case PT_LOAD:
		if (obj->segments.len >= SEGMENTS_MAX)
			return -EBADMSG;
		return take_segment(&seg, ph) ?: vec_push(&obj->segments, seg);
	case PT_GNU_EH_FRAME:
		return take_segment(&obj->eh_frame_hdr, ph);
	case PT_DYNAMIC:
		return take_segment(&obj->dynamic, ph);
	}
	return 0;
}

static int read_phdrs(struct elf_obj *obj, const Elf64_Ehdr *eh)
{
	_cleanup_free_ uint8_t *phdrs = NULL;
	size_t size = elf_phdr_size(obj->is_32);
	int err;

	if (!eh->e_phoff || !eh->e_phnum)
		return 0;
	/* PN_XNUM (more than 65534 headers) is for core files, which kiln does not read. */
	if (eh->e_phentsize != size || eh->e_phnum == PN_XNUM ||
	    !table_in_file(obj, eh->e_phoff, eh->e_phnum, size))
		return -EBADMSG;
	phdrs = malloc(eh->e_phnum * size);
	if (!phdrs)
		return -ENOMEM;
	err = elf_read_exact(obj, phdrs, eh->e_phnum * size, eh->e_phoff);
	for (size_t i = 0; i < eh->e_phnum && !err; i++) {
		Elf64_Phdr ph = elf_phdr_at(phdrs + i * size, obj->is_32);

		err = take_phdr(obj, &ph);
	}
	if (!err && obj->segments.len)
		qsort(obj->segments.data, obj->segments.len, sizeof(*obj->segments.data),
		      segment_by_va);
	return err;
}

/* --- section headers -------------------------------------------------------------------------- */

static void take_section(struct elf_obj *obj, size_t i, const Elf64_Shdr *sh, size_t names_len)
{
	struct elf_section *sec = &obj->sections[i];

	*sec = (struct elf_section){
		.name = sh->sh_name < names_len ? obj->names + sh->sh_name : "",
		.index = (uint32_t)i,
		.type = sh->sh_type,
		.flags = sh->sh_flags,
		.va = sh->sh_addr,
		.file_off = sh->sh_offset,
		.size = sh->sh_size,
		.entsize = sh->sh_entsize,
		.link = sh->sh_link,
		.info = sh->sh_info,
	};
	if (obj->type == ET_REL && !sec->va && (sec->flags & SHF_ALLOC))
		sec->va = sec->file_off;
}

/* Offsets of sections that objcopy --only-keep-debug has emptied may overlap. */
static void place_nobits(struct elf_obj *obj)
{
	const uint64_t align = 4096;
	uint64_t va = (obj->file_size + align - 1) / align * align;

	for (size_t i = 0; i < obj->n_sections; i++) {
		struct elf_section *sec = &obj->sections[i];

		if (sec->type != SHT_NOBITS || !(sec->flags & SHF_ALLOC) ||
		    sec->va != sec->file_off)
			continue;
		sec->va = va;
		if (sec->size < REL_SECTION_MAX)
			va += (sec->size + align - 1) / align * align;
	}
}

static int read_names(struct elf_obj *obj, const Elf64_Shdr *sh, size_t *len)
{
	if (sh->sh_type != SHT_STRTAB || sh->sh_size > NAMES_MAX ||
	    !table_in_file(obj, sh->sh_offset, sh->sh_size, 1))
		return -EBADMSG;
	obj->names = calloc(1, sh->sh_size + 1);
	if (!obj->names)
		return -ENOMEM;
	*len = sh->sh_size;
	return elf_read_exact(obj, obj->names, sh->sh_size, sh->sh_offset);
}

/* Counts too large for the ELF header stand in section 0 (gABI, "ELF Header"). */
static int section_counts(struct elf_obj *obj, const Elf64_Ehdr *eh, uint64_t *n, uint32_t *names)
{
	uint8_t bytes[sizeof(Elf64_Shdr)];
	Elf64_Shdr first;
	int err;

	*n = eh->e_shnum;
	*names = eh->e_shstrndx;
	if (*n && *names != SHN_XINDEX)
		return 0;
	err = elf_read_exact(obj, bytes, elf_shdr_size(obj->is_32), eh->e_shoff);
	if (err)
		return err;
	first = elf_shdr_at(bytes, obj->is_32);
	if (!*n)
		*n = first.sh_size;
	if (*names == SHN_XINDEX)
		*names = first.sh_link;
	return 0;
}

static int read_shdrs(struct elf_obj *obj, const Elf64_Ehdr *eh)
{
	_cleanup_free_ uint8_t *shdrs = NULL;
	size_t names_len = 0, size = elf_shdr_size(obj->is_32);
	Elf64_Shdr sh;
	uint32_t names;
	uint64_t n;
	int err;

	if (eh->e_shentsize != size)
		return -EBADMSG;
	err = section_counts(obj, eh, &n, &names);
	if (err)
		return err;
	if (n > SECTIONS_MAX || !table_in_file(obj, eh->e_shoff, n, size))
		return -EBADMSG;
	shdrs = malloc(n * size + 1);
	if (!shdrs)
		return -ENOMEM;
	err = elf_read_exact(obj, shdrs, n * size, eh->e_shoff);
	if (!err && names != SHN_UNDEF) {
		if (names >= n)
			return -EBADMSG;
		sh = elf_shdr_at(shdrs + names * size, obj->is_32);
		err = read_names(obj, &sh, &names_len);
	}
	if (err)
		return err;
	obj->sections = calloc(n + 1, sizeof(*obj->sections));
	obj->loaded = calloc(n + 1, sizeof(*obj->loaded));
	if (!obj->sections || !obj->loaded)
		return -ENOMEM;
	obj->n_sections = n;
	for (size_t i = 0; i < n; i++) {
		sh = elf_shdr_at(shdrs + i * size, obj->is_32);
		take_section(obj, i, &sh, names_len);
	}
	if (obj->type == ET_REL)
		place_nobits(obj);
	return 0;
}

/* A file with a broken section table still runs, since the loader does not need it. So this
 * keeps what the segments give. */
static int read_sections(struct elf_obj *obj, const Elf64_Ehdr *eh)
{
	int err;

	if (!eh->e_shoff)
		return 0;
	err = read_shdrs(obj, eh);
	if (err != -EBADMSG)
		return err;
	obj->truncated = true;
	return 0;
}

/* --- the object ------------------------------------------------------------------------------- */

/* The header, as one of ELF64. */
static int read_header_bytes(struct elf_obj *obj, Elf64_Ehdr *eh)
{
	Elf32_Ehdr narrow;
	int err = elf_read_exact(obj, &narrow, sizeof(narrow), 0); /* the shorter one */

	if (err)
		return err == -EBADMSG ? -ENOEXEC : err;
	if (memcmp(narrow.e_ident, ELFMAG, SELFMAG) != 0 ||
	    narrow.e_ident[EI_DATA] != ELFDATA2LSB || narrow.e_ident[EI_VERSION] != EV_CURRENT)
		return -ENOEXEC;
	obj->is_32 = narrow.e_ident[EI_CLASS] == ELFCLASS32;
	if (obj->is_32)
		*eh = elf_ehdr_of_32(&narrow);
	else if (narrow.e_ident[EI_CLASS] == ELFCLASS64)
		err = elf_read_exact(obj, eh, sizeof(*eh), 0);
	else
		err = -ENOEXEC;
	return err == -EBADMSG ? -ENOEXEC : err;
}

static bool is_supported(bool is_32, uint16_t machine, uint16_t type)
{
	if (type != ET_EXEC && type != ET_DYN && (type != ET_REL || is_32))
		return false;
	if (is_32)
		return machine == EM_386 || machine == EM_X86_64;
	return machine == EM_X86_64 || machine == EM_AARCH64;
}

static int read_header(struct elf_obj *obj, Elf64_Ehdr *eh)
{
	int err = read_header_bytes(obj, eh);

	if (err)
		return err;
	if (!is_supported(obj->is_32, eh->e_machine, eh->e_type))
		return -ENOEXEC;
	obj->machine = eh->e_machine;
	obj->type = eh->e_type;
	obj->entry = eh->e_entry;
	return 0;
}

DEFINE_CLEANUP(elf_obj, elf_obj_free)

static int open_common(struct elf_obj **out, struct elf_obj *parts, const struct elf_limits *limits)
{
	_cleanup_(elf_obj_freep) struct elf_obj *obj = malloc(sizeof(*obj));
	Elf64_Ehdr eh;
	int err;

	if (!obj) {
		cleanup_close_fd(&parts->fd);
		return -ENOMEM;
	}
	*obj = *parts;
	obj->limits = limits ? *limits : elf_limits_default;
	err = read_header(obj, &eh) ?: read_phdrs(obj, &eh) ?: read_sections(obj, &eh)
		?: read_build_id(obj);
	if (err)
		return err;
	*out = steal_ptr(obj);
	return 0;
}

int elf_obj_open(struct elf_obj **out, int fd, const struct elf_limits *limits)
{
	struct elf_obj parts = {.fd = fd};
	struct stat st;
	int err = 0;

	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	if (err) {
		cleanup_close_fd(&fd);
		return err;
	}
	parts.file_size = (uint64_t)st.st_size;
	return open_common(out, &parts, limits);
}

int elf_obj_open_bytes(struct elf_obj **out, const void *data, size_t len,
		       const struct elf_limits *limits)
{
	struct elf_obj parts = {.fd = -1, .bytes = data, .file_size = len};

	return open_common(out, &parts, limits);
}

void elf_obj_free(struct elf_obj *obj)
{
	if (!obj)
		return;
	for (size_t i = 0; i < obj->n_sections; i++)
		free(obj->loaded[i].data);
	free(obj->loaded);
	free(obj->sections);
	free(obj->names);
	vec_release(&obj->segments);
	cleanup_close_fd(&obj->fd);
	free(obj);
}

const struct build_id *elf_obj_build_id(const struct elf_obj *obj)
{
	return &obj->build_id;
}

uint16_t elf_obj_machine(const struct elf_obj *obj)
{
	return obj->machine;
}

uint16_t elf_obj_type(const struct elf_obj *obj)
{
	return obj->type;
}

bool elf_obj_is_32(const struct elf_obj *obj)
{
	return obj->is_32;
}

uint64_t elf_obj_entry(const struct elf_obj *obj)
{
	return obj->entry;
}

bool elf_obj_truncated(const struct elf_obj *obj)
{
	return obj->truncated;
}

uint64_t elf_obj_file_size(const struct elf_obj *obj)
{
	return obj->file_size;
}

const struct elf_segment *elf_obj_segments(const struct elf_obj *obj, size_t *n)
{
	*n = obj->segments.len;
	return obj->segments.data;
}

const struct elf_segment *elf_obj_eh_frame_hdr(const struct elf_obj *obj)
{
	return obj->eh_frame_hdr.file_len ? &obj->eh_frame_hdr : NULL;
}

const struct elf_segment *elf_obj_dynamic(const struct elf_obj *obj)
{
	return obj->dynamic.file_len ? &obj->dynamic : NULL;
}

const struct elf_segment *elf_obj_segment_at_off(const struct elf_obj *obj, uint64_t file_off)
{
	const struct elf_segment *found = NULL;

	for (size_t i = 0; i < obj->segments.len; i++) {
		const struct elf_segment *seg = &obj->segments.data[i];

		if (file_off - seg->file_off >= seg->file_len)
			continue;
		if (seg->exec)
			return seg;
		if (!found)
			found = seg;
	}
	return found;
}

const struct elf_segment *elf_obj_segment_at_va(const struct elf_obj *obj, uint64_t va)
{
	for (size_t i = 0; i < obj->segments.len; i++) {
		const struct elf_segment *seg = &obj->segments.data[i];

		if (va - seg->va < seg->mem_len)
			return seg;
	}
	return NULL;
}

size_t elf_obj_section_count(const struct elf_obj *obj)
{
	return obj->n_sections;
}

const struct elf_section *elf_obj_section_by_index(const struct elf_obj *obj, size_t index)
{
	return index < obj->n_sections ? &obj->sections[index] : NULL;
}

static const struct elf_section *find_section(const struct elf_obj *obj, const char *prefix,
					      const char *name)
{
	size_t prefix_len = strlen(prefix);

	for (size_t i = 1; i < obj->n_sections; i++) {
		const char *s = obj->sections[i].name;

		if (!strncmp(s, prefix, prefix_len) && !strcmp(s + prefix_len, name))
			return &obj->sections[i];
	}
	return NULL;
}

const struct elf_section *elf_obj_section(const struct elf_obj *obj, const char *name)
{
	const struct elf_section *sec = find_section(obj, "", name);

	if (!sec && !strncmp(name, ".debug_", 7))
		sec = find_section(obj, ".z", name + 1);
	return sec;
}
