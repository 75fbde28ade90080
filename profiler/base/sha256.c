// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/sha256.h"

#include <string.h>

#define BLOCK 64

struct state {
	uint32_t h[8];
	uint8_t block[BLOCK];
	size_t used; /* of block */
	uint64_t len;
};

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One t of step 3: d becomes the next e, and h the next a. */
static inline void step(const uint32_t *a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e,
			uint32_t f, uint32_t g, uint32_t *h, uint32_t word)
{
	uint32_t t1 =
		*h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + word;
	uint32_t t2 =
		(rotate(*a, 2) ^ rotate(*a, 13) ^ rotate(*a, 22)) + ((*a & b) ^ (*a & c) ^ (b & c));

	*d += t1;
	*h = t1 + t2;
}

/* 6.2.2, steps 1 to 4; the names are the standard's. */
static void add_block(struct state *s, const uint8_t *block)
{
	uint32_t w[64], v[8];

	for (unsigned t = 0; t < 16; t++)
		w[t] = load_be32(block + 4 * t);
	for (unsigned t = 16; t < 64; t++) {
		uint32_t x = w[t - 15], y = w[t - 2];

		w[t] = (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10) + w[t - 7] +
		       (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 16];
	}
	memcpy(v, s->h, sizeof(v));
	/* The variables stay where they are, and change their names: eight steps later they have them back. */
	for (unsigned t = 0; t < 64; t += 8) {
		for (unsigned i = 0; i < 8; i++)
			w[t + i] += constants[t + i];
		step(&v[0], v[1], v[2], &v[3], v[4], v[5], v[6], &v[7], w[t]);
		step(&v[7], v[0], v[1], &v[2], v[3], v[4], v[5], &v[6], w[t + 1]);
		step(&v[6], v[7], v[0], &v[1], v[2], v[3], v[4], &v[5], w[t + 2]);
		step(&v[5], v[6], v[7], &v[0], v[1], v[2], v[3], &v[4], w[t + 3]);
		step(&v[4], v[5], v[6], &v[7], v[0], v[1], v[2], &v[3], w[t + 4]);
		step(&v[3], v[4], v[5], &v[6], v[7], v[0], v[1], &v[2], w[t + 5]);
		step(&v[2], v[3], v[4], &v[5], v[6], v[7], v[0], &v[1], w[t + 6]);
		step(&v[1], v[2], v[3], &v[4], v[5], v[6], v[7], &v[0], w[t + 7]);
	}
	for (unsigned i = 0; i < 8; i++)
		s->h[i] += v[i];
}

static void add(struct state *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	s->len += len;
	while (len) {
		size_t n = BLOCK - s->used < len ? BLOCK - s->used : len;

		memcpy(s->block + s->used, p, n);
		s->used += n;
		p += n;
		len -= n;
		if (s->used == BLOCK) {
			add_block(s, s->block);
			s->used = 0;
		}
	}
}

static void begin(struct state *s)
{
	static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	*s = (struct state){0};
	memcpy(s->h, first, sizeof(first));
}

static void end(struct state *s, uint8_t out[SHA256_LEN])
{
	static const uint8_t padding[BLOCK] = {0x80};
	uint64_t bits = s->len * 8;
	uint8_t length[8];

	for (unsigned i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	add(s, padding, 1 + (2 * BLOCK - 1 - sizeof(length) - s->used) % BLOCK);
	add(s, length, sizeof(length));
	for (unsigned i = 0; i < SHA256_LEN; i++)
		out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256(const void *data, size_t len, uint8_t out[SHA256_LEN])
{
	struct state s;

	begin(&s);
	add(&s, data, len);
	end(&s, out);
}

static void keyed(const uint8_t key[BLOCK], uint8_t pad, const void *data, size_t len,
		  uint8_t out[SHA256_LEN])
{
	uint8_t padded[BLOCK];
	struct state s;

	for (unsigned i = 0; i < BLOCK; i++)
		padded[i] = key[i] ^ pad;
	begin(&s);
	add(&s, padded, BLOCK);
	add(&s, data, len);
	end(&s, out);
}

void sha256_hmac(const void *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[SHA256_LEN])
{
	uint8_t block[BLOCK] = {0}, inner[SHA256_LEN];

	if (key_len > BLOCK)
		sha256(key, key_len, block);
	else if (key_len)
		memcpy(block, key, key_len);
	keyed(block, 0x36, data, len, inner);
	keyed(block, 0x5c, inner, sizeof(inner), out);
}
