// SPDX-License-Identifier: GPL-2.0-or-later
/* C++ names: those of new compilers, how they are spelled, and hostile ones. */
#include <pthread.h>
#include <time.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/sanitizer.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "symbolizer/symbols/demangle_cpp.h"
#include "symbolizer/symbols/llvm_demangle.h"
#include "tests/lib/fixture.h"

#define MUTANTS 300000
/* What llvm_demangle.h asks for. A sanitizer keeps much of its own there. */
#define STACK_BYTES ((1536ul << 10) + (SANITIZED ? 4ul << 20 : 0))

/* NULL when it stays mangled. */
static const char *demangled(const char *mangled)
{
	static struct buf out;

	buf_clear(&out);
	if (!demangle_cpp(&out, mangled)) {
		assert_int_equal(out.len, 0);
		return NULL;
	}
	assert_int_equal(out.err, 0);
	return buf_cstr(&out);
}

struct pair {
	const char *mangled, *want; /* NULL: stays mangled */
};

static void check_pairs(const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = demangled(pairs[i].mangled);

		if (!pairs[i].want != !got || (got && strcmp(got, pairs[i].want) != 0))
			fail_msg("%s\n  got  %s\n  want %s", pairs[i].mangled, got ?: "nothing",
				 pairs[i].want ?: "nothing");
	}
}

#define CHECK_PAIRS(pairs) check_pairs(pairs, sizeof(pairs) / sizeof(*(pairs)))

/* Constraints, "auto" parameters, objects as parameters, literals of classes: clang 18 and later. */
static void test_names_of_new_compilers(void **state)
{
	static const struct pair pairs[] = {
		{"_Z11abbreviatedITk5SmalllEvT_", "void abbreviated<long>(long)"},
		{"_Z11constrainedITk5SmallcEvT_", "void constrained<char>(char)"},
		{"_Z13with_requiresI1FQ4HasFIT_EEvS1_", "void with_requires<F>(T)"},
		{"_Z9value_argITnDaLi42EEvv", "void value_arg<42>()"},
		{"_Z9value_argITnDaLc120EEvv", "void value_arg<(char)120>()"},
		{"_ZNH1D4selfIS_EEvOT_", "void D::self<D>(this D&&)"},
		{"_Z9class_argIXtl3LitLi1ELi2EEEEvv", "void class_arg<Lit{1, 2}>()"},
		{"_ZZ4mainENKUlTk5SmallT_E_clIiEEDaS_",
		 "auto main::{lambda<Small $T>($T)#1}::operator()<int>($T) const"},
	};

	(void)state;
	CHECK_PAIRS(pairs);
}

