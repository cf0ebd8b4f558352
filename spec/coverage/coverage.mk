# Coverage: all tests run on a separate build with counters. The kernels are optimised as usual. Programs with Lua that
# the tests start count lines of Lua too (lines.c). install_spec is excluded: it links these objects into programs
# without the coverage library.

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
	LUA_INIT_5_4=$(call quote,$(COUNT_LINES)) MOONGLASS_COVERAGE=$(call quote,$(HERE)/$(COVERAGE)) \
	  $(COVERED) test SPEC='--exclude-pattern=install_spec $(SPEC)' || status=1; \
	$(LUA) spec/coverage/report.lua $(COVERAGE) || status=1; exit $$status
