# Moonglass. `make help` lists the targets. They write to build/, and the demo to out/, and nowhere else.

.DEFAULT_GOAL := all

# Debian's names. The demo and the tests need no others, and nothing from the network.
PACKAGES := gcc make binutils pkg-config lua5.4 liblua5.4-dev libblis-serial-dev libpng-dev zlib1g-dev libjansson-dev \
            libedit-dev lua-argparse lua-filesystem lua-busted lua-check clang-format valgrind libc6-dbg tmux curl gnuplot-nox \
            ca-certificates dataset-fashion-mnist g++ luarocks abigail-tools doxygen lua-ldoc locales strace

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
all: $(B)/libmoonglass.a $(B)/libmoonglass_lua.a $(B)/libmoonglass.so $(B)/lib/moonglass/core.so $(if $(CLI_SRC),$(B)/moonglass)

$(B)/libmoonglass.a: $(ENGINE_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

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
	rm -f $@ && $(AR) rcs $@ $^

$(B)/engine.map: csrc/exports.txt
	@mkdir -p $(@D)
	{ echo '{ global:'; grep -vE '$(BIND_NAMES)' $< | sed 's/$$/;/'; echo 'local: *; };'; } >$@

$(B)/module.map: csrc/exports.txt
	@mkdir -p $(@D)
	{ echo '{ global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } >$@

$(B)/$(SO_FILE): $(ENGINE_OBJ) $(B)/engine.map
	$(SHARED) -Wl,-soname,$(SONAME) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -o $@ $(ENGINE_OBJ) $(LIBS)

$(B)/libmoonglass.so: $(B)/$(SO_FILE)
	for link in $(SO_LINKS); do ln -sfn $(SO_FILE) $(B)/$$link || exit 1; done

# Lua's functions are the host's: the module names no library that has them.
$(B)/lib/moonglass/core.so: $(BIND_OBJ) $(ENGINE_OBJ) $(B)/module.map
	@mkdir -p $(@D)
	$(SHARED) -o $@ $(BIND_OBJ) $(ENGINE_OBJ) $(LIBS)

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

## reference: write lua/REFERENCE.md from the annotations in lua/moonglass/meta.lua
.PHONY: reference
reference:
	$(LUA) lua/doc/make.lua reference

## docs: the documentation as HTML in build/docs: the pages, c/ from the C headers, source/ from the Lua files
.PHONY: docs
docs:
	mkdir -p $(B)/docs
	$(LUA) lua/doc/make.lua html $(B)/docs
	(cat csrc/Doxyfile; echo "OUTPUT_DIRECTORY = $(B)/docs") | doxygen -
	cd lua && ldoc -q -c config.ld -d $(abspath $(B))/docs/source .

## pictures: put the README's selection of what `make experiments` has left into scripts/pictures
PICTURES := denoising/denoised features/map spirals/net-regions compression/curve sparse_coding/atoms memorise/curves
.PHONY: pictures
pictures:
	for p in $(PICTURES); do cp out/$$p.png scripts/pictures/$$(echo $$p | tr / -).png || exit 1; done

## env: print what makes a plain lua5.4 find this tree: eval "$$(make -s env)"
.PHONY: env
env:
	@echo "export LUA_PATH_5_4='$(LUA_PATH_TREE);;'"
	@echo "export LUA_CPATH_5_4='$(LUA_CPATH_TREE);;'"

LUA_PATH_TREE  := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua
LUA_CPATH_TREE := $(abspath $(B))/lib/?.so

# ---- checking it ----

# Kinds of Lua besides the shared one, for module_test.
LUA_ARCHIVE := $(wildcard $(shell pkg-config --variable=libdir lua5.4 2>/dev/null)/liblua5.4.a)
LUA_CXX := $(wildcard /usr/lib/$(MULTIARCH)/liblua5.4-c++.so)
MODULE_TESTS := $(if $(LUA_ARCHIVE),$(B)/spec/module_test_static) $(if $(LUA_CXX),$(B)/spec/module_test_c++)
C_TESTS := $(patsubst spec/c/%.c,$(B)/spec/%,$(wildcard spec/c/*.c)) $(MODULE_TESTS)
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

# ---- fuzzing it ----

# A target is a C file in spec/fuzz. Those that go through Lua take the binding, too.
FUZZ_TARGETS := idx idx_gz png safetensors net checkpoint calls script
FUZZ_LUA     := checkpoint script
FUZZ         ?= $(FUZZ_TARGETS)
T            ?= 60
FUZZ_CC      ?= clang-14
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev
FUZZ_DEFINES = -D_GNU_SOURCE -DFUZZ_FOLDER='"$(CURDIR)/spec/fuzz"' -DLUA_FOLDER='"$(CURDIR)/lua"' -DSEEDS='"$(CURDIR)/spec/fuzz/seeds/$*"'
# What a target links: $(call FUZZ_LINK,name)
FUZZ_LINK = $(if $(filter $(1),$(FUZZ_LUA)),$(BIND_OBJ)) $(B)/libmoonglass.a $(LIBS) $(if $(filter $(1),$(FUZZ_LUA)),$(LUA_LIBS))

## deps-fuzz: install what fuzz needs (Debian packages: clang and its sanitizers)
.PHONY: deps-fuzz
deps-fuzz:
	@$(MAKE) --no-print-directory deps PACKAGES='$(FUZZ_PACKAGES)'

## fuzz: libFuzzer on every reader of files and on random calls, from C and Lua (T=60: seconds each; FUZZ=name: one)
.PHONY: fuzz
fuzz:
	@command -v $(FUZZ_CC) >/dev/null || { echo "fuzz: make deps-fuzz comes first" >&2; exit 1; }
	@$(MAKE) --no-print-directory CC=$(FUZZ_CC) OPT=-O1 SAN=fuzzer-no-link,address,undefined B=build/fuzz \
	  WARN='-Wall -Wextra -Wno-pass-failed -Wno-unknown-pragmas' \
	  $(FUZZ:%=build/fuzz/fuzz_%)
	@sh spec/fuzz/run.sh build/fuzz $(T) $(FUZZ)

FUZZ_HEADERS := $(wildcard spec/fuzz/*.h)

$(B)/fuzz_%: spec/fuzz/%.c $(FUZZ_HEADERS) $(B)/libmoonglass.a $(BIND_OBJ)
	$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LUA_CFLAGS) $(FUZZ_DEFINES) -fsanitize=fuzzer $(LDFLAGS_ALL) -o $@ $< \
	  $(call FUZZ_LINK,$*)

# The same without a fuzzer, on the seeds: one of the C tests.
REPLAYS := $(FUZZ_TARGETS:%=$(B)/spec/replay_%)
C_TESTS += $(REPLAYS)

$(B)/spec/replay_%: spec/fuzz/%.c spec/fuzz/replay.c $(FUZZ_HEADERS) $(B)/libmoonglass.a $(BIND_OBJ)
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LUA_CFLAGS) $(FUZZ_DEFINES) $(LDFLAGS_ALL) -o $@ $< spec/fuzz/replay.c \
	  $(call FUZZ_LINK,$*)

## test: build, and run the C tests and the Lua specs (SPEC=path: these specs only; SAN=address,undefined: sanitized)
.PHONY: test
test: all hosts $(C_TESTS) $(B)/bench/bench $(if $(SAN),$(B)/lua)
	@LUA=$(TEST_LUA) SPEC='$(SPEC)' MOONGLASS_BIN=$(abspath $(B))/moonglass \
	LUA_PATH_5_4='$(LUA_PATH_TREE);;' LUA_CPATH_5_4='$(LUA_CPATH_TREE);;' sh spec/run.sh $(C_TESTS)

# The long tests. Programs are built like the C tests, scripts run as they are; each ends with a summary of its own.
STRESS ?= $(patsubst spec/stress/%.c,$(B)/stress/%,$(wildcard spec/stress/*.c)) $(wildcard spec/stress/*.lua spec/stress/*.sh)

## stress: the tests that take long: refused allocations, killed savers, faults, a soak (STRESS=file: that one only)
.PHONY: stress
stress: all hosts $(filter $(B)/%,$(STRESS))
	@LUA=$(TEST_LUA) SPEC= MOONGLASS_BIN=$(abspath $(B))/moonglass \
	LUA_PATH_5_4='$(LUA_PATH_TREE);;' LUA_CPATH_5_4='$(LUA_CPATH_TREE);;' sh spec/run.sh $(STRESS)

$(B)/stress/%: spec/stress/%.c $(wildcard spec/c/*.h) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Icsrc -Ispec/c $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

$(B)/spec/%: spec/c/%.c $(wildcard spec/c/*.h) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Icsrc $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

# lua_*_test: C tests that have Lua, and the binding with it.
$(B)/spec/lua_%_test: spec/c/lua_%_test.c $(wildcard spec/c/*.h) $(BIND_OBJ) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(LDFLAGS_ALL) -o $@ $< $(BIND_OBJ) $(B)/libmoonglass.a $(LIBS) $(LUA_LIBS) -ldl

# module test: no engine in it, it loads core.so. Once with each kind of Lua that is here: shared, linked in, as C++.
$(B)/spec/module_test: MODULE_LUA = $(LUA_LIBS)
$(B)/spec/module_test_static: MODULE_LUA = -Wl,-E $(LUA_ARCHIVE)
$(B)/spec/module_test_c++: MODULE_LUA = $(LUA_CXX) -lstdc++
$(B)/spec/module_test $(B)/spec/module_test_static $(B)/spec/module_test_c++: spec/c/module_test.c spec/c/check.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(LDFLAGS_ALL) -o $@ $< $(MODULE_LUA) -lpthread -ldl -lm

## test-shuffled: the Lua specs in a random order, twice over (SPEC=path: these specs only)
.PHONY: test-shuffled
test-shuffled:
	@$(MAKE) --no-print-directory test SPEC='--shuffle --repeat=2 $(SPEC)'

# ---- coverage ----

# A build of its own, of objects that count, in which all tests run; the kernels are optimised as ever. What the tests
# start as programs with Lua counts its lines too (spec/coverage/lines.c). install_spec is left out: it links these
# objects into programs of its own, without what they count with.
COVERAGE := build/coverage
COVERED = $(MAKE) --no-print-directory B=$(COVERAGE) CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage

## coverage: run all tests with counters: lines and branches of each file, totals, bars (SPEC=path; takes long)
.PHONY: coverage
coverage:
	rm -rf $(COVERAGE)
	@$(COVERED) all
	$(CC) -shared -fPIC -O1 $(LUA_CFLAGS) -o $(COVERAGE)/lines.so spec/coverage/lines.c
	@status=0; \
	LUA_INIT_5_4='package.loadlib("$(abspath $(COVERAGE))/lines.so", "luaopen_lines")()' \
	MOONGLASS_COVERAGE=$(abspath $(COVERAGE)) $(COVERED) test SPEC='--exclude-pattern=install_spec $(SPEC)' || status=1; \
	$(LUA) spec/coverage/report.lua $(COVERAGE) || status=1; exit $$status

## lint: luacheck, clang-format, and the rules of layering
.PHONY: lint
lint: all
	luacheck --quiet lua scripts spec
	clang-format --dry-run -Werror $(C_FILES)
	sh spec/lint.sh $(B)

VALGRIND := valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,indirect \
  --show-leak-kinds=definite,indirect

## valgrind: train two batches, and the lives of hosts with Lua and without, under valgrind: no error, nothing lost
.PHONY: valgrind
valgrind: all $(B)/spec/lua_host_test $(B)/spec/embed_test
	$(VALGRIND) $(B)/moonglass spec/valgrind_run.lua
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
	  echo "$$s" && MOONGLASS_BIN=$(abspath $(B))/moonglass LUA_PATH_5_4='$(LUA_PATH_TREE);;' LUA_CPATH_5_4='$(LUA_CPATH_TREE);;' \
	  $(subst $(comma)possible,,$(VALGRIND)) $(LUA) spec/busted.lua spec/$${s}_spec.lua || exit 1; \
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
PC_PREFIX   = $(if $(filter $(PREFIX)/%,$(PC_DIR)),$${pcfiledir}/$(shell realpath -m --relative-to=$(PC_DIR) $(or $(PREFIX),/)),$(PREFIX))
PC_PLACE    = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
PC_BLIS     = $(filter-out -Wl$(comma)--exclude-libs%,$(BLIS_LIBS))

## install: the program, the Lua library, the C libraries, headers and moonglass.pc (PREFIX=/usr/local, DESTDIR=)
.PHONY: install
install: all install-lua
	install -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(PC_DIR)
	install -m 755 $(B)/$(SO_FILE) $(DESTDIR)$(LIBDIR)
	for link in $(SO_LINKS); do ln -sfn $(SO_FILE) $(DESTDIR)$(LIBDIR)/$$link || exit 1; done
	install -m 644 $(B)/libmoonglass.a $(B)/libmoonglass_lua.a $(DESTDIR)$(LIBDIR)
	install -D -m 644 -t $(DESTDIR)$(INCLUDEDIR) $(HEADERS)
	sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PC_PREFIX)|' -e 's|@LIBDIR@|$(call PC_PLACE,$(LIBDIR))|' \
	  -e 's|@INCLUDEDIR@|$(call PC_PLACE,$(INCLUDEDIR))|' -e 's|@BLIS@|$(PC_BLIS)|' csrc/moonglass.pc.in \
	  >$(DESTDIR)$(PC_DIR)/moonglass.pc
	chmod 644 $(DESTDIR)$(PC_DIR)/moonglass.pc

## install-lua: the program and the Lua library only (the rockspec's target)
.PHONY: install-lua
install-lua: $(B)/lib/moonglass/core.so $(B)/moonglass
	install -D -m 755 $(B)/moonglass $(DESTDIR)$(BINDIR)/moonglass
	install -D -m 755 $(B)/lib/moonglass/core.so $(DESTDIR)$(LUA_CDIR)/moonglass/core.so
	for f in $(LUA_FILES); do install -D -m 644 lua/$$f $(DESTDIR)$(LUA_LDIR)/$$f || exit 1; done

## uninstall: remove what install put there
.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/moonglass $(DESTDIR)$(LUA_CDIR)/moonglass/core.so $(DESTDIR)$(PC_DIR)/moonglass.pc
	rm -f $(addprefix $(DESTDIR)$(LUA_LDIR)/,$(LUA_FILES)) $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(HEADERS)))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(SO_FILE) $(SO_LINKS) libmoonglass.a libmoonglass_lua.a)
	for d in $(DESTDIR)$(LUA_CDIR)/moonglass $(DESTDIR)$(LUA_LDIR)/moonglass; do \
	  if [ -d $$d ]; then find $$d -depth -type d -empty -delete; fi; \
	done

# ---- abi ----

# abidw takes a header by its bare name only. What is not in it is nobody's business.
ABIDW := cd csrc && abidw --exported-interfaces-only --drop-private-types --header-file moonglass.h --no-corpus-path \
  --no-comp-dir-path --no-show-locs --no-elf-needed

$(B)/abi.xml: $(B)/$(SO_FILE)
	@command -v abidw >/dev/null || { echo "abi: abidw is missing (Debian: abigail-tools)" >&2; exit 1; }
	$(ABIDW) --out-file $(abspath $@) $(abspath $<)

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
	$(HOST_CC) $(LDFLAGS_ALL) -o $@ $< $(filter %_lua.a,$^) $(B)/libmoonglass.a $(LIBS) $(if $(filter %_lua.a,$^),$(LUA_LIBS))

$(B)/hosts/%: scripts/hosts/%.cpp
	@mkdir -p $(@D)
	$(HOST_CXX) $(LDFLAGS_ALL) -o $@ $< $(B)/libmoonglass.a $(LIBS)

# ---- other hosts ----

# Programs of other people that have a Lua 5.4 in them. prosody and dnsmasq-base-lua are tested too where they are there:
# the one starts a server when it is installed, the other takes the place of dnsmasq-base.
HOST_PACKAGES := lighttpd lighttpd-modules-lua curl python3-venv gringo gnuplot-nox mle neomutt
HOSTS_VENV := build/hosts-venv

## deps-hosts: install what test-hosts needs (Debian packages; lupa from PyPI into build/hosts-venv, over the network)
.PHONY: deps-hosts
deps-hosts:
	@$(MAKE) --no-print-directory deps PACKAGES='$(HOST_PACKAGES)'
	$(PYTHON) -m venv --clear $(HOSTS_VENV)
	$(HOSTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check lupa numpy

## test-hosts: train and predict in other people's programs: lighttpd, Python's lupa, and more (after deps-hosts)
.PHONY: test-hosts
test-hosts: all
	@test -x $(HOSTS_VENV)/bin/python || { echo "test-hosts: make deps-hosts comes first" >&2; exit 1; }
	@LUA=$(LUA) SPEC='--pattern=_host spec/other_hosts' MOONGLASS_BIN=$(abspath $(B))/moonglass \
	PATH="$(abspath $(HOSTS_VENV))/bin:$$PATH" PYTHONDONTWRITEBYTECODE=1 \
	LUA_PATH_5_4='$(LUA_PATH_TREE);;' LUA_CPATH_5_4='$(LUA_CPATH_TREE);;' sh spec/run.sh spec/other_hosts/lupa_test.py

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
	@$(MAKE) --no-print-directory deps PACKAGES=python3-venv
	$(PYTHON) -m venv --clear $(JUPYTER)
	$(JUPYTER)/bin/python -m pip install --quiet --disable-pip-version-check ipykernel jupyter_client nbclient nbformat
	touch $@

## jupyter-install: tell Jupyter of the kernel (after jupyter-deps): for this user, or below JUPYTER_PREFIX
.PHONY: jupyter-install
jupyter-install: all
	@test -e $(JUPYTER)/complete || { echo "jupyter-install: make jupyter-deps comes first" >&2; exit 1; }
	$(JUPYTER)/bin/python scripts/jupyter/install.py $(if $(JUPYTER_PREFIX),--prefix $(JUPYTER_PREFIX))

## test-jupyter: the kernel through Jupyter's own client, and the lecture's notebook in a clean environment (after jupyter-deps)
.PHONY: test-jupyter
test-jupyter: all
	@test -e $(JUPYTER)/complete || { echo "test-jupyter: make jupyter-deps comes first" >&2; exit 1; }
	@MOONGLASS=$(abspath $(B))/moonglass PYTHONDONTWRITEBYTECODE=1 $(JUPYTER)/bin/python spec/jupyter/check.py

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
