# The tests: C programs, Lua specs, and the environment that they run in.

# The one environment of all tests: with it a program outside the tree finds the library, and specs find the program.
TREE = MOONGLASS_BIN=$(PROGRAM) LUA_PATH_5_4=$(call quote,$(HERE)/lua/?.lua;$(HERE)/lua/?/init.lua;;) \
       LUA_CPATH_5_4=$(call quote,$(BUILD)/lib/?.so;;) PYTHONDONTWRITEBYTECODE=1

## env: print what makes a plain lua5.4 find this tree: eval "$$(make -s env)"
.PHONY: env
env:
	@echo export $(call quote,$(TREE))

# $(call run_tests,programs and scripts,specs): one after the other, and a summary of all.
run_tests = @$(TREE) LUA=$(TEST_LUA) SPEC='$(2)' sh spec/support/run.sh $(1)

# A lua5.4 that was built without the sanitizers needs their libraries in front of it.
SAN_NAMES := $(patsubst address,asan,$(patsubst undefined,ubsan,$(patsubst thread,tsan,$(subst $(comma), ,$(SAN)))))
SAN_LIBS  := $(foreach s,$(SAN_NAMES),$(shell $(CC) -print-file-name=lib$(s).so))
TEST_LUA  := $(if $(SAN),$(call quote,$(BUILD)/lua),$(LUA))

$(B)/lua:
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nLD_PRELOAD="%s" exec %s "$$@"\n' '$(SAN_LIBS)' $(LUA) > $@
	@chmod +x $@

# ---- C tests ----

# Each is one file and the engine. Those named lua_* have Lua and the binding with it.
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

# module_test has no engine in it, it loads core.so: once with each kind of Lua that is here, shared, linked in, as C++.
LUA_ARCHIVE := $(wildcard $(shell $(PKG_CONFIG) --variable=libdir lua5.4 2>/dev/null)/liblua5.4.a)
LUA_CXX := $(call found,liblua5.4-c++.so)
MODULE_TESTS := $(B)/spec/module_test $(if $(LUA_ARCHIVE),$(B)/spec/module_test_static) \
                $(if $(LUA_CXX),$(B)/spec/module_test_c++)
$(MODULE_TESTS): TEST_CFLAGS = $(LUA_CFLAGS)
$(B)/spec/module_test: MODULE_LUA = $(LUA_LIBS)
$(B)/spec/module_test_static: MODULE_LUA = -Wl,-E $(LUA_ARCHIVE)
$(B)/spec/module_test_c++: MODULE_LUA = $(LUA_CXX) -lstdc++
# Debian 13's liblua5.4-c++.so exports only names mangled by C++: it can load no module written in C.
$(MODULE_TESTS): spec/engine/module_test.c spec/engine/check.h
	@mkdir -p $(@D)
	$(call say,CC,$<)if [ $(@F) = module_test_c++ ] && ! nm -D $(LUA_CXX) | grep -q ' T lua_settop'; then \
	  printf '%s\n' '#!/bin/sh' 'echo "left out: $(LUA_CXX) exports only names of C++, and C modules need lua_settop"' \
	    'echo "0 passed, 0 failed, 1 skipped"' >$@ && chmod +x $@; \
	else \
	  $(TEST_CC) -o $@ $< $(MODULE_LUA) -lpthread -ldl -lm; \
	fi

C_TESTS := $(patsubst spec/engine/%.c,$(B)/spec/%,$(filter-out %/module_test.c,$(wildcard spec/engine/*_test.c))) \
           $(MODULE_TESTS)
SPEC ?= spec

## test: build, and run the C tests and the Lua specs (SPEC=path: these specs only; SAN=address,undefined: sanitized)
.PHONY: test
test: all hosts $(C_TESTS) $(REPLAYS) $(B)/bench/bench $(if $(SAN),$(B)/lua)
	$(call run_tests,$(C_TESTS) $(REPLAYS),$(SPEC))

## test-shuffled: the Lua specs in a random order, twice over (SPEC=path: these specs only)
.PHONY: test-shuffled
test-shuffled:
	@$(MAKE) --no-print-directory test SPEC='--shuffle --repeat=2 $(SPEC)'

# The long tests: programs that are built like the C tests, and scripts. Each ends with its own summary.
STRESS ?= $(patsubst spec/stress/%.c,$(B)/stress/%,$(wildcard spec/stress/*.c)) \
          $(wildcard spec/stress/*.lua spec/stress/*.sh)

## stress: the tests that take long: refused allocations, killed savers, faults, a soak (STRESS=file: that one only)
.PHONY: stress
stress: all hosts $(filter $(B)/%,$(STRESS))
	$(call run_tests,$(STRESS))
