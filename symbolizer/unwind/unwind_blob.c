// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_blob.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/hash.h"

static bool rule_ok(const struct unwind_rule *rule)
{
	return rule->cfa < UNWIND_CFA_COUNT && UNWIND_BP_KIND(*rule) < UNWIND_BP_COUNT;
}

static bool run_ok(const uint8_t *run, uint32_t n, bool wide, uint32_t n_rules)
{
	uint32_t rule;

	for (uint32_t i = 0; i < n; i++, run += wide ? 4 : 2) {
		rule = wide ? (uint32_t)(run[2] | run[3] << 8) : run[1];
		if (rule >= n_rules || (i ? run[0] <= run[wide ? -4 : -2] : run[0] != 0))
			return false;
	}
	return true;
}

static bool entry_ok(const uint8_t *blob, const struct unwind_head *head, uint32_t entry)
{
	uint32_t n = UNWIND_RUN_ROWS(entry), bytes = n * (UNWIND_RUN_WIDE(entry) ? 4 : 2);
	uint64_t at = (uint64_t)head->rows_off + UNWIND_RUN_START(entry) * 2ull;

	if (!n)
		return UNWIND_RUN_START(entry) < head->n_rules && !UNWIND_RUN_WIDE(entry);
	return at + bytes <= head->size && at % UNWIND_PAGE + bytes <= UNWIND_PAGE &&
	       run_ok(blob + at, n, UNWIND_RUN_WIDE(entry), head->n_rules);
}

static bool head_ok(const struct unwind_head *head, size_t len)
{
	uint64_t rules_end = sizeof(*head) + head->n_rules * (uint64_t)sizeof(struct unwind_rule);
	uint64_t index_end = rules_end + head->n_buckets * 4ull;

	return (head->machine == EM_X86_64 || head->machine == EM_386) && head->size == len &&
	       len % UNWIND_PAGE == 0 && head->text_va % UNWIND_BUCKET == 0 && head->n_rules &&
	       head->n_rules <= UNWIND_RULES_MAX &&
	       head->n_buckets <= UNWIND_TEXT_MAX / UNWIND_BUCKET + 1 &&
	       head->index_off == rules_end && head->rows_off == index_end && index_end <= len;
}

uint64_t unwind_blob_hash(const void *blob, size_t len)
{
	const uint8_t *body = (const uint8_t *)blob + sizeof(struct unwind_head);
	struct unwind_head head;

	memcpy(&head, blob, sizeof(head));
	head.check = 0;
	return hash_bytes(body, len - sizeof(head), hash_bytes(&head, sizeof(head), 0));
}

int unwind_blob_check(const void *blob, size_t len)
{
	const uint8_t *bytes = blob;
	struct unwind_head head;
	struct unwind_rule rule;
	uint32_t entry;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, blob, sizeof(head));
	if (head.magic != UNWIND_MAGIC)
		return -EBADMSG;
	if (head.version != UNWIND_VERSION)
		return -EPROTO;
	if (!head_ok(&head, len) || unwind_blob_hash(blob, len) != head.check)
		return -EBADMSG;
	for (uint32_t i = 0; i < head.n_rules; i++) {
		memcpy(&rule, bytes + sizeof(head) + i * sizeof(rule), sizeof(rule));
		if (!rule_ok(&rule))
			return -EBADMSG;
	}
	for (uint32_t i = 0; i < head.n_buckets; i++) {
		memcpy(&entry, bytes + head.index_off + i * sizeof(entry), sizeof(entry));
		if (!entry_ok(bytes, &head, entry))
			return -EBADMSG;
	}
	return 0;
}

const char *unwind_cfa_name(enum unwind_cfa kind)
{
	static const char *const names[] = {
#define X(kind, name) name,
		UNWIND_CFA_KINDS(X)
#undef X
	};

	return kind < UNWIND_CFA_COUNT ? names[kind] : "?";
}

const char *unwind_bp_name(enum unwind_bp kind)
{
	static const char *const names[] = {
#define X(kind, name) name,
		UNWIND_BP_KINDS(X)
#undef X
	};

	return kind < UNWIND_BP_COUNT ? names[kind] : "?";
}
