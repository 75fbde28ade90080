# SPDX-License-Identifier: GPL-2.0-or-later
# How sources become objects, generated code, the library, the program and the tests.

# --- generated sources: protobuf-c code, BPF skeletons, embedded files -------------------------
PROTOS := $(wildcard proto/*.proto)
PROTO_GEN_C := $(PROTOS:%.proto=$(B)/%.pb-c.c)
PROTO_GEN_H := $(PROTOS:%.proto=$(B)/%.pb-c.h)
BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_SKEL := $(BPF_SRC:%.bpf.c=$(B)/%.skel.h)
WEB_SRC := $(wildcard profiler/web/*.html profiler/web/*.css profiler/web/*.js)
WEB_GEN := $(if $(WEB_SRC),$(B)/profiler/web/page.inc)
GENERATED := $(PROTO_GEN_H) $(BPF_SKEL) $(WEB_GEN)

$(B)/%.pb-c.c $(B)/%.pb-c.h: %.proto
	$(call say,PROTOC,$<)mkdir -p $(@D) && protoc-c --proto_path=. --c_out=$(B) $<

BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
$(B)/%.bpf.o: %.bpf.c $(wildcard bpf/*.h)
	$(call say,CLANG,$<)mkdir -p $(@D) && $(CLANG) -g -O2 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) \
		-I. -I/usr/include/$(shell uname -m)-linux-gnu -Wall -Wextra -Wno-unused-parameter \
		-mcpu=v3 -c $< -o $@
$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@

# The page as one C string: style and script are put into the template's marked places.
$(B)/profiler/web/page.inc: $(WEB_SRC) tools/embed-page
	$(call say,EMBED,$@)mkdir -p $(@D) && tools/embed-page profiler/web > $@

# --- objects and libraries --------------------------------------------------------------------
LIB_SRC := $(filter-out profiler/cli/main.c,$(wildcard symbolizer/*.c proto/*.c profiler/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(PROTO_GEN_C:.c=.o)
LIB := $(B)/libkiln.a

$(B)/%.o: %.c | $(GENERATED)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(B)/proto/%.pb-c.o: $(B)/proto/%.pb-c.c
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -w -c $< -o $@

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

KILN := $(B)/kiln
$(KILN): $(B)/profiler/cli/main.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

all: $(KILN) ## build kiln (build/release/kiln)

# --- tests ------------------------------------------------------------------------------------
# tests/unit/test_X.c and tests/kernel/test_X.c are cmocka programs over libkiln.a.
UNIT := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
KERNEL_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/kernel/test_*.c))
$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(B)/tests/kernel/test_%: $(B)/tests/kernel/test_%.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

unit: $(UNIT) ## run the unit tests
	@fail=0; for t in $(UNIT); do $$t || fail=1; done; exit $$fail

# --- fuzzing (clang, libFuzzer) -----------------------------------------------------------------
# tests/fuzz/fuzz_X.c has LLVMFuzzerTestOneInput(); tests/fuzz/corpus/X/ is its seed corpus.
FUZZ_SECONDS ?= 60
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FB := build/fuzz
FUZZ_CFLAGS := -std=gnu11 -pthread -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -Wno-everything
$(FB)/%.o: %.c | $(GENERATED)
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@
$(FB)/libkiln.a: $(LIB_SRC:%.c=$(FB)/%.o) $(PROTO_GEN_C:$(B)/%.c=$(FB)/gen/%.o)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^
$(FB)/gen/%.o: $(B)/%.c
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -c $< -o $@
$(FB)/fuzz_%: $(FB)/tests/fuzz/fuzz_%.o $(FB)/libkiln.a
	$(call say,LD,$@)$(CLANG) -pthread -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
fuzz-%: $(FB)/fuzz_%
	mkdir -p $(FB)/corpus/$*
	$(FB)/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 \
		-artifact_prefix=$(FB)/ $(FB)/corpus/$* tests/fuzz/corpus/$*
fuzz: $(addprefix fuzz-,$(FUZZ)) ## run every fuzz target for FUZZ_SECONDS (60)

clean: ## remove everything built
	rm -rf build

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile tools/build.mk | sed 's/:.*##/\t/' | sort | expand -t 16

.PHONY: all unit fuzz clean help
-include $(shell find build -name '*.d' 2>/dev/null)
