# Moonglass. `make help` lists the targets. They write to build/, and the demo to out/, and nowhere else.

.DEFAULT_GOAL := all

# Debian's names. What building and the demo need, and what developing needs besides; nothing else from the network.
PACKAGES := gcc libc6-dev make pkg-config liblua5.4-dev libblis-serial-dev libpng-dev zlib1g-dev libjansson-dev \
            libedit-dev lua-argparse lua-filesystem dataset-fashion-mnist
DEV_PACKAGES := lua5.4 lua-busted lua-check clang-format valgrind libc6-dbg tmux curl ca-certificates gnuplot-nox \
                g++ binutils luarocks abigail-tools doxygen lua-ldoc locales strace
DEPS_LOG := build/deps.log

# $(call install_packages,packages): those of them that are missing. What apt-get prints is kept, and shown if it fails.
define install_packages
@set -e; missing=; \
for p in $(1); do \
  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$p"; \
done; \
if [ -z "$$missing" ]; then echo "$@: all packages are there"; exit 0; fi; \
if ! command -v apt-get >/dev/null; then \
  echo "$@: no apt-get here. Install what your system calls these packages of Debian's:" >&2; \
  echo "  $(strip $(1))" >&2; exit 1; \
fi; \
root=; \
if [ "$$(id -u)" != 0 ]; then \
  command -v sudo >/dev/null || { echo "$@: neither root nor sudo. As root: apt-get install$$missing" >&2; exit 1; }; \
  root=sudo; \
fi; \
mkdir -p $(dir $(DEPS_LOG)); \
echo "$@: apt-get, which writes to $(DEPS_LOG), installs$$missing"; \
$$root apt-get update >$(DEPS_LOG) 2>&1 || echo "$@: apt-get update failed; going on with the package lists that are there" >&2; \
$$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o APT::Keep-Downloaded-Packages=false \
  $$missing >>$(DEPS_LOG) 2>&1 || { tail -n 40 $(DEPS_LOG) >&2; echo "$@: apt-get install failed, see $(DEPS_LOG)" >&2; exit 1; }
endef

## deps: install what building and the demo need (Debian packages, by apt-get)
.PHONY: deps
deps:
	$(call install_packages,$(PACKAGES))

## deps-dev: install what developing needs besides: the tests, lint, docs, every figure (Debian packages)
.PHONY: deps-dev
deps-dev:
	$(call install_packages,$(PACKAGES) $(DEV_PACKAGES))

# `make deps test` installs what the tests need, as it did when there was one list.
ifneq ($(and $(filter deps,$(MAKECMDGOALS)),$(filter test,$(MAKECMDGOALS))),)
deps: deps-dev
endif

DEPS := $(filter deps deps-dev,$(MAKECMDGOALS))
ifneq ($(DEPS),)

# `make deps demo`: where compilers and libraries are is looked up when a Makefile is read, so what comes after deps is
# a make of its own, on all cores if the first was not told otherwise.
.NOTPARALLEL:
AFTER_DEPS := $(filter-out $(DEPS),$(MAKECMDGOALS))
.PHONY: $(AFTER_DEPS)
$(AFTER_DEPS): $(DEPS)
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(nproc)) $@

else

CC      ?= cc
comma   := ,
LUA     ?= lua5.4
PREFIX  ?= /usr/local
PKG_CONFIG ?= pkg-config
SAN     ?=
B := build$(if $(SAN),/san)

# The folder is the user's, and may have any letters in its name: rules name files from here, commands put the whole
# path in quotes.
quote  = '$(subst ','\'',$(1))'
HERE  := $(CURDIR)
BUILD  = $(if $(filter /%,$(firstword $(B))),$(B),$(HERE)/$(B))

# One short line for each file, and the compiler's own words; V=1: the commands. $(call say,LD,file) begins a recipe's line.
V ?=
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
hush = $(if $(filter 1,$(V)),,@)
say  = $(hush)$(if $(hush),$(if $(silent),,echo '$(1) $(2)' && ))

# The compiler finds a file of the system's for its own target, whatever that is; empty if there is none.
found = $(wildcard $(filter /%,$(shell $(CC) -print-file-name=$(1) 2>/dev/null)))
folder = $(patsubst %/,%,$(dir $(1)))

