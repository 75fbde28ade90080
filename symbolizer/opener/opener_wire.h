/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the opener's processes, over SOCK_SEQPACKET pairs (message.h). All of them are the
 * same program, so layouts agree.
 *
 * kiln asks a hand (opener_hand.c), one question at a time: struct opener_ask, bytes; perhaps with a
 * reader's socket. The hand answers struct opener_answer. A hand asks the keeper (keeper.h): struct
 * keeper_ask, perhaps with a descriptor; it answers struct keeper_answer, perhaps with one. kiln
 * tells the keeper without an answer.
 */
#ifndef KILN_SYMBOLIZER_OPENER_OPENER_WIRE_H
#define KILN_SYMBOLIZER_OPENER_OPENER_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

#include "symbolizer/opener/mapped_file.h"
#include "symbolizer/query/answer.h"
#include "symbolizer/sandbox/message.h"

/* File systems that are left alone because their server hung. */
#define OPENER_SKIP_MAX 32
/* Bytes after a question: a path, or a reader's message with a path. */
#define OPENER_BYTES_MAX (48u << 10)

/* The first message to a new process says what it is. */
enum opener_role { OPENER_KEEPER = 1, OPENER_HAND };

struct opener_hello { /* to a hand: with its socket to the keeper */
	uint32_t role, note;
};

enum opener_what {
	OPENER_MAPPED = 1,  /* open a mapped file; path */
	OPENER_MAP,	    /* open a file that a JIT compiler wrote; path */
	OPENER_LOOK,	    /* does it start like an ELF file? path */
	OPENER_GIVE,	    /* send a message with a file that is held; message; socket */
	OPENER_GIVE_HANDLE, /* the same with a handle as it is held */
	OPENER_ELF,	    /* open an ELF file and send it with a message; `split`; socket */
	OPENER_DEBUG, /* the same for a store: see opener_give_debug(); `split` 0: a held one */
};

struct opener_ask {
	uint32_t what, tgid, parent_tgid, uid;
	uint32_t major, minor, n_skip;
	uint32_t split; /* length of the path with its NUL, before the message */
	uint32_t of_root, reserved;
	uint64_t number, origin, root, inode, generation, va_start, va_end;
	struct build_id build_id;
	uint64_t skip[OPENER_SKIP_MAX];
};

struct opener_answer {
	int32_t err;
	uint32_t uid;
	uint8_t replaced, has_root, keeper_gone, others_read;
	struct build_id build_id;
	uint64_t generation;
	struct root_key root;
	struct sym_file_key key;
};

enum keeper_what {
	KEEPER_LINK = 1, /* from kiln: with the socket of a hand */
	KEEPER_DUP,	 /* from kiln: `other` shall be the same file */
	KEEPER_DROP,	 /* from kiln */
	KEEPER_PUT,	 /* from a hand: with an O_PATH descriptor */
	KEEPER_GET,	 /* from a hand: answered with the descriptor */
};

struct keeper_ask {
	uint32_t what, reserved;
	uint64_t number, other;
};

struct keeper_answer {
	int32_t err;
};

/* What a hand is doing, in memory that it shares with kiln. Hostile like its messages. */
struct opener_note {
	_Atomic uint64_t dev;  /* of the file that it opens, reads or closes; 0: unknown */
	_Atomic uint32_t sent; /* the message has been passed on; only closing is left */
};

/* In a new process, see keeper.h and opener_hand.c. */
int opener_hand_serve(int sock, int keeper, struct opener_note *note);

#endif
