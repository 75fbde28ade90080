# SPDX-License-Identifier: GPL-2.0-or-later
# Tests, workloads, lint, fuzzing, coverage, benchmarks, and the demo.

# --- workloads ----------------------------------------------------------------------------------
# Programs to profile, in no flavour's flags: what they are built with is part of the test.
W := build/workloads
W_SRC := $(wildcard tests/fixtures/workloads/*.c)
W_CXX := $(wildcard tests/fixtures/workloads/*.cc)
WORKLOADS := $(patsubst tests/fixtures/workloads/%.c,$(W)/%,$(W_SRC)) \
	$(patsubst tests/fixtures/workloads/%.cc,$(W)/%,$(W_CXX)) \
	$(W)/shares_nofp $(W)/shares_stripped $(W)/demo_nofp $(W)/deep_nofp
FP := -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
NOFP := -fomit-frame-pointer
W_CC = $(call say,WCC,$@)mkdir -p $(@D) && $(CC) -std=gnu11 -O2 -g -Wall -Wextra -pthread
$(W)/%: tests/fixtures/workloads/%.c tests/fixtures/workloads/burn.h
	$(W_CC) $(FP) -o $@ $< -lm
$(W)/%: tests/fixtures/workloads/%.cc tests/fixtures/workloads/burn.h
	$(call say,WCXX,$@)mkdir -p $(@D) && g++ -std=gnu++17 -O2 -g -Wall -Wextra $(FP) -o $@ $<
# No compiler takes such a name, so the finished program's symbol is renamed.
HOSTILE_NAME := $(shell printf 'evil<img src=x onerror=alert(1)>;\033[31m&amp;"quoted"\303')
$(W)/hostile: tests/fixtures/workloads/hostile.c
	$(W_CC) $(FP) -o $@ $< && \
		objcopy --redefine-sym renamed_when_built='$(HOSTILE_NAME)' $@
$(W)/%_nofp: tests/fixtures/workloads/%.c
	$(W_CC) $(NOFP) -o $@ $< -lm
$(W)/%_stripped: tests/fixtures/workloads/%.c
	$(W_CC) $(NOFP) -s -o $@ $< -lm
workloads: $(WORKLOADS) ## build the programs that tests and benchmarks profile

# --- tests --------------------------------------------------------------------------------------
# tests/unit/ROOM/test_X.c and tests/kernel/test_X.c are cmocka programs over libkiln.a.
UNIT := $(patsubst %.c,$(B)/%,$(wildcard $(addprefix tests/unit/,*/test_*.c */*/test_*.c)))
KERNEL_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/kernel/test_*.c))
E2E := $(wildcard tests/e2e/test_*.sh)
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(B)/tests/kernel/test_%: $(B)/tests/kernel/test_%.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(B)/tests/kernel/test_unwind.o: $(B)/tests/kernel/unwind_walk.skel.h
$(B)/tests/kernel/test_bpf_names.o: $(B)/tests/kernel/bpf_burn.skel.h
$(B)/tests/kernel/test_stack_agreement: LDLIBS := -lunwind-ptrace $(LDLIBS)
$(B)/bpf_usable: $(B)/tests/lib/bpf_usable.o
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^

$(B)/store_writer: $(B)/tests/lib/store_writer.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/resolve_pairs: $(B)/tests/lib/resolve_pairs.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# $(B)/clang-N/kiln has the BPF programs of another compiler, for each of these that is installed. What
# includes the skeleton is compiled anew: a compiler lays out the programs' settings as it likes.
BPF_CLANGS := $(foreach n,14 15 16 17 18 19,$(if $(shell command -v clang-$n),clang-$n))
BPF_KILNS := $(BPF_CLANGS:%=$(B)/%/kiln)
SKEL_USERS := $(shell grep -l '"bpf/profile.skel.h"' $(LIB_SRC))
define kiln_of_clang
$(B)/$1/bpf/profile.bpf.o: bpf/profile.bpf.c $(B)/.built-with
	$$(call say,CLANG,$$@)mkdir -p $$(@D) && $1 $(BPF_CFLAGS) -MMD -MP -c $$< -o $$@
$(B)/$1/%.o: %.c $(B)/$1/bpf/profile.skel.h | $(GENERATED)
	$$(call say,CC,$$@)mkdir -p $$(@D) && $(CC) -I$(B)/$1 $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $$< -o $$@
$(B)/$1/kiln: $(B)/profiler/cli/main.o $(SKEL_USERS:%.c=$(B)/$1/%.o) $(LIB)
	$$(call say,LD,$$@)$(CC) $(LDFLAGS) -o $$@ $$^ $(LDLIBS)
endef
$(foreach c,$(BPF_CLANGS),$(eval $(call kiln_of_clang,$c)))

$(B)/otlp_write: $(B)/tests/lib/otlp_write.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Fuzz targets without libFuzzer, in the flavour of the tests: tests/e2e/test_fuzz.sh
FUZZ_RUNS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(FUZZ_RUNS:$(B)/fuzz/%=$(B)/tests/fuzz/%.o): CFLAGS += -UNDEBUG -Wno-missing-prototypes
$(B)/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/lib/fuzz_driver.o $(LIB)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

TEST_PROGRAMS := $(KILN) $(FUZZ_RUNS) $(B)/bpf_usable $(B)/store_writer $(B)/otlp_write $(UNIT) $(KERNEL_TESTS) $(WORKLOADS) $(BPF_KILNS)
# TESTS="name ..." picks among them, for example: make run-tests TESTS="test_strtab targets"
TESTS ?=
RUN = B=$(B) tools/run-tests $(TESTS)

test: ## install what the tests need, build, run every test (as root)
	tools/install-deps --build --test
	+$(MAKE) --no-print-directory run-tests
run-tests: $(TEST_PROGRAMS) ## run every test, installing nothing; TESTS="NAME.." picks some
	@$(RUN) unit kernel e2e
unit: $(UNIT) ## run the unit tests; FLAVOUR=asan or tsan: under sanitizers
	@$(RUN) unit
kernel: $(B)/bpf_usable $(KERNEL_TESTS) $(BPF_KILNS) $(W)/deep_nofp ## run the tests against this machine's kernel
	@$(RUN) kernel
e2e: $(KILN) $(FUZZ_RUNS) $(B)/bpf_usable $(B)/store_writer $(B)/otlp_write $(WORKLOADS) $(BPF_KILNS) ## run the end-to-end tests
	@$(RUN) e2e

# Delivery to real stores, as far as package clients have them (into build/stores), and to a server that restates
# the others. KILN_TEST_PYROSCOPE=URL, KILN_TEST_PARCA=URL: to real ones of these, too.
test-stores: $(KILN) $(B)/bpf_usable $(WORKLOADS) ## get and start real profile stores, and test delivery to them
	tools/install-deps --build --test --stores
	tests/stores/get
	@$(RUN) stores

# Tests that have a long form behind a variable, in that form.
SOAK := KILN_TEST_KILLS=200 KILN_TEST_POWER_CUTS=20 KILN_TEST_OUTAGE_S=1800 KILN_TEST_UPLOAD_KILLS=50 KILN_TEST_CUT_STEP=64 \
	KILN_TEST_SHARD_DOWN_S=600 KILN_TEST_SYSTEMD=1 KILN_TEST_TARBALL=1 KILN_TEST_SOAK_S=1800 KILN_TEST_FUZZ_S=60
SOAK_TESTS := $(basename $(notdir $(shell grep -rlE 'KILN_TEST_((UPLOAD_)?KILLS|POWER_CUTS|CUT_STEP|SHARD_DOWN_S|SOAK_S|FUZZ_S)|lib/roots.sh' tests/unit tests/kernel tests/e2e tests/stores)))
soak: $(TEST_PROGRAMS) ## run the long forms of the tests that have one (as root; two hours)
	tools/make-root bullseye bookworm trixie
	@$(SOAK) TEST_LIMIT_S=7200 B=$(B) tools/run-tests $(or $(TESTS),$(SOAK_TESTS)) unit kernel e2e stores

check: ## before a commit: lint, and the unit tests under sanitizers
	+$(MAKE) --no-print-directory lint
	+$(MAKE) --no-print-directory FLAVOUR=asan unit
lint: $(GENERATED) $(patsubst %.bpf.c,$(B)/%.skel.h,$(wildcard tests/*/*.bpf.c)) ## style, static analysis, sizes (tools/lint)
	@CC=$(CC) CLANG=$(CLANG) CPPFLAGS='$(CPPFLAGS)' tools/lint $(CHECKS)