# BLIS: the serial flavour if it is there; any other works too. Debian ships no blis.pc. Elsewhere it lies in no folder of
# its own, or in one called blis.
BLIS_LIBDIR := $(realpath $(firstword $(foreach f,blis-serial blis-pthread blis-openmp,$(call folder,$(call found,$(f)/libblis.so)))))
BLIS_INCLUDE := $(wildcard $(subst /lib/,/include/,$(BLIS_LIBDIR)))
BLIS_CFLAGS ?= $(addprefix -isystem ,$(or $(BLIS_INCLUDE),$(firstword $(wildcard /usr/include/blis /usr/local/include/blis))))
# Linked in where there is an archive of the serial flavour: whatever flavour the system's libblis.so is, this one stays,
# it stays hidden from the host, and its AVX-512 kernels are within reach (csrc/engine/core/gemm.c).
BLIS_ARCHIVE := $(wildcard $(filter %/blis-serial/libblis.a,$(BLIS_LIBDIR)/libblis.a))
BLIS_SHARED := $(addprefix -L,$(BLIS_LIBDIR)) -lblis
BLIS_LIBS   ?= $(if $(BLIS_ARCHIVE),$(BLIS_ARCHIVE) -Wl$(comma)--exclude-libs$(comma)libblis.a,$(BLIS_SHARED))
LUA_PC := $(shell $(PKG_CONFIG) --exists lua5.4 2>/dev/null && echo lua5.4 || echo lua)
LUA_CFLAGS  ?= $(shell $(PKG_CONFIG) --cflags $(LUA_PC) 2>/dev/null)
LUA_LIBS    ?= $(shell $(PKG_CONFIG) --libs $(LUA_PC) 2>/dev/null)
LIB_CFLAGS  := $(shell $(PKG_CONFIG) --cflags libpng zlib jansson 2>/dev/null)
LIB_LIBS    := $(shell $(PKG_CONFIG) --libs libpng zlib jansson 2>/dev/null)
EDIT_CFLAGS := $(shell $(PKG_CONFIG) --cflags libedit 2>/dev/null)
EDIT_LIBS   := $(shell $(PKG_CONFIG) --libs libedit 2>/dev/null)

# What is compiled comes after this: all that is missing is told at once, before anything else is done.
$(B)/needs: Makefile
	@mkdir -p $(@D)
	@missing=; \
	try() { \
	  name=$$1 header=$$2; shift 2; \
	  printf '#include <stdio.h>\n#include <%s>\nint main(void) { return 0; }\n' "$$header" | \
	  if [ $$# -gt 0 ]; then $(CC) -xc - -xnone "$$@" $(LDFLAGS) -o $@.try >/dev/null 2>&1; else false; fi || \
	  missing="$$missing, $$name"; \
	}; \
	try 'a C compiler with its headers' stddef.h -lm; \
	[ -n "$$missing" ] || { \
	  try BLIS blis.h $(BLIS_CFLAGS) $(BLIS_LIBS) -lpthread -lm; try 'Lua 5.4' lua.h $(LUA_CFLAGS) $(LUA_LIBS); \
	  for l in libpng:png.h zlib:zlib.h jansson:jansson.h; do try $${l%:*} $${l#*:} $(LIB_CFLAGS) $(LIB_LIBS); done; \
	  try libedit histedit.h $(EDIT_CFLAGS) $(EDIT_LIBS); \
	}; \
	rm -f $@.try; \
	if [ -n "$$missing" ]; then \
	  echo "make: missing: $${missing#, } (tried with $(CC)). On Debian, make deps installs what is needed; elsewhere" >&2; \
	  echo "install it with its headers, and say where it is: CC, BLIS_CFLAGS, BLIS_LIBS, LUA_CFLAGS, PKG_CONFIG_PATH" >&2; \
	  exit 1; \
	fi
	@touch $@

OPT ?= -O2
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
# clang knows not all pragmas of gcc's, and says of each loop that it does not vectorise that it was asked to.
WARN += $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),-Wno-unknown-pragmas -Wno-pass-failed)
CFLAGS ?= $(OPT) -g
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
ALL_CFLAGS := -std=c11 -D_DEFAULT_SOURCE -fPIC -fvisibility=hidden $(WARN) $(CFLAGS) $(SANFLAGS) -MMD -MP
LDFLAGS_ALL := $(LDFLAGS) $(SANFLAGS)
LIBS := $(BLIS_LIBS) $(LIB_LIBS) -lpthread -lm

# The kernels are compiled once for each instruction set; the context picks one at run time. Never link with -ffast-math.
KERNEL_FLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
ISAS := base avx2 avx512
else
ISAS := base
endif
ISA_base   :=
ISA_avx2   := -march=x86-64-v3
ISA_avx512 := -march=x86-64-v4 -mprefer-vector-width=512

