# Coverage: objects that count, in their own build, in which all tests run; the kernels are optimised as ever. Programs
# with Lua that the tests start count its lines too (lines.c). install_spec is left out: it links these objects into its
# own programs, without the library that they count with.

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
