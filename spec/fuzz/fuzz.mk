# Fuzzing: each target is a C file here. The targets in FUZZ_LUA also contain the binding.

FUZZ_TARGETS := csv idx idx_gz npy png safetensors net detector checkpoint readers calls script
FUZZ_LUA     := checkpoint readers script
FUZZ         ?= $(FUZZ_TARGETS)
T            ?= 60

FUZZ_HEADERS := $(wildcard spec/fuzz/*.h)
FUZZ_DEFINES = -D_GNU_SOURCE $(foreach d,FUZZ_FOLDER=spec/fuzz LUA_FOLDER=lua SEEDS=spec/fuzz/seeds/$*,\
  -D$(firstword $(subst =, ,$(d)))=$(call quote,"$(HERE)/$(lastword $(subst =, ,$(d)))"))
FUZZ_LIBS = $(if $(filter $*,$(FUZZ_LUA)),$(LUA_TEST_LIBS),$(ENGINE_LIBS))
FUZZ_BUILD = $(TEST_CC) $(LUA_CFLAGS) $(FUZZ_DEFINES)

# Each target is built with the fuzzer (make fuzz), and without it to run on the seeds (a C test).
$(B)/fuzz_%: spec/fuzz/%.c $(FUZZ_HEADERS) $(B)/libmoonglass.a $(BIND_OBJ)
	$(call say,CC,$<)$(FUZZ_BUILD) -fsanitize=fuzzer -o $@ $< $(FUZZ_LIBS)

REPLAYS := $(FUZZ_TARGETS:%=$(B)/spec/replay_%)
$(B)/spec/replay_%: spec/fuzz/%.c spec/fuzz/replay.c $(FUZZ_HEADERS) $(B)/libmoonglass.a $(BIND_OBJ)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(FUZZ_BUILD) -o $@ $< spec/fuzz/replay.c $(FUZZ_LIBS)

# Debian's clang, in the version of this Debian.
FUZZ_CLANG    = $(shell apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$$/\1/p')
FUZZ_CC      ?= $(notdir $(lastword $(wildcard /usr/bin/clang-[0-9][0-9])))
FUZZ_PACKAGES = clang-$(FUZZ_CLANG) libclang-rt-$(FUZZ_CLANG)-dev

## deps-fuzz: install what fuzz needs (Debian packages: clang and its sanitizers)
.PHONY: deps-fuzz
deps-fuzz:
	$(call install_packages,$(FUZZ_PACKAGES))

## fuzz: run libFuzzer on every reader of files and on random calls in C and Lua (T=60: seconds each; FUZZ=name: one)
.PHONY: fuzz
fuzz:
	@command -v "$(FUZZ_CC)" >/dev/null || { echo "fuzz: clang is missing; run make deps-fuzz first" >&2; exit 1; }
	@$(MAKE) --no-print-directory CC=$(FUZZ_CC) OPT=-O1 SAN=fuzzer-no-link,address,undefined B=build/fuzz \
	  WARN='-Wall -Wextra -Wno-pass-failed -Wno-unknown-pragmas' \
	  $(FUZZ:%=build/fuzz/fuzz_%)
	@sh spec/fuzz/run.sh build/fuzz $(T) $(FUZZ)
