# SPDX-License-Identifier: GPL-2.0-or-later
# kiln. `make help` lists the targets. FLAVOUR=release|debug|asan|tsan|coverage, CC=gcc|clang, V=1.

FLAVOUR ?= release
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
B := build/$(FLAVOUR)

PKGS := libbpf libelf libdw libunwind-generic libprotobuf-c libzstd zlib libdeflate liblzma sqlite3 yaml-0.1 libmicrohttpd
# LLVM's demangler of C++ names is in it; the newest one knows most names.
LIBCXXABI ?= $(lastword $(sort $(wildcard /usr/lib/llvm-*/lib/libc++abi.a)))
CPPFLAGS += -I. -I$(B) -D_GNU_SOURCE
WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wno-missing-field-initializers -Wno-sign-compare
CFLAGS_release := -O2 -g -ffunction-sections -fdata-sections -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_debug := -O1 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_coverage := -O0 -g --coverage
LDFLAGS_release := -pie -Wl,--gc-sections -Wl,-z,relro,-z,now
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_coverage := --coverage
ifeq ($(CFLAGS_$(FLAVOUR)),)
$(error FLAVOUR=$(FLAVOUR): release, debug, asan, tsan or coverage)
endif
CFLAGS += -std=gnu11 -pthread $(WARN) $(CFLAGS_$(FLAVOUR))
CFLAGS += $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS += -pthread $(LDFLAGS_$(FLAVOUR))
LDLIBS += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -liberty -lm

ifneq ($(V),1)
say = @printf '  %-7s %s\n' $(1) $(2);
endif

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

include tools/build.mk
include tools/check.mk
include tools/package.mk