static void test_spelling(void **state)
{
	static const struct pair pairs[] = {
		/* Brackets that follow each other have a space between them, operators do not. */
		{"_ZTI1AI1BIiEE", "typeinfo for A<B<int> >"},
		{"_Z1f1AI1BI1CIiEEE", "f(A<B<C<int> > >)"},
		{"_ZN1AlsIiEEvT_", "void A::operator<< <int>(int)"},
		{"_ZN1AltIiEEvT_", "void A::operator< <int>(int)"},
		{"_ZN1ArsIiEEvT_", "void A::operator>><int>(int)"},
		{"_ZN1AlsEi", "A::operator<<(int)"},
		{"_ZN1AgtI1BIiEEEvT_", "void A::operator><B<int> >(B<int>)"},
		{"_ZN1ArSEv", "A::operator>>=()"},
		{"_ZN1AlSEv", "A::operator<<=()"},
		{"_ZN1AssI1BIiEEEvv", "void A::operator<=><B<int> >()"},
		{"_ZN1AptI1BIiEEEvv", "void A::operator-><B<int> >()"},
		{"_Z1fI1AIXrsLi1ELi2EEEEvv", "void f<A<(1 >> 2)> >()"},
		{"_Z1f11my_operator1BI11an_operatorE", "f(my_operator, B<an_operator>)"},
		{"_Z1f1AI1BI11an_operatorEE", "f(A<B<an_operator> >)"},
		/* Lambdas and types without a name have numbers. */
		{"_ZZ1fvENKUlvE_clEv", "f()::{lambda()#1}::operator()() const"},
		{"_ZZ1fvENKUlvE0_clEv", "f()::{lambda()#2}::operator()() const"},
		{"_ZZ1fvENKUlvE41_clEv", "f()::{lambda()#43}::operator()() const"},
		{"_ZZ1fvENKUliPFviEE_clEiS0_",
		 "f()::{lambda(int, void (*)(int))#1}::operator()(int, void (*)(int)) const"},
		{"_Z1gIZ1fvEUlZ1hvEUlvE0_E_EvT_",
		 "void g<f()::{lambda(h()::{lambda()#2})#1}>(f()::{lambda(h()::{lambda()#2})#1})"},
		{"_ZZ1fvENKUlTnPFvvET_E_clIiEEDaS_",
		 "auto f()::{lambda<void (*$N)()>($N)#1}::operator()<int>(void ()) const"},
		{"_ZZ1fvENUt_1gEv", "f()::{unnamed type#1}::g()"},
		{"_ZZ1fvENUt8_1gEv", "f()::{unnamed type#10}::g()"},
		/* Clones that do not count as the function. */
		{"_Z3foov.resume", "foo() [clone .resume]"},
		{"_Z3foov.resume.0.destroy", "foo() [clone .resume.0] [clone .destroy]"},
		{"_Z3foo1A.0", "foo(A) [clone .0]"},
		{"_ZGTtnwm", "transaction clone for operator new(unsigned long)"},
		{"_ZGTtGTt1fv", NULL},
		{"_ZGTt", NULL},
		{"_Z", NULL},
		{"_ZN", NULL},
		{"_Z1fP", NULL},
		{"_Z9f", NULL},
		{"_ZS_", NULL},
		{"_Z1fS9_", NULL},
		/* An identifier may hold anything. */
		{"_Z9'lambda'(v", "{lambda(()"},
		{"_Z7'lambdav", "'lambda()"},
		{"_Z9'lambda'xv", "'lambda'x()"},
		{"_Z4\033[0mv", "\xef\xbf\xbd[0m()"},
	};

	(void)state;
	CHECK_PAIRS(pairs);
}

/* --- names of a big library ----------------------------------------------------------------------- */

static VEC(char *) names;

static void read_names(void)
{
	static char line[65536];
	FILE *in;

	fixture_run("for f in $(g++ -print-file-name=libstdc++.so) "
		    "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1; do "
		    "nm -D --defined-only $f; done | sed 's/@.*//' | awk '{print $3}' | grep ^_Z "
		    ">names");
	in = fopen("names", "re");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		assert_int_equal(vec_push(&names, strdup(line)), 0);
	}
	fclose(in);
	assert_true(names.len > 40000);
}

static void write_demangled(void)
{
	FILE *f = fopen("ours", "we");

	assert_non_null(f);
	for (size_t i = 0; i < names.len; i++)
		fprintf(f, "%s\n", demangled(names.data[i]) ?: names.data[i]);
	assert_int_equal(fclose(f), 0);
}

/* But for the spelling each name says what LLVM's own tool says; it leaves transaction clones. */
static void test_real_names_against_llvm(void **state)
{
	(void)state;
	write_demangled();
	fixture_run("grep -v ^_ZGTt names | llvm-cxxfilt-19 | sed \"s/'lambda[0-9]*'/lambda/g\" "
		    ">theirs");
	fixture_run("paste -d '\\t' names ours | grep -v ^_ZGTt | cut -f 2- | "
		    "sed -E ':a; s/> >/>>/; ta; s/\\{lambda/lambda/g; s/#[0-9]+\\}//g; "
		    "s/operator(<+) </operator\\1</g' | diff - theirs >&2");
}

/* What binutils of Debian 12 knows it says as well, but for some types of local names and for
 * "A<B<int>>" in front of an empty pack. */
