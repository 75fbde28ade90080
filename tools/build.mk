# SPDX-License-Identifier: GPL-2.0-or-later
# How sources become objects, generated code, the library and the program.

# --- generated sources: protobuf-c code, BPF skeletons, embedded files -------------------------
PROTOS := $(wildcard proto/*.proto)
PROTO_GEN_C := $(PROTOS:%.proto=$(B)/%.pb-c.c)
PROTO_GEN_H := $(PROTOS:%.proto=$(B)/%.pb-c.h)
BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_SKEL := $(BPF_SRC:%.bpf.c=$(B)/%.skel.h)
WEB_SRC := $(wildcard profiler/web/*.html profiler/web/*.css profiler/web/*.js)
WEB_GEN := $(if $(WEB_SRC),$(B)/profiler/web/page.inc)
GENERATED := $(PROTO_GEN_H) $(BPF_SKEL) $(WEB_GEN)

# What everything was built with: other flags, or another compiler, build everything anew.
COMPILERS := $(shell for c in $(CC) $(CLANG) $(BPFTOOL); do $$c --version 2>&1 | head -n1; done)
BUILT_WITH := $(CC) $(CLANG) $(COMPILERS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS) $(LIBCXXABI)
$(B)/.built-with: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(BUILT_WITH)' | cmp -s - $@ || { \
		pkg-config --exists --print-errors $(PKGS) || \
			{ echo "something is missing: run tools/install-deps --build" >&2; exit 1; }; \
		[ -f '$(LIBCXXABI)' ] || { echo "libc++abi.a is missing: run tools/install-deps --build," \
			"or give make LIBCXXABI=FILE" >&2; exit 1; }; \
		printf '%s\n' '$(BUILT_WITH)' >$@; }
FORCE:

$(B)/%.pb-c.c $(B)/%.pb-c.h &: %.proto
	$(call say,PROTOC,$<)mkdir -p $(@D) && protoc --proto_path=. --c_out=$(B) $<

BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) \
	-I. -I/usr/include/$(shell uname -m)-linux-gnu -Wall -Wextra -Wno-unused-parameter
$(B)/%.bpf.o: %.bpf.c $(B)/.built-with
	$(call say,CLANG,$<)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
# `gen object` leaves out DWARF, which nobody reads there, and keeps BTF.
$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen object $(@:.h=.o) $< && \
		$(BPFTOOL) gen skeleton $(@:.h=.o) name $(notdir $*)_bpf > $@

# The page as one C string: style and script are put into the template's marked places.
$(B)/profiler/web/page.inc: $(WEB_SRC) tools/embed-page
	$(call say,EMBED,$@)mkdir -p $(@D) && tools/embed-page profiler/web > $@

$(B)/profiler/http/api_status.o: profiler/http/openapi.json

# --- objects and libraries --------------------------------------------------------------------
LIB_SRC := $(filter-out profiler/cli/main.c,$(wildcard symbolizer/*.c symbolizer/*/*.c proto/*.c profiler/*/*.c))
LLVM_DEMANGLE := $(B)/llvm_cxa_demangle.o
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(PROTO_GEN_C:.c=.o) $(LLVM_DEMANGLE)
LIB := $(B)/libkiln.a

$(B)/%.o: %.c $(B)/.built-with | $(GENERATED)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(B)/proto/%.pb-c.o: $(B)/proto/%.pb-c.c $(B)/.built-with
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -w -c $< -o $@

# __cxa_demangle() without a C++ runtime: symbols/llvm_demangle.c defines what is renamed here.
LLVM_RENAMED := __cxa_demangle malloc realloc free abort abort_message _ZSt9terminatev _ZdlPvm \
	_Unwind_Resume __cxa_begin_catch __gxx_personality_v0 \
	_ZTVN10__cxxabiv117__class_type_infoE _ZTVN10__cxxabiv120__si_class_type_infoE
$(LLVM_DEMANGLE): $(LIBCXXABI) $(B)/.built-with
	$(call say,OBJCOPY,$@)ar p $< cxa_demangle.cpp.o >$@.cxxabi && \
		objcopy $(foreach s,$(LLVM_RENAMED),--redefine-sym $(s)=llvm_$(s)) $@.cxxabi $@

# A removed source leaves the archive too, because its list of members is a prerequisite.
$(B)/.members: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(LIB_OBJ)' | cmp -s - $@ || printf '%s\n' '$(LIB_OBJ)' >$@
$(LIB): $(LIB_OBJ) $(B)/.members
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $(LIB_OBJ)

KILN := $(B)/kiln
$(KILN): $(B)/profiler/cli/main.o $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

all: $(KILN) ## build kiln (build/release/kiln)

# --- installation ------------------------------------------------------------------------------
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
INSTALL_DATA := install -m 644 -D

install: $(KILN) ## install under PREFIX (/usr/local), below DESTDIR if given
	install -m 755 -D $(KILN) $(DESTDIR)$(BINDIR)/kiln
	$(INSTALL_DATA) tools/kiln.1 $(DESTDIR)$(DATADIR)/man/man1/kiln.1
	$(INSTALL_DATA) tools/kiln.yaml.5 $(DESTDIR)$(DATADIR)/man/man5/kiln.yaml.5
	$(INSTALL_DATA) tools/kiln-store.5 $(DESTDIR)$(DATADIR)/man/man5/kiln-store.5
	$(INSTALL_DATA) tools/kiln-fleet.7 $(DESTDIR)$(DATADIR)/man/man7/kiln-fleet.7
	$(INSTALL_DATA) tools/kiln-clickhouse.7 $(DESTDIR)$(DATADIR)/man/man7/kiln-clickhouse.7
	$(INSTALL_DATA) tools/grafana/kiln-fleet.json $(DESTDIR)$(DATADIR)/kiln/grafana/kiln-fleet.json
	$(KILN) completion bash >$(B)/kiln.bash
	$(KILN) completion zsh >$(B)/kiln.zsh
	$(KILN) completion fish >$(B)/kiln.fish
	$(INSTALL_DATA) $(B)/kiln.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/kiln
	$(INSTALL_DATA) $(B)/kiln.zsh $(DESTDIR)$(DATADIR)/zsh/site-functions/_kiln
	$(INSTALL_DATA) $(B)/kiln.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/kiln.fish

clean: ## remove everything built
	rm -rf build

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile tools/*.mk | sed 's/:.*##/\t/' | sort | expand -t 16

.PHONY: all install clean help FORCE
-include $(shell find $(B) build/fuzz -name '*.d' 2>/dev/null)
