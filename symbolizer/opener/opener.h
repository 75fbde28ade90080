/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The opener: expendable processes that open foreign files for kiln, look at them and close them.
 * kiln knows the files by number and never has their descriptors. A file on a server that hangs
 * blocks whoever opens, reads or closes it until SIGKILL.
 *
 * A hand is a process that opens one file at a time. Hands may read every file and nothing else. A
 * hand that does not answer is killed and not waited for, and another one takes over. What hands
 * have opened is held by the keeper (keeper.h), so nothing is lost with a hand. When the keeper
 * ends, all files are lost and have to be opened again.
 *
 * Readers get files from a hand, with messages that kiln has written. A file system whose server
 * hung three times is left alone for an hour (-EHOSTDOWN); the waits before are 1 s, 0.5 s, 0.25 s.
 * While OPENER_HUNG_MAX hands hang, nothing is opened (-EBUSY).
 *
 * Any thread may call these functions. The processes end with the thread that called opener_new().
 */
#ifndef KILN_SYMBOLIZER_OPENER_OPENER_H
#define KILN_SYMBOLIZER_OPENER_OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/opener/mapped_file.h"
#include "symbolizer/query/answer.h"

struct opener;

/* Hands that were killed and have not ended. Three for each file system that hung. */
#define OPENER_HUNG_MAX 96

/* Forks the spawner, so call it while kiln holds nothing yet. 0, or -errno. */
int opener_new(struct opener **out);
/* Ends the processes and all questions, and waits for none that hangs. Drops the first reference. */
void opener_free(struct opener *o);
/* A thread that may outlive the owner has a reference of its own. */
struct opener *opener_ref(struct opener *o);
void opener_unref(struct opener *o);

struct opened {
	int err; /* 0 or -errno: -ETIMEDOUT if its server hangs, -EHOSTDOWN if it did too often */
	bool replaced;
	struct build_id build_id;
	uint64_t generation;
	struct held_file file; /* the caller's, as is file.root; see opener_close() */
	struct root_key root;  /* if file.root is not 0 */
};

/* Opens a mapped file, see open_mapped_file(). root: number of a held root, in place of
 * req->root_fd; 0: none. */
void opener_mapped(struct opener *o, const struct open_request *req, uint64_t root,
		   struct opened *out);

/* Opens a perf map, if a program of `owner` is believed it: see jit_files.h. `path` is below a held
 * root, else below the root of process tgid, else (0) the host's. 0 or -errno. */
int opener_map(struct opener *o, uint64_t root, pid_t tgid, const char *path, uint32_t owner,
	       struct held_file *out);

/* True if a file of the host starts like an ELF file. */
bool opener_is_elf(struct opener *o, const char *path);

/* A message to a reader's socket. */
struct opener_mail {
	int sock;
	const void *head, *body;
	size_t head_len, body_len;
};
/* Sends a message with a file. 0 or -errno: -EAGAIN if the socket is full, -ESTALE if the file is
 * lost. */
int opener_give(const struct held_file *file, const struct opener_mail *mail);
/* Opens an ELF file that is no core dump, below a held root or (0) the host's, and sends it with a
 * message. Leaves a file system alone that hung only once. *dev is the file's. 0 or -errno. */
int opener_give_elf(struct opener *o, uint64_t root, const char *path,
		    const struct opener_mail *mail, uint64_t *dev);

/*
 * Sends an ELF file of this build id with a message, for a store of debug information: the file that is held; or,
 * with a path, one below its root. It has a symbol table, as debug files have, and everybody may read it. of_root: nobody but root
 * can have written it, so that the build id may be believed: root owns it alone, on a file system where that counts
 * (not nosuid). 0; -ENOENT (no such file), -EACCES (not for everybody), -EPERM (not root's), or another -errno.
 */
int opener_give_debug(const struct held_file *file, const char *path, const struct build_id *id,
		      bool of_root, const struct opener_mail *mail);

/* Gives this process descriptors of a file and its root (-1: the host's). Only for a process that may
 * hang and holds nothing else. 0 or -errno. */
int opener_claim(const struct held_file *file, int *fd, int *root_fd);

/* A handle (O_PATH) of a held file, which reads nothing: a descriptor of this process, or -errno. Closing it asks no
 * file server. */
int opener_handle(const struct held_file *file);

/* Holds the same file, and its root, once more. */
void opener_dup(const struct held_file *file, struct held_file *out);
/* Lets go of a number: a file or a root. 0 is fine. */
void opener_close(struct opener *o, uint64_t number);
/* False if the file was lost with the keeper. */
bool opener_has(struct opener *o, uint64_t number);

/* A reader hung on that file system, too. */
void opener_note_stall(struct opener *o, uint64_t dev);

struct opener_stats {
	uint64_t stalls;  /* hands that were killed because a file server hung */
	uint64_t skipped; /* files that were left alone for that */
	uint64_t crowded; /* files not opened because too many hands hang */
	uint64_t lost;	  /* times the keeper ended */
};
void opener_stats(struct opener *o, struct opener_stats *out);

#endif
