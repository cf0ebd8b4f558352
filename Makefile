# Moonglass. `make help` lists the targets. They write to build/, and the demo to out/, and nowhere else.

.DEFAULT_GOAL := all

# Debian's names. The demo and the tests need no others, and nothing from the network.
PACKAGES := gcc make binutils pkg-config lua5.4 liblua5.4-dev libblis-serial-dev libpng-dev zlib1g-dev libjansson-dev \
            libedit-dev lua-argparse lua-filesystem lua-busted lua-check clang-format valgrind libc6-dbg tmux curl gnuplot-nox \
            liblapack3 ca-certificates dataset-fashion-mnist

## deps: install what building, testing and the demo need (Debian packages, by apt-get)
.PHONY: deps
deps:
	@set -e; missing=; \
	for p in $(PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then echo "deps: all packages are there"; exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	  echo "deps: no apt-get here. Install what your system calls these packages of Debian's:" >&2; \
	  echo "  $(PACKAGES)" >&2; exit 1; \
	fi; \
	root=; \
	if [ "$$(id -u)" != 0 ]; then \
	  command -v sudo >/dev/null || { echo "deps: neither root nor sudo. As root: apt-get install$$missing" >&2; exit 1; }; \
	  root=sudo; \
	fi; \
	$$root apt-get update || echo "deps: going on with the package lists that are there" >&2; \
	$$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing

ifneq ($(filter deps,$(MAKECMDGOALS)),)

# `make deps demo`: where compilers and libraries are is looked up when a Makefile is read, so what comes after deps is
# a make of its own.
.NOTPARALLEL:
AFTER_DEPS := $(filter-out deps,$(MAKECMDGOALS))
.PHONY: $(AFTER_DEPS)
$(AFTER_DEPS): deps
	@$(MAKE) --no-print-directory $@

else

CC      ?= cc
comma   := ,
LUA     ?= lua5.4
PREFIX  ?= /usr/local
SAN     ?=
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

# BLIS: the serial flavour if it is there; any other works too. Debian ships no blis.pc.
BLIS_DIR := $(firstword $(wildcard $(foreach f,blis-serial blis-pthread blis-openmp,/usr/include/$(MULTIARCH)/$(f) /usr/include/$(f))))
BLIS_CFLAGS ?= $(if $(BLIS_DIR),-isystem $(BLIS_DIR))
# Linked in where there is an archive of the serial flavour: whatever flavour the system's libblis.so is, this one stays,
# it stays hidden from the host, and its AVX-512 kernels are within reach (csrc/engine/gemm.c).
BLIS_ARCHIVE := $(wildcard $(filter %/blis-serial/libblis.a,/usr/lib/$(MULTIARCH)/$(notdir $(BLIS_DIR))/libblis.a))
BLIS_SHARED := $(if $(BLIS_DIR),-L/usr/lib/$(MULTIARCH)/$(notdir $(BLIS_DIR))) -lblis
BLIS_LIBS   ?= $(if $(BLIS_ARCHIVE),$(BLIS_ARCHIVE) -Wl$(comma)--exclude-libs$(comma)libblis.a,$(BLIS_SHARED))
LUA_CFLAGS  ?= $(shell pkg-config --cflags lua5.4 2>/dev/null || pkg-config --cflags lua)
LUA_LIBS    ?= $(shell pkg-config --libs lua5.4 2>/dev/null || pkg-config --libs lua)
LIB_CFLAGS  := $(shell pkg-config --cflags libpng zlib jansson)
LIB_LIBS    := $(shell pkg-config --libs libpng zlib jansson)
EDIT_CFLAGS := $(shell pkg-config --cflags libedit)
EDIT_LIBS   := $(shell pkg-config --libs libedit)

B := build$(if $(SAN),/san)
OPT ?= -O2
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
CFLAGS ?= $(OPT) -g
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
ALL_CFLAGS := -std=c11 -D_DEFAULT_SOURCE -fPIC -fvisibility=hidden $(WARN) $(CFLAGS) $(SANFLAGS) -MMD -MP
LDFLAGS_ALL := $(LDFLAGS) $(SANFLAGS)
LIBS := $(BLIS_LIBS) $(LIB_LIBS) -lpthread -lm

# The kernels are compiled once for each instruction set; the context picks one at run time. Never link with -ffast-math.
KERNEL_FLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd
ifeq ($(shell uname -m),x86_64)
ISAS := base avx2 avx512
else
ISAS := base
endif
ISA_base   :=
ISA_avx2   := -march=x86-64-v3
ISA_avx512 := -march=x86-64-v4 -mprefer-vector-width=512

ENGINE_SRC := $(wildcard csrc/engine/*.c)
KERNEL_SRC := $(wildcard csrc/engine/kernels/*.c)
BIND_SRC   := $(wildcard csrc/lua/*.c)
CLI_SRC    := $(wildcard csrc/cli/*.c)

ENGINE_OBJ := $(ENGINE_SRC:csrc/%.c=$(B)/obj/%.o) $(foreach i,$(ISAS),$(KERNEL_SRC:csrc/engine/kernels/%.c=$(B)/obj/kernels-$(i)/%.o))
BIND_OBJ   := $(BIND_SRC:csrc/%.c=$(B)/obj/%.o)
CLI_OBJ    := $(CLI_SRC:csrc/%.c=$(B)/obj/%.o)

## all: build the library, the Lua module and the program (the default)
.PHONY: all
all: $(B)/libmoonglass.a $(B)/lib/moonglass/core.so $(if $(CLI_SRC),$(B)/moonglass)

$(B)/libmoonglass.a: $(ENGINE_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(B)/lib/moonglass/core.so: $(BIND_OBJ) $(ENGINE_OBJ)
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(B)/moonglass: $(CLI_OBJ) $(BIND_OBJ) $(ENGINE_OBJ)
	$(CC) $(LDFLAGS_ALL) -rdynamic -o $@ $^ $(LIBS) $(LUA_LIBS) $(EDIT_LIBS)

$(B)/obj/engine/%.o: csrc/engine/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(BLIS_CFLAGS) $(LIB_CFLAGS) -c -o $@ $<

define kernel_rule
$(B)/obj/kernels-$(1)/%.o: csrc/engine/kernels/%.c
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) $(KERNEL_FLAGS) $(ISA_$(1)) -DMOONI_ISA=$(1) -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call kernel_rule,$(i))))

$(B)/obj/lua/%.o: csrc/lua/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -c -o $@ $<

$(B)/obj/cli/%.o: csrc/cli/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(EDIT_CFLAGS) -c -o $@ $<

# ---- trying it ----

## demo: train the deep autoencoder on MNIST and leave its pictures in out/deep
.PHONY: demo
demo: all
	$(B)/moonglass scripts/deep.lua
	@echo "The pictures are in out/deep:" && ls out/deep

## experiments: run all scripts of the lecture one after the other; out/index.html has their pictures and figures
.PHONY: experiments
experiments: all
	$(B)/moonglass scripts/experiments.lua $(EXPERIMENTS)

## env: print what makes a plain lua5.4 find this tree: eval "$$(make -s env)"
.PHONY: env
env:
	@echo "export LUA_PATH_5_4='$(LUA_PATH_TREE);;'"
	@echo "export LUA_CPATH_5_4='$(LUA_CPATH_TREE);;'"

LUA_PATH_TREE  := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua
LUA_CPATH_TREE := $(abspath $(B))/lib/?.so

# ---- checking it ----

C_TESTS := $(patsubst spec/c/%.c,$(B)/spec/%,$(wildcard spec/c/*.c))
SPEC ?= spec

# A lua5.4 that was built without the sanitizers needs their libraries in front of it. Lua's own leaks at exit are not
# ours to find: the C tests and valgrind look for leaks.
comma := ,
SAN_LIBS := $(foreach s,$(subst $(comma), ,$(SAN)),$(shell $(CC) -print-file-name=lib$(patsubst address,a,$(patsubst undefined,ub,$(s)))san.so))
TEST_LUA := $(if $(SAN),$(abspath $(B))/lua,$(LUA))

$(B)/lua:
	@mkdir -p $(@D)
	printf '#!/bin/sh\nLD_PRELOAD="%s" exec %s "$$@"\n' '$(SAN_LIBS)' $(LUA) > $@
	chmod +x $@

## test: build, and run the C tests and the Lua specs (SPEC=path: these specs only; SAN=address,undefined: sanitized)
.PHONY: test
test: all $(C_TESTS) $(B)/bench/bench $(if $(SAN),$(B)/lua)
	@LUA=$(TEST_LUA) SPEC='$(SPEC)' MOONGLASS_BIN=$(abspath $(B))/moonglass \
	LUA_PATH_5_4='$(LUA_PATH_TREE);;' LUA_CPATH_5_4='$(LUA_CPATH_TREE);;' sh spec/run.sh $(C_TESTS)

$(B)/spec/%: spec/c/%.c $(wildcard spec/c/*.h) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Icsrc $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

## lint: luacheck, clang-format, and the rules of layering
.PHONY: lint
lint: all
	luacheck --quiet lua scripts spec
	clang-format --dry-run -Werror $(C_FILES)
	sh spec/lint.sh $(B)

## valgrind: train two batches under valgrind: no error, nothing lost
.PHONY: valgrind
valgrind: all
	valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,indirect \
	--show-leak-kinds=definite,indirect $(B)/moonglass spec/valgrind_run.lua

## tsan: the worker pool under the thread sanitizer
.PHONY: tsan
tsan:
	@$(MAKE) --no-print-directory SAN=thread B=$(B)/tsan $(B)/tsan/spec/threads_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/threads_test

C_FILES := $(shell find csrc spec scripts -name '*.[ch]')

## fmt: format the C files
.PHONY: fmt
fmt:
	clang-format -i $(C_FILES)

# ---- installing it ----

BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
LUA_CDIR   ?= $(PREFIX)/lib/lua/5.4
LUA_LDIR   ?= $(PREFIX)/share/lua/5.4
LUA_FILES  := $(shell cd lua && find . -name '*.lua')

## install: the program, the Lua module, the library and its headers (PREFIX=/usr/local, DESTDIR=)
.PHONY: install
install: all
	install -D -m 755 $(B)/moonglass $(DESTDIR)$(BINDIR)/moonglass
	install -D -m 755 $(B)/lib/moonglass/core.so $(DESTDIR)$(LUA_CDIR)/moonglass/core.so
	install -D -m 644 $(B)/libmoonglass.a $(DESTDIR)$(LIBDIR)/libmoonglass.a
	install -D -m 644 -t $(DESTDIR)$(INCLUDEDIR) csrc/moonglass.h csrc/moonglass_lua.h
	for f in $(LUA_FILES); do install -D -m 644 lua/$$f $(DESTDIR)$(LUA_LDIR)/$$f || exit 1; done

## uninstall: remove what install put there
.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/moonglass $(DESTDIR)$(LIBDIR)/libmoonglass.a
	rm -f $(DESTDIR)$(INCLUDEDIR)/moonglass.h $(DESTDIR)$(INCLUDEDIR)/moonglass_lua.h
	rm -rf $(DESTDIR)$(LUA_CDIR)/moonglass $(DESTDIR)$(LUA_LDIR)/moonglass

# ---- measuring it ----

# BENCH: options of the script, e.g. make bench BENCH='--quick --peers jax'. They are listed by BENCH=--help.
BENCH ?=
PROFILE ?=
BENCH_SRC := $(wildcard scripts/bench/*.c)
PEERS := $(B)/peers
PYTHON ?= python3

BENCH_DEPS := $(BENCH_SRC) $(wildcard scripts/bench/*.h) $(B)/libmoonglass.a
BENCH_CC = $(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Icsrc/engine $(LDFLAGS_ALL)

$(B)/bench/bench: $(BENCH_DEPS)
	@mkdir -p $(@D)
	$(BENCH_CC) -o $@ $(BENCH_SRC) $(B)/libmoonglass.a $(LIBS)

# For the profile BLIS is linked in, if there is a libblis.a: Debian's shared one has lost the names of its functions.
BLIS_STATIC := $(wildcard /usr/lib/$(MULTIARCH)/$(notdir $(BLIS_DIR))/libblis.a)
$(B)/bench/profiled: $(BENCH_DEPS)
	@mkdir -p $(@D)
	$(BENCH_CC) -o $@ $(BENCH_SRC) $(B)/libmoonglass.a $(or $(BLIS_STATIC),$(BLIS_LIBS)) $(LIB_LIBS) -lpthread -lm

## bench: time this engine, its floor and every peer that is installed (BENCH=--help: options; scripts/bench/README.md)
.PHONY: bench
bench: all $(B)/bench/bench
	$(B)/moonglass scripts/bench/bench.lua --build $(B) --python $(PEERS)/bin/python $(BENCH)

## bench-peers: install PyTorch, JAX, TensorFlow with Keras and scikit-learn in build/peers, for bench (over the network)
.PHONY: bench-peers
bench-peers: $(PEERS)/complete

# PyTorch comes first and alone, so that no other package chooses its build.
$(PEERS)/complete:
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check numpy jax jaxlib optax tensorflow-cpu keras scikit-learn
	touch $@

## profile: tell by perf which parts of a training step take how long (PROFILE=--help: options)
.PHONY: profile
profile: all $(B)/bench/profiled
	$(B)/moonglass scripts/bench/profile.lua --build $(B) $(PROFILE)

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/  \1\t\2/p' Makefile | sed 's/\$$\$$/$$/' | expand -t 13

## clean: remove build/
.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

endif
