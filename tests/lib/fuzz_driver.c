// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz target (tests/fuzz) without libFuzzer, for some seconds, in the flavour of the tests: over its seeds, and
 * over mutants of them. What it finds it finds fast or not at all: `make fuzz` looks for more.
 *
 *	fuzz_X SECONDS NUMBER CORPUS	NUMBER: with the same, the same mutants come
 *
 * If the target ends the process, the input is in ./crash, and the exit status is not 0.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/vec.h"

#define LEN_MAX	  65536
#define SEEDS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seed {
	uint8_t *data;
	size_t len;
} seeds[SEEDS_MAX];
static size_t n_seeds;

static uint8_t input[LEN_MAX];
static size_t input_len;
static uint64_t state;

static uint64_t draw(uint64_t below) /* xorshift64* */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return below ? (state * 0x2545f4914f6cdd1dull >> 16) % below : 0;
}

static void on_end(int sig)
{
	int fd = open("crash", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0 && write(fd, input, input_len) < 0)
		_exit(99);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* --- seeds ------------------------------------------------------------------------------------- */

static void read_seed(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct seed s = {malloc(LEN_MAX), 0};
	ssize_t n = fd < 0 || !s.data ? -1 : read(fd, s.data, LEN_MAX);

	if (fd >= 0)
		close(fd);
	if (n < 0 || n_seeds >= SEEDS_MAX) {
		free(s.data);
		return;
	}
	s.len = (size_t)n;
	seeds[n_seeds++] = s;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_seeds(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, by_name);

	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			read_seed(dir, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (dir >= 0)
		close(dir);
}

/* --- mutants ----------------------------------------------------------------------------------- */

static void set_number(size_t at)
{
	static const uint64_t odd[] = {0,	   1,	      0x7f,	  0x80,	       0xff,
				       0x7fff,	   0xffff,    0x7fffffff, 0x80000000,  0xffffffff,
				       UINT64_MAX, INT64_MAX, 1ull << 63, 0x100000000, 4096};
	uint64_t value = odd[draw(sizeof(odd) / sizeof(*odd))];
	size_t len = 1ull << draw(4);

	if (len <= input_len - at)
		memcpy(input + at, &value, len);
}

/* Copies a piece of a seed over what is there, or takes a piece out. */
static void move_piece(size_t at)
{
	const struct seed *s = &seeds[draw(n_seeds)];
	size_t from = draw(s->len), len = draw(s->len - from + 1);

	if (draw(4)) {
		len = len < LEN_MAX - at ? len : LEN_MAX - at;
		memcpy(input + at, s->data + from, len);
		input_len = at + len > input_len ? at + len : input_len;
		return;
	}
	len = draw(input_len - at + 1);
	memmove(input + at, input + at + len, input_len - at - len);
	input_len -= len;
}

static void mutate(void)
{
	for (uint64_t n = 1 + draw(8); n && input_len; n--) {
		size_t at = draw(input_len);

		switch (draw(4)) {
		case 0:
			input[at] ^= (uint8_t)(1u << draw(8));
			break;
		case 1:
			input[at] = (uint8_t)draw(256);
			break;
		case 2:
			set_number(at);
			break;
		default:
			move_piece(at);
		}
	}
}

static void run_one(void)
{
	/* Of its very size, so that sanitizers see what is read behind it. */
	uint8_t *exact = malloc(input_len + !input_len);

	if (!exact)
		abort();
	memcpy(exact, input, input_len);
	LLVMFuzzerTestOneInput(exact, input_len);
	free(exact);
}

int main(int argc, char **argv)
{
	uint64_t until, runs = 0;

	if (argc != 4)
		return 2;
	state = strtoull(argv[2], NULL, 10) * 2 + 1;
	read_seeds(argv[3]);
	if (!n_seeds)
		return 2;
	signal(SIGABRT, on_end);
	signal(SIGSEGV, on_end);
	until = monotonic_ns() + strtoull(argv[1], NULL, 10) * NS_PER_S;
	for (; runs < n_seeds || monotonic_ns() < until; runs++) {
		const struct seed *s = &seeds[runs < n_seeds ? runs : draw(n_seeds)];

		memcpy(input, s->data, s->len);
		input_len = s->len;
		if (runs >= n_seeds)
			mutate();
		run_one();
	}
	printf("%llu runs\n", (unsigned long long)runs);
	return 0;
}
