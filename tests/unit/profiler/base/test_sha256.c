// SPDX-License-Identifier: GPL-2.0-or-later
/* The published vectors: FIPS 180-2's, and those of RFC 4231 for HMAC. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "profiler/base/sha256.h"
#include "profiler/base/text.h"

static void assert_hex(const uint8_t hash[SHA256_LEN], const char *wanted)
{
	char text[2 * SHA256_LEN + 1];

	text_hex(hash, SHA256_LEN, text);
	assert_string_equal(text, wanted);
}

static void published_hashes(void **state)
{
	char *million = malloc(1000000);
	uint8_t hash[SHA256_LEN];

	(void)state;
	sha256("", 0, hash);
	assert_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256("abc", 3, hash);
	assert_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hash);
	assert_hex(hash, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_non_null(million);
	memset(million, 'a', 1000000);
	sha256(million, 1000000, hash);
	assert_hex(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

/* Around the places where the length no longer fits into the last block. */
static void lengths_at_the_edge_of_a_block(void **state)
{
	static const struct {
		size_t len;
		const char *wanted;
	} cases[] = {
		{55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
		{56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
		{63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
		{64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
		{65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
	};
	char text[80];
	uint8_t hash[SHA256_LEN];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		sha256(text, cases[i].len, hash);
		assert_hex(hash, cases[i].wanted);
	}
}

static void published_hmacs(void **state)
{
	uint8_t key[131], hash[SHA256_LEN];
	const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";

	(void)state;
	memset(key, 0x0b, 20);
	sha256_hmac(key, 20, "Hi There", 8, hash);
	assert_hex(hash, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	sha256_hmac("Jefe", 4, "what do ya want for nothing?", 28, hash);
	assert_hex(hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	sha256_hmac(key, sizeof(key), text, strlen(text), hash);
	assert_hex(hash, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_hashes),
		cmocka_unit_test(lengths_at_the_edge_of_a_block),
		cmocka_unit_test(published_hmacs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
