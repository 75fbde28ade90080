// SPDX-License-Identifier: GPL-2.0-or-later
/* Relabel rules: which match, what they make, and that each sees what came before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/agent/label_rules.h"

struct fixture {
	struct config *config;
	struct label_rules *rules;
	struct label_set set;
};

static void begin(struct fixture *f, const char *rules)
{
	struct config_errors errs = {0};
	char text[2048];

	memset(f, 0, sizeof(*f));
	snprintf(text, sizeof(text), "relabel:\n%s", rules);
	if (config_parse(&f->config, "k", text, strlen(text), &errs))
		fail_msg("%s", buf_cstr(&errs.text));
	assert_int_equal(label_rules_new(&f->rules, f->config), 0);
	label_set_put(&f->set, "unit", "nginx@blue.service");
	label_set_put(&f->set, "comm", "nginx");
	label_set_put(&f->set, "pod", "web-7d4b9c6f5-abcde");
}

static bool run(struct fixture *f)
{
	return label_rules_run(f->rules, &f->set);
}

static void end(struct fixture *f)
{
	label_rules_free(f->rules);
	label_set_release(&f->set);
	config_free(f->config);
}

static void keep_and_drop(void **state)
{
	static const struct {
		const char *rules;
		bool keeps;
	} cases[] = {
		{"- {action: drop, source: unit, regex: 'nginx@.*'}", false},
		{"- {action: drop, source: unit, regex: 'nginx'}", true}, /* the whole value */
		{"- {action: drop, source: unit, regex: 'nginx|nginx@blue.service'}", false},
		{"- {action: drop, source: nothing, regex: ''}",
		 false}, /* no label is an empty one */
		{"- {action: drop, source: nothing, regex: '.+'}", true},
		{"- {action: keep, source: comm, regex: '[a-n]{5}|x'}", false},
		{"- {action: keep, source: comm, regex: '[a-x]{5}'}", true},
		{"- {action: keep, source: comm, regex: nginx}\n"
		 "- {action: drop, source: comm, regex: nginx}",
		 false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture f;

		begin(&f, cases[i].rules);
		assert_int_equal(run(&f), cases[i].keeps);
		end(&f);
	}
}

static void replacements(void **state)
{
	static const struct {
		const char *rules, *key, *value;
	} cases[] = {
		{"- {action: replace, source: pod, regex: '(.*)-[a-z0-9]+-[a-z0-9]{5}', target: "
		 "app}",
		 "app", "web"},
		{"- {action: replace, source: unit, regex: '([^@]*)@([^.]*).*', target: x, "
		 "replacement: '$2-${1}1 $0 $$ $9 $x'}",
		 "x", "blue-nginx1 nginx@blue.service $  $x"},
		{"- {action: replace, target: dc, replacement: fra}", "dc", "fra"},
		{"- {action: replace, source: comm, target: copy}", "copy", "nginx"},
		{"- {action: replace, source: comm, regex: apache, target: copy}", "copy", ""},
		/* an empty value is none */
		{"- {action: replace, target: comm, replacement: ''}", "comm", ""},
		/* it sees what the one before made */
		{"- {action: replace, target: a, replacement: x}\n"
		 "- {action: replace, source: a, target: b, replacement: $1$1}",
		 "b", "xx"},
		/* and itself */
		{"- {action: replace, source: comm, target: comm, replacement: '<$1>'}", "comm",
		 "<nginx>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture f;

		begin(&f, cases[i].rules);
		assert_true(run(&f));
		assert_string_equal(label_set_get(&f.set, cases[i].key), cases[i].value);
		end(&f);
	}
}

/* A value doubles with each rule; it stays bounded, and a character is not cut in two. */
static void bounded_values(void **state)
{
	struct fixture f;
	char rules[2048] = "- {action: replace, target: comm, replacement: '\xc3\xa4'}\n"
			   "- {action: replace, source: comm, target: comm, replacement: 'x$1'}\n";

	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(rules,
		       "- {action: replace, source: comm, target: comm, replacement: '$1$1'}\n");
	begin(&f, rules);
	assert_true(run(&f));
	assert_in_range(strlen(label_set_get(&f.set, "comm")), LABEL_VALUE_MAX - 3,
			LABEL_VALUE_MAX);
	assert_int_equal((unsigned char)label_set_get(&f.set, "comm")[1], 0xc3);
	end(&f);
}

static void more_labels_than_there_is_room_for(void **state)
{
	struct label_set s = {0};
	char keys[LABEL_SET_MAX + 10][8];

	(void)state;
	for (int i = 0; i < LABEL_SET_MAX + 10; i++) {
		snprintf(keys[i], sizeof(keys[i]), "l%d", i);
		label_set_put(&s, keys[i], "x");
	}
	assert_int_equal(s.n, LABEL_SET_MAX);
	label_set_put(&s, "l3", "");
	assert_int_equal(s.n, LABEL_SET_MAX - 1);
	assert_string_equal(label_set_get(&s, "l3"), "");
	assert_string_equal(label_set_get(&s, "l4"), "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keep_and_drop),
		cmocka_unit_test(replacements),
		cmocka_unit_test(bounded_values),
		cmocka_unit_test(more_labels_than_there_is_room_for),
	};

	return cmocka_run_group_tests_name("label_rules", tests, NULL, NULL);
}