KERNEL_SRC := $(wildcard csrc/engine/kernels/*.c)
ENGINE_SRC := $(filter-out $(KERNEL_SRC),$(wildcard csrc/engine/*/*.c))
BIND_SRC   := $(wildcard csrc/lua/*.c)
CLI_SRC    := $(wildcard csrc/cli/*.c)

ENGINE_OBJ := $(ENGINE_SRC:csrc/%.c=$(B)/obj/%.o) $(foreach i,$(ISAS),$(KERNEL_SRC:csrc/engine/kernels/%.c=$(B)/obj/kernels-$(i)/%.o))
BIND_OBJ   := $(BIND_SRC:csrc/%.c=$(B)/obj/%.o)
CLI_OBJ    := $(CLI_SRC:csrc/%.c=$(B)/obj/%.o)

## all: build the library, the Lua module and the program (the default)
.PHONY: all
all: $(B)/libmoonglass.a $(B)/libmoonglass_lua.a $(B)/libmoonglass.so $(B)/lib/moonglass/core.so $(if $(CLI_SRC),$(B)/moonglass)

$(B)/libmoonglass.a: $(ENGINE_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# ---- library ----

# The version stands in moonglass.h alone. Its first number is the name that a host program asks for when it starts.
VERSION  := $(shell sed -n 's/^\#define MOON_VERSION "\(.*\)"/\1/p' csrc/moonglass.h)
SONAME   := libmoonglass.so.$(firstword $(subst ., ,$(VERSION)))
SO_FILE  := libmoonglass.so.$(VERSION)
SO_LINKS := $(SONAME) libmoonglass.so

# What leaves a library is what csrc/exports.txt records, nothing of BLIS in particular; and a library's own calls stay
# within it, whatever else of these names the host has loaded. Once loaded it stays: lua_close unloads its modules, and
# each time BLIS's pool would be lost with them.
BIND_NAMES := ^(luaopen_|moon_lua_)
SHARED = $(CC) -shared $(LDFLAGS_ALL) -Wl,-Bsymbolic -Wl,-z,nodelete -Wl,--version-script=$(filter %.map,$^)

$(B)/libmoonglass_lua.a: $(BIND_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/engine.map: csrc/exports.txt
	@mkdir -p $(@D)
	@{ echo '{ global:'; grep -vE '$(BIND_NAMES)' $< | sed 's/$$/;/'; echo 'local: *; };'; } >$@

$(B)/module.map: csrc/exports.txt
	@mkdir -p $(@D)
	@{ echo '{ global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } >$@

$(B)/$(SO_FILE): $(ENGINE_OBJ) $(B)/engine.map
	$(call say,LD,$@)$(SHARED) -Wl,-soname,$(SONAME) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -o $@ $(ENGINE_OBJ) $(LIBS)

$(B)/libmoonglass.so: $(B)/$(SO_FILE)
	@for link in $(SO_LINKS); do ln -sfn $(SO_FILE) $(B)/$$link || exit 1; done

# Lua's functions are the host's: the module names no library that has them.
$(B)/lib/moonglass/core.so: $(BIND_OBJ) $(ENGINE_OBJ) $(B)/module.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(SHARED) -o $@ $(BIND_OBJ) $(ENGINE_OBJ) $(LIBS)

$(B)/moonglass: $(CLI_OBJ) $(BIND_OBJ) $(ENGINE_OBJ)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -rdynamic -o $@ $^ $(LIBS) $(LUA_LIBS) $(EDIT_LIBS)

$(B)/obj/engine/%.o: csrc/engine/%.c | $(B)/needs
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(BLIS_CFLAGS) $(LIB_CFLAGS) -c -o $@ $<

define kernel_rule
$(B)/obj/kernels-$(1)/%.o: csrc/engine/kernels/%.c | $(B)/needs
	@mkdir -p $$(@D)
	$$(if $(filter base,$(1)),$$(call say,CC,$$<),$$(hush))$(CC) $(ALL_CFLAGS) $(KERNEL_FLAGS) $(ISA_$(1)) -DMOONI_ISA=$(1) -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call kernel_rule,$(i))))

$(B)/obj/lua/%.o: csrc/lua/%.c | $(B)/needs
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -c -o $@ $<

$(B)/obj/cli/%.o: csrc/cli/%.c | $(B)/needs
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(EDIT_CFLAGS) -c -o $@ $<

# ---- trying it ----

## demo: train the deep autoencoder on MNIST and leave its pictures in out/deep
.PHONY: demo
demo: $(B)/moonglass
	$(B)/moonglass scripts/deep.lua

## experiments: run all scripts of the lecture one after the other; out/index.html has their pictures and figures
.PHONY: experiments
experiments: all
	$(B)/moonglass scripts/experiments.lua $(EXPERIMENTS)

## reference: write lua/REFERENCE.md from the annotations in lua/moonglass/help/meta.lua
.PHONY: reference
reference:
	$(LUA) lua/doc/tools/make.lua reference

## docs: the documentation as HTML in build/docs: the pages, c/ from the C headers, source/ from the Lua files
.PHONY: docs
docs:
	mkdir -p $(B)/docs
	$(LUA) lua/doc/tools/make.lua html $(B)/docs
	(cat csrc/Doxyfile; echo "OUTPUT_DIRECTORY = $(B)/docs") | doxygen -
	cd lua && ldoc -q -c config.ld -d $(call quote,$(BUILD)/docs/source) .

## pictures: put the README's selection of what `make experiments` has left into scripts/pictures
PICTURES := denoising/denoised features/map spirals/net-regions compression/curve sparse_coding/atoms memorise/curves
.PHONY: pictures
pictures:
	for p in $(PICTURES); do cp out/$$p.png scripts/pictures/$$(echo $$p | tr / -).png || exit 1; done

## env: print what makes a plain lua5.4 find this tree: eval "$$(make -s env)"
.PHONY: env
env:
	@echo $(call quote,export LUA_PATH_5_4=$(call quote,$(LUA_PATH_TREE);;))
	@echo $(call quote,export LUA_CPATH_5_4=$(call quote,$(LUA_CPATH_TREE);;))

LUA_PATH_TREE  := $(HERE)/lua/?.lua;$(HERE)/lua/?/init.lua
LUA_CPATH_TREE := $(BUILD)/lib/?.so
# What finds this tree and its program, for what runs outside of it.
TREE := MOONGLASS_BIN=$(call quote,$(BUILD)/moonglass) LUA_PATH_5_4=$(call quote,$(LUA_PATH_TREE);;) \
        LUA_CPATH_5_4=$(call quote,$(LUA_CPATH_TREE);;)

# ---- checking it ----

# Kinds of Lua besides the shared one, for module_test.
LUA_ARCHIVE := $(wildcard $(shell $(PKG_CONFIG) --variable=libdir lua5.4 2>/dev/null)/liblua5.4.a)
LUA_CXX := $(call found,liblua5.4-c++.so)
MODULE_TESTS := $(if $(LUA_ARCHIVE),$(B)/spec/module_test_static) $(if $(LUA_CXX),$(B)/spec/module_test_c++)
C_TESTS := $(patsubst spec/engine/%.c,$(B)/spec/%,$(wildcard spec/engine/*.c)) $(MODULE_TESTS)
SPEC ?= spec

# A lua5.4 that was built without the sanitizers needs their libraries in front of it. Lua's own leaks at exit are not
# ours to find: the C tests and valgrind look for leaks.
comma := ,
SAN_LIBS := $(foreach s,$(subst $(comma), ,$(SAN)),$(shell $(CC) -print-file-name=lib$(patsubst address,a,$(patsubst undefined,ub,$(s)))san.so))
TEST_LUA := $(if $(SAN),$(call quote,$(BUILD)/lua),$(LUA))

$(B)/lua:
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nLD_PRELOAD="%s" exec %s "$$@"\n' '$(SAN_LIBS)' $(LUA) > $@
	@chmod +x $@

# ---- fuzzing it ----

# A target is a C file in spec/fuzz. Those that go through Lua take the binding, too.
FUZZ_TARGETS := idx idx_gz png safetensors net checkpoint calls script
FUZZ_LUA     := checkpoint script
FUZZ         ?= $(FUZZ_TARGETS)
T            ?= 60
# Debian's clang, of whatever version this Debian has.
FUZZ_CLANG    = $(shell apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$$/\1/p')
FUZZ_CC      ?= $(notdir $(lastword $(wildcard /usr/bin/clang-[0-9][0-9])))
FUZZ_PACKAGES = clang-$(FUZZ_CLANG) libclang-rt-$(FUZZ_CLANG)-dev
FUZZ_DEFINES = -D_GNU_SOURCE $(foreach d,FUZZ_FOLDER=spec/fuzz LUA_FOLDER=lua SEEDS=spec/fuzz/seeds/$*,\
  -D$(firstword $(subst =, ,$(d)))=$(call quote,"$(HERE)/$(lastword $(subst =, ,$(d)))"))
# What a target links: $(call FUZZ_LINK,name)
FUZZ_LINK = $(if $(filter $(1),$(FUZZ_LUA)),$(BIND_OBJ)) $(B)/libmoonglass.a $(LIBS) $(if $(filter $(1),$(FUZZ_LUA)),$(LUA_LIBS))

## deps-fuzz: install what fuzz needs (Debian packages: clang and its sanitizers)
.PHONY: deps-fuzz
deps-fuzz:
	$(call install_packages,$(FUZZ_PACKAGES))

## fuzz: libFuzzer on every reader of files and on random calls, from C and Lua (T=60: seconds each; FUZZ=name: one)
.PHONY: fuzz
fuzz:
	@command -v "$(FUZZ_CC)" >/dev/null || { echo "fuzz: make deps-fuzz comes first" >&2; exit 1; }
	@$(MAKE) --no-print-directory CC=$(FUZZ_CC) OPT=-O1 SAN=fuzzer-no-link,address,undefined B=build/fuzz \
	  WARN='-Wall -Wextra -Wno-pass-failed -Wno-unknown-pragmas' \
	  $(FUZZ:%=build/fuzz/fuzz_%)
	@sh spec/fuzz/run.sh build/fuzz $(T) $(FUZZ)

FUZZ_HEADERS := $(wildcard spec/fuzz/*.h)

$(B)/fuzz_%: spec/fuzz/%.c $(FUZZ_HEADERS) $(B)/libmoonglass.a $(BIND_OBJ)
	$(call say,CC,$<)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LUA_CFLAGS) $(FUZZ_DEFINES) -fsanitize=fuzzer $(LDFLAGS_ALL) -o $@ $< \
	  $(call FUZZ_LINK,$*)

# The same without a fuzzer, on the seeds: one of the C tests.
REPLAYS := $(FUZZ_TARGETS:%=$(B)/spec/replay_%)
C_TESTS += $(REPLAYS)

$(B)/spec/replay_%: spec/fuzz/%.c spec/fuzz/replay.c $(FUZZ_HEADERS) $(B)/libmoonglass.a $(BIND_OBJ)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LUA_CFLAGS) $(FUZZ_DEFINES) $(LDFLAGS_ALL) -o $@ $< spec/fuzz/replay.c \
	  $(call FUZZ_LINK,$*)

## test: build, and run the C tests and the Lua specs (SPEC=path: these specs only; SAN=address,undefined: sanitized)
.PHONY: test
test: all hosts $(C_TESTS) $(B)/bench/bench $(if $(SAN),$(B)/lua)
	@LUA=$(TEST_LUA) SPEC='$(SPEC)' $(TREE) sh spec/support/run.sh $(C_TESTS)

# The long tests. Programs are built like the C tests, scripts run as they are; each ends with a summary of its own.
STRESS ?= $(patsubst spec/stress/%.c,$(B)/stress/%,$(wildcard spec/stress/*.c)) $(wildcard spec/stress/*.lua spec/stress/*.sh)

## stress: the tests that take long: refused allocations, killed savers, faults, a soak (STRESS=file: that one only)
.PHONY: stress
stress: all hosts $(filter $(B)/%,$(STRESS))
	@LUA=$(TEST_LUA) SPEC= $(TREE) sh spec/support/run.sh $(STRESS)

$(B)/stress/%: spec/stress/%.c $(wildcard spec/engine/*.h) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -Icsrc -Ispec/engine $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

$(B)/spec/%: spec/engine/%.c $(wildcard spec/engine/*.h) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -Icsrc $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

# lua_*_test: C tests that have Lua, and the binding with it.
LUA_TESTS := $(patsubst spec/engine/%.c,$(B)/spec/%,$(wildcard spec/engine/lua_*_test.c))
$(LUA_TESTS): $(B)/spec/%: spec/engine/%.c $(wildcard spec/engine/*.h) $(BIND_OBJ) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(LDFLAGS_ALL) -o $@ $< $(BIND_OBJ) $(B)/libmoonglass.a $(LIBS) $(LUA_LIBS) -ldl

# module test: no engine in it, it loads core.so. Once with each kind of Lua that is here: shared, linked in, as C++.
# Debian 13's liblua5.4-c++.so exports its functions by C++'s names alone: no module written in C can be loaded into it.
$(B)/spec/module_test: MODULE_LUA = $(LUA_LIBS)
$(B)/spec/module_test_static: MODULE_LUA = -Wl,-E $(LUA_ARCHIVE)
$(B)/spec/module_test_c++: MODULE_LUA = $(LUA_CXX) -lstdc++
$(B)/spec/module_test $(B)/spec/module_test_static $(B)/spec/module_test_c++: spec/engine/module_test.c spec/engine/check.h
	@mkdir -p $(@D)
	$(call say,CC,$<)if [ $(@F) = module_test_c++ ] && ! nm -D $(LUA_CXX) | grep -q ' T lua_settop'; then \
	  printf '%s\n' '#!/bin/sh' 'echo "left out: $(LUA_CXX) has C++ names alone, and C modules need lua_settop"' \
	    'echo "0 passed, 0 failed, 1 skipped"' >$@ && chmod +x $@; \
	else \
	  $(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(LDFLAGS_ALL) -o $@ $< $(MODULE_LUA) -lpthread -ldl -lm; \
	fi

## test-shuffled: the Lua specs in a random order, twice over (SPEC=path: these specs only)
.PHONY: test-shuffled
test-shuffled:
	@$(MAKE) --no-print-directory test SPEC='--shuffle --repeat=2 $(SPEC)'

# ---- coverage ----

# A build of its own, of objects that count, in which all tests run; the kernels are optimised as ever. What the tests
# start as programs with Lua counts its lines too (spec/coverage/lines.c). install_spec is left out: it links these
# objects into programs of its own, without what they count with.
COVERAGE := build/coverage
COUNT_LINES = package.loadlib("$(HERE)/$(COVERAGE)/lines.so", "luaopen_lines")()
COVERED = $(MAKE) --no-print-directory B=$(COVERAGE) CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage

## coverage: run all tests with counters: lines and branches of each file, totals, bars (SPEC=path; takes long)
.PHONY: coverage
coverage:
	rm -rf $(COVERAGE)
	@$(COVERED) all
	$(CC) -shared -fPIC -O1 $(LUA_CFLAGS) -o $(COVERAGE)/lines.so spec/coverage/lines.c
	@status=0; \
	LUA_INIT_5_4=$(call quote,$(COUNT_LINES)) MOONGLASS_COVERAGE=$(call quote,$(HERE)/$(COVERAGE)) $(COVERED) test SPEC='--exclude-pattern=install_spec $(SPEC)' || status=1; \
	$(LUA) spec/coverage/report.lua $(COVERAGE) || status=1; exit $$status

## lint: luacheck, clang-format, and the rules of layering
.PHONY: lint
lint: all
	luacheck --quiet lua scripts spec
	clang-format --dry-run -Werror $(C_FILES)
	sh spec/support/lint.sh $(B)

VALGRIND := valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,indirect \
  --show-leak-kinds=definite,indirect

## valgrind: train two batches, and the lives of hosts with Lua and without, under valgrind: no error, nothing lost
.PHONY: valgrind
valgrind: all $(B)/spec/lua_host_test $(B)/spec/embed_test
	$(VALGRIND) $(B)/moonglass spec/support/valgrind_run.lua
	$(VALGRIND) $(B)/spec/lua_host_test quick
	$(VALGRIND) $(B)/spec/embed_test $(B)/spec/embed_life

# What trains long, or starts programs whose bits are compared with valgrind's, which has no AVX-512, is left to the
# sanitizers. The module is unloaded in the end, so that what BLIS keeps in it is possibly lost.
VALGRIND_TESTS := files_test
VALGRIND_SPECS := binding shapes data train onnx metrics

## test-valgrind: C tests and Lua specs under valgrind: no error, nothing lost (some minutes)
.PHONY: test-valgrind
test-valgrind: valgrind $(VALGRIND_TESTS:%=$(B)/spec/%)
	for t in $(VALGRIND_TESTS); do $(VALGRIND) $(B)/spec/$$t || exit 1; done
	for s in $(VALGRIND_SPECS); do \
	  echo "$$s" && $(TREE) $(subst $(comma)possible,,$(VALGRIND)) $(LUA) spec/support/busted.lua spec/api/$${s}_spec.lua || exit 1; \
	done

## tsan: the worker pool, and several contexts at once, under the thread sanitizer
.PHONY: tsan
tsan:
	@$(MAKE) --no-print-directory SAN=thread B=$(B)/tsan $(B)/tsan/spec/threads_test $(B)/tsan/spec/embed_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/threads_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/embed_test

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
LUA_FILES  := $(shell cd lua && find moonglass -name '*.lua')
PC_DIR     := $(LIBDIR)/pkgconfig
HEADERS    := csrc/moonglass.h csrc/moonglass_lua.h

# moonglass.pc tells folders below PREFIX from its own place, so that a moved installation is still found.
below     = $(findstring ^$(PREFIX)/,^$(1))
PC_PREFIX = $(if $(call below,$(PC_DIR)),$${pcfiledir}/$(shell realpath -m --relative-to=$(call quote,$(PC_DIR)) $(call quote,$(or $(PREFIX),/))),$(PREFIX))
PC_PLACE  = $(patsubst ^%,%,$(subst ^$(PREFIX)/,$${prefix}/,^$(1)))
PC_BLIS   = $(filter-out -Wl$(comma)--exclude-libs%,$(BLIS_LIBS))

# $(call to,folder): that folder below DESTDIR.
to = $(call quote,$(DESTDIR)$(1))

## install: the program, the Lua library, the C libraries, headers and moonglass.pc (PREFIX=/usr/local, DESTDIR=)
.PHONY: install
install: all install-lua
	$(hush)install -d $(call to,$(LIBDIR)) $(call to,$(PC_DIR))
	$(hush)install -m 755 $(B)/$(SO_FILE) $(call to,$(LIBDIR))
	$(hush)for link in $(SO_LINKS); do ln -sfn $(SO_FILE) $(call to,$(LIBDIR))/$$link || exit 1; done
	$(hush)install -m 644 $(B)/libmoonglass.a $(B)/libmoonglass_lua.a $(call to,$(LIBDIR))
	$(hush)install -D -m 644 -t $(call to,$(INCLUDEDIR)) $(HEADERS)
	$(hush)sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|'$(call quote,$(PC_PREFIX))'|' \
	  -e 's|@LIBDIR@|'$(call quote,$(call PC_PLACE,$(LIBDIR)))'|' \
	  -e 's|@INCLUDEDIR@|'$(call quote,$(call PC_PLACE,$(INCLUDEDIR)))'|' -e 's|@BLIS@|$(PC_BLIS)|' csrc/moonglass.pc.in \
	  >$(call to,$(PC_DIR)/moonglass.pc)
	$(hush)chmod 644 $(call to,$(PC_DIR)/moonglass.pc)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX)):

## install-lua: the program and the Lua library only (the rockspec's target)
.PHONY: install-lua
install-lua: $(B)/lib/moonglass/core.so $(B)/moonglass
	$(hush)install -D -m 755 $(B)/moonglass $(call to,$(BINDIR)/moonglass)
	$(hush)install -D -m 755 $(B)/lib/moonglass/core.so $(call to,$(LUA_CDIR)/moonglass/core.so)
	$(hush)for f in $(LUA_FILES); do install -D -m 644 lua/$$f $(call to,$(LUA_LDIR))/$$f || exit 1; done

## uninstall: remove what install put there
.PHONY: uninstall
uninstall:
	$(hush)rm -f $(call to,$(BINDIR)/moonglass) $(call to,$(LUA_CDIR)/moonglass/core.so) $(call to,$(PC_DIR)/moonglass.pc)
	$(hush)for f in $(LUA_FILES); do rm -f $(call to,$(LUA_LDIR))/$$f || exit 1; done
	$(hush)for f in $(notdir $(HEADERS)); do rm -f $(call to,$(INCLUDEDIR))/$$f || exit 1; done
	$(hush)for f in $(SO_FILE) $(SO_LINKS) libmoonglass.a libmoonglass_lua.a; do rm -f $(call to,$(LIBDIR))/$$f || exit 1; done
	$(hush)for d in $(call to,$(LUA_CDIR)/moonglass) $(call to,$(LUA_LDIR)/moonglass); do \
	  if [ -d "$$d" ]; then find "$$d" -depth -type d -empty -delete; fi; \
	done

# ---- abi ----

# abidw takes a header by its bare name only. What is not in it is nobody's business.
ABIDW := cd csrc && abidw --exported-interfaces-only --drop-private-types --header-file moonglass.h --no-corpus-path \
  --no-comp-dir-path --no-show-locs --no-elf-needed

$(B)/abi.xml: $(B)/$(SO_FILE)
	@command -v abidw >/dev/null || { echo "abi: abidw is missing (Debian: abigail-tools)" >&2; exit 1; }
	$(call say,ABI,$@)$(ABIDW) --out-file $(call quote,$(BUILD)/$(@F)) $(call quote,$(BUILD)/$(<F))

## abi: would a program that was linked with the interface recorded in csrc/abi.xml still run? (x86-64 only)
.PHONY: abi
abi: $(B)/abi.xml
	abidiff --no-added-syms csrc/abi.xml $<
	@echo "abi: as recorded in csrc/abi.xml, but for what is new"

## abi-record: record the interface anew: csrc/exports.txt from the headers, csrc/abi.xml from what is built with it
.PHONY: abi-record
abi-record:
	sed -n 's/^MOON_API [^(]*[ *]\([a-z0-9_]*\)(.*/\1/p' $(HEADERS) | LC_ALL=C sort >csrc/exports.txt
	@$(MAKE) --no-print-directory $(B)/abi.xml
	cp $(B)/abi.xml csrc/abi.xml

# ---- hosts ----

HOSTS := $(addprefix $(B)/hosts/,reconstruct anomaly train embed scripted)
HOST_CC = $(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Werror -Icsrc $(LUA_CFLAGS)
HOST_CXX = $(CXX) -std=c++17 -Wall -Wextra -Wpedantic -Werror $(OPT) -g $(SANFLAGS) -Icsrc

## hosts: build the host programs of scripts/hosts into build/hosts
.PHONY: hosts
hosts: $(HOSTS)

$(HOSTS): csrc/moonglass.h csrc/moonglass_lua.h scripts/hosts/digest.h $(B)/libmoonglass.a
$(B)/hosts/scripted: $(B)/libmoonglass_lua.a

$(B)/hosts/%: scripts/hosts/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(HOST_CC) $(LDFLAGS_ALL) -o $@ $< $(filter %_lua.a,$^) $(B)/libmoonglass.a $(LIBS) $(if $(filter %_lua.a,$^),$(LUA_LIBS))

$(B)/hosts/%: scripts/hosts/%.cpp
	@mkdir -p $(@D)
	$(call say,CXX,$<)$(HOST_CXX) $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

# ---- other hosts ----

# Programs of other people that have a Lua 5.4 in them. prosody and dnsmasq-base-lua are tested too where they are there:
# the one starts a server when it is installed, the other takes the place of dnsmasq-base.
HOST_PACKAGES := lighttpd lighttpd-modules-lua curl python3-venv gringo gnuplot-nox mle neomutt
HOSTS_VENV := build/hosts-venv

## deps-hosts: install what test-hosts needs (Debian packages; lupa from PyPI into build/hosts-venv, over the network)
.PHONY: deps-hosts
deps-hosts:
	$(call install_packages,$(HOST_PACKAGES))
	$(PYTHON) -m venv --clear $(HOSTS_VENV)
	$(HOSTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check lupa numpy

## test-hosts: train and predict in other people's programs: lighttpd, Python's lupa, and more (after deps-hosts)
.PHONY: test-hosts
test-hosts: all
	@test -x $(HOSTS_VENV)/bin/python || { echo "test-hosts: make deps-hosts comes first" >&2; exit 1; }
	@LUA=$(LUA) SPEC='--pattern=_host spec/other_hosts' $(TREE) \
	PATH=$(call quote,$(HERE)/$(HOSTS_VENV)/bin):"$$PATH" PYTHONDONTWRITEBYTECODE=1 sh spec/support/run.sh spec/other_hosts/lupa_test.py

# ---- other systems ----

SYSTEMS ?= trixie

## deps-systems: install what test-systems needs (a Debian package: debootstrap)
.PHONY: deps-systems
deps-systems:
	$(call install_packages,debootstrap)

## test-systems: README's two commands in a fresh Debian 13, and what they take (SYSTEMS='bookworm trixie': in each)
.PHONY: test-systems
test-systems:
	@sh spec/systems/debian.sh $(SYSTEMS)

# ---- interop ----

INTEROP := build/interop

## interop-deps: install PyTorch, ONNX and its runtime, and safetensors in build/interop, for test-interop (over the network)
.PHONY: interop-deps
interop-deps: $(INTEROP)/complete

# PyTorch comes first and alone, so that no other package chooses its build.
$(INTEROP)/complete:
	$(PYTHON) -m venv --clear $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check numpy onnx onnxruntime safetensors
	touch $@

## test-interop: our ONNX and safetensors files in ONNX Runtime and PyTorch, and theirs here (after interop-deps)
.PHONY: test-interop
test-interop: all
	@test -e $(INTEROP)/complete || { echo "test-interop: make interop-deps comes first" >&2; exit 1; }
	@$(INTEROP)/bin/python spec/interop/check.py $(B)/moonglass

# ---- jupyter ----

JUPYTER := build/jupyter

## jupyter-deps: install ipykernel and what runs notebooks in build/jupyter, for jupyter-install and test-jupyter (over the network)
.PHONY: jupyter-deps
jupyter-deps: $(JUPYTER)/complete

$(JUPYTER)/complete:
	$(call install_packages,python3-venv)
	$(PYTHON) -m venv --clear $(JUPYTER)
	$(JUPYTER)/bin/python -m pip install --quiet --disable-pip-version-check ipykernel jupyter_client nbclient nbformat
	touch $@

## jupyter-install: tell Jupyter of the kernel (after jupyter-deps): for this user, or below JUPYTER_PREFIX
.PHONY: jupyter-install
jupyter-install: all
	@test -e $(JUPYTER)/complete || { echo "jupyter-install: make jupyter-deps comes first" >&2; exit 1; }
	$(JUPYTER)/bin/python scripts/jupyter/install.py $(if $(JUPYTER_PREFIX),--prefix $(JUPYTER_PREFIX))

## notebook: run the lecture's notebook on MNIST, and store in it what its cells show (after jupyter-deps)
.PHONY: notebook
notebook: all
	@test -e $(JUPYTER)/complete || { echo "notebook: make jupyter-deps comes first" >&2; exit 1; }
	@MOONGLASS=$(abspath $(B))/moonglass PYTHONDONTWRITEBYTECODE=1 $(JUPYTER)/bin/python scripts/jupyter/execute.py \
	  scripts/jupyter/lecture.ipynb $(if $(MOONGLASS_DATA),--data $(MOONGLASS_DATA))

## test-jupyter: the kernel through Jupyter's own client, and the lecture's notebook in a clean environment (after jupyter-deps)
.PHONY: test-jupyter
test-jupyter: all
	@test -e $(JUPYTER)/complete || { echo "test-jupyter: make jupyter-deps comes first" >&2; exit 1; }
	@MOONGLASS=$(call quote,$(BUILD)/moonglass) PYTHONDONTWRITEBYTECODE=1 $(JUPYTER)/bin/python spec/jupyter/check.py

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
	$(call say,CC,$@)$(BENCH_CC) -o $@ $(BENCH_SRC) $(B)/libmoonglass.a $(LIBS)

# For the profile BLIS is linked in, if there is a libblis.a: Debian's shared one has lost the names of its functions.
BLIS_STATIC := $(wildcard $(addsuffix /libblis.a,$(BLIS_LIBDIR)))
$(B)/bench/profiled: $(BENCH_DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(BENCH_CC) -o $@ $(BENCH_SRC) $(B)/libmoonglass.a $(or $(BLIS_STATIC),$(BLIS_LIBS)) $(LIB_LIBS) -lpthread -lm

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
