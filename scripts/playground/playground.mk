# The playground: a host program with its page inside.

PLAYGROUND_DIR   := scripts/playground
PLAYGROUND_FILES := $(shell find $(PLAYGROUND_DIR)/page $(PLAYGROUND_DIR)/lua -type f -name '[!.]*.*[!~]') \
                    $(wildcard scripts/*.lua) $(addprefix lua/,$(filter-out moonglass/help/meta.lua,$(LUA_FILES)))
PLAYGROUND_OBJ   := $(patsubst $(PLAYGROUND_DIR)/host/%.c,$(B)/obj/playground/%.o,\
                    $(wildcard $(PLAYGROUND_DIR)/host/*.c)) $(B)/obj/playground/embedded.o
PLAYGROUND_LIBS  := -lcivetweb -ljansson
PLAYGROUND       ?=
PLAYGROUND_BENCH ?=

## playground: build and start the playground, print its address, open a browser (PLAYGROUND='--port 8099': options)
.PHONY: playground
playground: $(B)/moonglass-playground
	@exec $(B)/moonglass-playground --open $(PLAYGROUND)

## bench-playground: time a very small net here and in JavaScript in Chromium (PLAYGROUND_BENCH=--help: options)
.PHONY: bench-playground
bench-playground: all
	$(B)/moonglass $(PLAYGROUND_DIR)/bench/bench.lua $(PLAYGROUND_BENCH)

$(B)/obj/playground/%.o: HEADERS_CFLAGS = -Icsrc -I$(PLAYGROUND_DIR)/host $(LUA_CFLAGS) $(LIB_CFLAGS)

$(B)/obj/playground/%.o: $(PLAYGROUND_DIR)/host/%.c | $(B)/needs $(B)/needs-playground
	@mkdir -p $(@D)
	$(call say,CC,$<)$(compile) $(HEADERS_CFLAGS) -c -o $@ $<

$(B)/needs-playground:
	@mkdir -p $(@D)
	@printf '#include <%s>\n' civetweb.h jansson.h | \
	sed '$$a int main(void) { return mg_version() == 0 || json_null() == 0; }' | \
	$(CC) -xc - $(LDFLAGS) $(PLAYGROUND_LIBS) -o $@.try >/dev/null 2>&1 || { \
	  echo "make: missing: civetweb or jansson, the playground's web server and JSON. On Debian, make deps installs them" \
	    "(libcivetweb-dev, libjansson-dev); elsewhere install them with their headers" >&2; exit 1; }
	@rm -f $@.try && touch $@

# The embedded files are data of the program. It has to be made again when one of them changes, comes or goes.
EMBEDDED := $(shell cat $(B)/obj/playground/names 2>/dev/null)
EMBEDDED_DIFFER := $(filter-out $(EMBEDDED),$(PLAYGROUND_FILES)) $(filter-out $(PLAYGROUND_FILES),$(EMBEDDED))
$(B)/obj/playground/names: $(if $(strip $(EMBEDDED_DIFFER)),changed)
	@mkdir -p $(@D) && echo $(PLAYGROUND_FILES) >$@

$(B)/obj/playground/embedded.c: $(PLAYGROUND_DIR)/host/embed.sh $(B)/obj/playground/names
	@sh $< $(PLAYGROUND_FILES) >$@

$(B)/obj/playground/embedded.o: $(B)/obj/playground/embedded.c $(PLAYGROUND_FILES)
	@$(compile) $(HEADERS_CFLAGS) -c -o $@ $<

$(B)/moonglass-playground: $(PLAYGROUND_OBJ) $(BIND_OBJ) $(ENGINE_OBJ) $(B)/objects
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(PLAYGROUND_LIBS) $(LIBS) $(LUA_LIBS)

# ---- tests ----

PLAYGROUND_PACKAGES := libcivetweb-dev chromium chromium-driver python3-venv
PLAYGROUND_PYTHON   := build/playground-venv

## deps-playground: install what test-playground needs: Debian packages; Selenium from PyPI into build/playground-venv
.PHONY: deps-playground
deps-playground:
	$(call install_packages,$(PLAYGROUND_PACKAGES))
	@$(MAKE) --no-print-directory $(PLAYGROUND_PYTHON)/complete

$(PLAYGROUND_PYTHON)/complete:
	$(call install_python,selenium)
	@# the package has axe-core in it, which is all that is needed; its dependencies are another driver of browsers
	$(pip) --no-deps axe-playwright-python || { rm -f $@; exit 1; }

## bench-playground-pace: epochs a second with the page open against the same fit in a script (after deps-playground)
.PHONY: bench-playground-pace
bench-playground-pace: $(B)/moonglass-playground $(B)/moonglass
	$(call after,deps-playground,$(PLAYGROUND_PYTHON)/complete)
	@$(TREE) MOONGLASS_PLAYGROUND=$(call quote,$(BUILD)/moonglass-playground) \
	  $(PLAYGROUND_PYTHON)/bin/python $(PLAYGROUND_DIR)/bench/pace.py $(PLAYGROUND_BENCH)

## test-playground: test the server, and the page in Chromium (after deps-playground; ONLY='http streams': these files)
.PHONY: test-playground
test-playground: $(B)/moonglass-playground $(B)/moonglass
	$(call after,deps-playground,$(PLAYGROUND_PYTHON)/complete)
	@$(TREE) MOONGLASS_PLAYGROUND=$(call quote,$(BUILD)/moonglass-playground) \
	  ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(PLAYGROUND_PYTHON)/bin/python spec/playground/run.py $(ONLY)