static void test_real_names_against_cxxfilt(void **state)
{
	(void)state;
	write_demangled();
	fixture_run("c++filt --no-verbose <names >theirs");
	fixture_run("paste names ours theirs | sed 's/decltype(nullptr)/std::nullptr_t/g' | awk -F "
		    "'\\t' '"
		    "$1 == $3 { next } { all++ } $2 == $3 { same++ } "
		    "{ gsub(/> /, \">\"); if ($2 == $3) close_to++ } "
		    "END { print same, close_to, all; exit same < all * 0.97 || close_to < all * "
		    "0.998 }'");
}

/* --- hostile names -------------------------------------------------------------------------------- */

static uint64_t random_state;

static size_t below(size_t n)
{
	random_state += 0x9e3779b97f4a7c15ull;
	return n ? hash_u64(random_state) % n : 0;
}

/* Part of another name, or of itself, put in somewhere; or a letter changed, put in or taken out. */
static void mutate(char *name, const char *other)
{
	static const char letters[] = "NKSTIEJLPROFMADpZUl_0123456789abcdefghijlmnostvwxyzCVB";
	size_t len = strlen(name), at = 2 + below(len - 1), from, part;

	switch (below(4)) {
	case 0:
		if (at < len)
			name[at] = letters[below(sizeof(letters) - 1)];
		return;
	case 1:
		memmove(name + at + 1, name + at, len - at + 1);
		name[at] = letters[below(sizeof(letters) - 1)];
		return;
	case 2:
		if (at < len)
			memmove(name + at, name + at + 1, len - at);
		return;
	default:
		from = 2 + below(strlen(other) - 2);
		part = below(strlen(other + from) + 1) % 40;
		memmove(name + at + part, name + at, len - at + 1);
		memcpy(name + at, other + from, part);
	}
}

