# The tests: C programs, Lua specs, and their environment.

# The environment of all tests: programs outside the tree find the library, and specs find the program.
TREE = MOONGLASS_BIN=$(PROGRAM) LUA_PATH_5_4=$(call quote,$(HERE)/lua/?.lua;$(HERE)/lua/?/init.lua;;) \
       LUA_CPATH_5_4=$(call quote,$(BUILD)/lib/?.so;;) PYTHONDONTWRITEBYTECODE=1

## env: print the environment in which a plain lua5.4 finds this tree: eval "$$(make -s env)"
.PHONY: env
env:
	@echo export $(call quote,$(TREE))

# $(call run_tests,programs and scripts,specs): run them one after the other, with one summary.
run_tests = @$(TREE) LUA=$(TEST_LUA) SPEC='$(2)' sh spec/support/run.sh $(1)

# A lua5.4 built without the sanitizers must preload their libraries.
SAN_NAMES := $(patsubst address,asan,$(patsubst undefined,ubsan,$(patsubst thread,tsan,$(subst $(comma), ,$(SAN)))))
SAN_LIBS  := $(foreach s,$(SAN_NAMES),$(shell $(CC) -print-file-name=lib$(s).so))
TEST_LUA  := $(if $(SAN),$(call quote,$(BUILD)/lua),$(LUA))

$(B)/lua:
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nLD_PRELOAD="%s" exec %s "$$@"\n' '$(SAN_LIBS)' $(LUA) > $@
	@chmod +x $@

# ---- C tests ----

# Each test is one file and the engine. Tests named lua_* also have Lua and the binding.
TEST_CC = $(CC) $(ALL_CFLAGS) -Icsrc $(TEST_CFLAGS) $(LDFLAGS_ALL)
ENGINE_LIBS = $(B)/libmoonglass.a $(LIBS)
LUA_TEST_LIBS = $(BIND_OBJ) $(ENGINE_LIBS) $(LUA_LIBS) -ldl
TEST_LIBS = $(ENGINE_LIBS)
TEST_HEADERS := $(wildcard spec/engine/*.h)

$(B)/spec/%: spec/engine/%.c $(TEST_HEADERS) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(TEST_CC) -o $@ $< $(TEST_LIBS)

$(B)/stress/%: spec/stress/%.c $(TEST_HEADERS) $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(TEST_CC) -Ispec/engine -o $@ $< $(TEST_LIBS)

LUA_TESTS := $(patsubst spec/engine/%.c,$(B)/spec/%,$(wildcard spec/engine/lua_*_test.c))
$(LUA_TESTS): $(BIND_OBJ)
$(LUA_TESTS): TEST_CFLAGS = $(LUA_CFLAGS)
$(LUA_TESTS): TEST_LIBS = $(LUA_TEST_LIBS)

# module_test contains no engine: it loads core.so, once with each installed kind of Lua: shared, linked in, as C++.
LUA_ARCHIVE := $(wildcard $(shell $(PKG_CONFIG) --variable=libdir lua5.4 2>/dev/null)/liblua5.4.a)
LUA_CXX := $(call found,liblua5.4-c++.so)
MODULE_TESTS := $(B)/spec/module_test $(if $(LUA_ARCHIVE),$(B)/spec/module_test_static) \
                $(if $(LUA_CXX),$(B)/spec/module_test_c++)
$(MODULE_TESTS): TEST_CFLAGS = $(LUA_CFLAGS)
$(B)/spec/module_test: MODULE_LUA = $(LUA_LIBS)
$(B)/spec/module_test_static: MODULE_LUA = -Wl,-E $(LUA_ARCHIVE)
$(B)/spec/module_test_c++: MODULE_LUA = $(LUA_CXX) -lstdc++
# Debian 13's liblua5.4-c++.so exports only C++ names, so it cannot load a module written in C.
$(MODULE_TESTS): spec/engine/module_test.c spec/engine/check.h
	@mkdir -p $(@D)
	$(call say,CC,$<)if [ $(@F) = module_test_c++ ] && ! nm -D $(LUA_CXX) | grep -q ' T lua_settop'; then \
	  printf '%s\n' '#!/bin/sh' 'echo "skipped: $(LUA_CXX) exports only C++ names, and C modules need lua_settop"' \
	    'echo "0 passed, 0 failed, 1 skipped"' >$@ && chmod +x $@; \
	else \
	  $(TEST_CC) -o $@ $< $(MODULE_LUA) -lpthread -ldl -lm; \
	fi

C_TESTS := $(patsubst spec/engine/%.c,$(B)/spec/%,$(filter-out %/module_test.c,$(wildcard spec/engine/*_test.c))) \
           $(MODULE_TESTS)
SPEC ?= spec

## test: build, run the C tests and the Lua specs (SPEC=path: these specs only; SAN=address,undefined: sanitized)
.PHONY: test
test: all hosts $(C_TESTS) $(REPLAYS) $(B)/bench/bench $(if $(SAN),$(B)/lua)
	$(call run_tests,$(C_TESTS) $(REPLAYS),$(SPEC))

## test-shuffled: run the Lua specs in a random order, twice (SPEC=path: these specs only)
.PHONY: test-shuffled
test-shuffled:
	@$(MAKE) --no-print-directory test SPEC='--shuffle --repeat=2 $(SPEC)'

# The long tests: programs built like the C tests, and scripts. Each prints a summary as its last line.
STRESS ?= $(patsubst spec/stress/%.c,$(B)/stress/%,$(wildcard spec/stress/*.c)) \
          $(wildcard spec/stress/*.lua spec/stress/*.sh)

## stress: run the long tests: refused allocations, killed saves, faults, a soak (STRESS=file: that one only)
.PHONY: stress
stress: all hosts $(filter $(B)/%,$(STRESS))
	$(call run_tests,$(STRESS))