format: ## clang-format the C sources in place
	git ls-files '*.c' '*.h' | xargs clang-format -i
coverage: ## run the unit tests and print the share of lines they reach
	+$(MAKE) --no-print-directory FLAVOUR=coverage unit
	@tools/coverage build/coverage
deps: ## install the Debian packages that building, testing and benchmarks need
	tools/install-deps --build --test --bench

demo: ## the answer in one command: build, profile a demo for 5 s, show it (as root)
	tools/install-deps --build
	+$(MAKE) --no-print-directory $(KILN) $(W)/demo
	@KILN=$(KILN) tools/demo $(W)/demo
bench: ## measure kiln beside its peers (tests/bench)
	tools/install-deps --build --bench
	+$(MAKE) --no-print-directory $(KILN) $(B)/resolve_pairs $(WORKLOADS) \
		$(B)/tests/bench/walk_cost.skel.h
	@B=$(B) tests/bench/run $(BENCH)

# --- fuzzing (clang, libFuzzer) -----------------------------------------------------------------
# tests/fuzz/fuzz_X.c has LLVMFuzzerTestOneInput(); tests/fuzz/corpus/X/ is its seed corpus.
FUZZ_SECONDS ?= 60
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FB := build/fuzz
FUZZ_CFLAGS := -std=gnu11 -pthread -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -Wno-everything
$(FB)/%.o: %.c $(B)/.built-with | $(GENERATED)
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@
$(FB)/libkiln.a: $(LIB_SRC:%.c=$(FB)/%.o) $(PROTO_GEN_C:$(B)/%.c=$(FB)/gen/%.o) $(LLVM_DEMANGLE)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^
$(FB)/gen/%.o: $(B)/%.c
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -c $< -o $@
$(FB)/fuzz_%: $(FB)/tests/fuzz/fuzz_%.o $(FB)/libkiln.a
	$(call say,LD,$@)$(CLANG) -pthread -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
fuzz-%: $(FB)/fuzz_%
	mkdir -p $(FB)/corpus/$*
	$(FB)/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 \
		-artifact_prefix=$(FB)/ $(FB)/corpus/$* $(wildcard tests/fuzz/corpus/$*)
fuzz: $(addprefix fuzz-,$(FUZZ)) ## run every fuzz target for FUZZ_SECONDS (60)

.PHONY: workloads test run-tests unit kernel e2e test-stores soak check lint format coverage deps demo bench fuzz