static void test_broken_names(void **state)
{
	size_t readable = 0;
	char name[1024];

	(void)state;
	for (size_t i = 0; i < MUTANTS; i++) {
		const char *start = names.data[below(names.len)], *text;

		if (strlen(start) > 300)
			continue;
		strcpy(name, start);
		for (size_t n = 1 + below(3); n && strlen(name) > 4; n--)
			mutate(name, names.data[below(names.len)]);
		text = demangled(name);
		readable += text != NULL;
		assert_true(!text || (strlen(text) <= LLVM_TEXT_MAX + 256 &&
				      text_is_clean(text, strlen(text))));
	}
	print_message("%zu of %d broken names are still names\n", readable, MUTANTS);
	assert_true(readable > MUTANTS / 50);
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In base 36, as substitutions are numbered; empty for the first. */
static const char *sequence(char *out, unsigned id)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char reversed[8];
	size_t n = 0;

	if (id--) {
		do
			reversed[n++] = digits[id % 36];
		while (id /= 36);
	}
	for (size_t i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	out[n] = 0;
	return out;
}

/* Each expansion of an empty pack has the one below in it twice, and prints nothing. */
static void nested_expansions(char *name, unsigned depth)
{
	char id[8];
	char *p = stpcpy(name, "_Z1fIJEEvDp1aIT_");

	for (unsigned i = 0; i <= depth; i++)
		p = stpcpy(p, "DpS0_IS1_");
	p = stpcpy(p, "E");
	for (unsigned i = 0; i < depth; i++)
		p += sprintf(p, "S%s_E", sequence(id, 4 + 2 * i));
	strcpy(p, "E");
}

/* Each argument has the one before in it twice: packs of packs that hold nothing. */
static void nested_packs(char *name, const char *first, unsigned depth)
{
	char *p = stpcpy(name, first);
	char id[16] = "";

	for (unsigned i = 0; i < depth; i++) {
		p += sprintf(p, "JJT%s_T%s_EE", id, id);
		sprintf(id, "%u", i);
	}
	strcpy(p, "EEv");
}

static void check_time(const char *name)
{
	double start = cpu_s();

	demangled(name);
	if (cpu_s() - start > 0.5)
		fail_msg("%s: %.3f s", name, cpu_s() - start);
}

/* LLVM's demangler visits what prints nothing 2^depth times. */
static void test_no_name_takes_long(void **state)
{
	char name[LLVM_MANGLED_MAX];

	(void)state;
	nested_expansions(name, 2);
	assert_string_equal(demangled(name), "void f<>()");
	nested_packs(name, "_ZN1AcvT_IJJS0_S0_EE", 2);
	assert_string_equal(demangled(name), "A::operator <>()");
	for (unsigned depth = 0; depth < 60; depth++) {
		nested_expansions(name, depth);
		check_time(name);
		nested_packs(name, "_Z1fIJJEE", depth);
		check_time(name);
		nested_packs(name, "_ZN1AcvT_IJJS0_S0_EE", depth);
		check_time(name);
	}
	assert_null(demangled(name));
}

/* Names that nest as deeply as their length allows, in every way that was found to be costly. */
static void *demangle_deep_names(void *arg)
{
	static const char *const nests[][2] = {
		{"_Z", "Z"},	      {"_Z1f", "NUl"},	     {"_Z1fIX", "LUl"},
		{"_Z1f", "sZ"},	      {"_Z1f", "PK"},	     {"_Z1f", "P"},
		{"_Z1fIX", "LZ1fIX"}, {"_Z1fIX", "L_Z1fIX"}, {"_Z1f", "rM"},
		{"_Z1f", "1AI"},      {"_Z1fI", "Tt"},	     {"_Z1fIX", "ng"},
		{"_Z1f", "FP"},	      {"_Z", "NDTL_Z"},	     {"_Z1fIX", "LUlTpTn"},
		{"_ZThn1_", "Thn1_"}, {"_Z1f", "C"},	     {"_Z1fI", "J"},
		{"_Z1fIX", "cl"},     {"_Z1fIX", "il"},	     {"_ZZ1fvE", "Z1fvE"},
		{"_Z1fI", "L_Z1fI"},  {"_Z1fIX", "plLi1E"},  {"_Z1f", "Dp"},
	};
	static char name[LLVM_MANGLED_MAX + 1];

	for (size_t i = 0; i < sizeof(nests) / sizeof(*nests); i++) {
		static const char *const ends[] = {"i", "T_", "", "Li1E"};

		for (size_t e = 0; e < sizeof(ends) / sizeof(*ends); e++) {
			char *p = stpcpy(name, nests[i][0]);
			size_t unit = strlen(nests[i][1]);

			while ((size_t)(p - name) + unit + strlen(ends[e]) <= LLVM_MANGLED_MAX)
				p = stpcpy(p, nests[i][1]);
			strcpy(p, ends[e]);
			demangled(name);
		}
	}
	*(bool *)arg = true;
	return NULL;
}

static void test_stack_is_bounded(void **state)
{
	bool done = false;
	pthread_attr_t attr;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, STACK_BYTES), 0);
	assert_int_equal(pthread_create(&thread, &attr, demangle_deep_names, &done), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	assert_true(done);
}

static void test_length_is_bounded(void **state)
{
	char name[LLVM_MANGLED_MAX + 2];

	(void)state;
	memset(name, 'i', sizeof(name));
	memcpy(name, "_Z1f", 4);
	name[LLVM_MANGLED_MAX] = 0;
	assert_non_null(demangled(name));
	name[LLVM_MANGLED_MAX] = 'i';
	name[LLVM_MANGLED_MAX + 1] = 0;
	assert_null(demangled(name));
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	if (!err)
		read_names();
	return err;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < names.len; i++)
		free(names.data[i]);
	vec_release(&names);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_new_compilers),
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_real_names_against_llvm),
		cmocka_unit_test(test_real_names_against_cxxfilt),
		cmocka_unit_test(test_broken_names),
		cmocka_unit_test(test_no_name_takes_long),
		cmocka_unit_test(test_stack_is_bounded),
		cmocka_unit_test(test_length_is_bounded),
	};

	return cmocka_run_group_tests_name("demangle_cpp", tests, setup, teardown);
}
