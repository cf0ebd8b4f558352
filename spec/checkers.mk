# The tests under valgrind and the thread sanitizer.

VALGRIND := valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,indirect \
  --show-leak-kinds=definite,indirect

## valgrind: run two training steps, and hosts with and without Lua, under valgrind: no error, no leak
.PHONY: valgrind
valgrind: all $(B)/spec/lua_host_test $(B)/spec/embed_test
	$(VALGRIND) $(B)/moonglass spec/support/valgrind_run.lua
	$(VALGRIND) $(B)/spec/lua_host_test quick
	$(VALGRIND) $(B)/spec/embed_test $(B)/spec/embed_life

# Specs left to the sanitizers: those that train long, and those that compare bits with programs that they start,
# because valgrind has no AVX-512.
VALGRIND_TESTS := files_test
VALGRIND_SPECS := binding shapes data train onnx metrics

## test-valgrind: run C tests and Lua specs under valgrind: no error, no leak (some minutes)
.PHONY: test-valgrind
test-valgrind: valgrind $(VALGRIND_TESTS:%=$(B)/spec/%)
	for t in $(VALGRIND_TESTS); do $(VALGRIND) $(B)/spec/$$t || exit 1; done
	for s in $(VALGRIND_SPECS); do \
	  echo "$$s" && $(TREE) $(VALGRIND) $(LUA) spec/support/busted.lua spec/api/$${s}_spec.lua || exit 1; \
	done

## tsan: test the worker pool, several contexts at once, detectors, sources and ranks under the thread sanitizer
.PHONY: tsan
tsan:
	@$(MAKE) --no-print-directory SAN=thread B=$(B)/tsan $(B)/tsan/spec/threads_test $(B)/tsan/spec/embed_test \
	  $(B)/tsan/spec/ranks_faults_test $(B)/tsan/spec/detector_test $(B)/tsan/spec/sources_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/threads_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/embed_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/ranks_faults_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/detector_test
	TSAN_OPTIONS=halt_on_error=1 setarch -R $(B)/tsan/spec/sources_test
