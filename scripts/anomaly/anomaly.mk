# The program moonglass-anomaly: the engine, and the library's Lua files inside it, as in the playground.

ANOMALY_DIR   := scripts/anomaly
ANOMALY_HOST  := scripts/playground/host
ANOMALY_FILES := $(wildcard $(ANOMALY_DIR)/lua/*.lua) \
                 $(addprefix lua/,$(filter-out moonglass/help/meta.lua,$(LUA_FILES)))
ANOMALY_OBJ   := $(patsubst $(ANOMALY_DIR)/%.c,$(B)/obj/anomaly/%.o,$(wildcard $(ANOMALY_DIR)/*.c)) \
                 $(addprefix $(B)/obj/anomaly/,files.o require.o embedded.o)

$(B)/obj/anomaly/%.o: HEADERS_CFLAGS = -Icsrc -I$(ANOMALY_HOST) $(LUA_CFLAGS)

$(B)/obj/anomaly/%.o: $(ANOMALY_DIR)/%.c | $(B)/needs
	@mkdir -p $(@D)
	$(say_compile)$(compile) $(HEADERS_CFLAGS) -c -o $@ $<

$(B)/obj/anomaly/%.o: $(ANOMALY_HOST)/%.c | $(B)/needs
	@mkdir -p $(@D)
	$(hush)$(compile) $(HEADERS_CFLAGS) -c -o $@ $<

# The embedded files are data of the program. It has to be made again when one of them changes, comes or goes.
ANOMALY_EMBEDDED := $(shell cat $(B)/obj/anomaly/names 2>/dev/null)
ANOMALY_DIFFER   := $(filter-out $(ANOMALY_EMBEDDED),$(ANOMALY_FILES)) \
                    $(filter-out $(ANOMALY_FILES),$(ANOMALY_EMBEDDED))
$(B)/obj/anomaly/names: $(if $(strip $(ANOMALY_DIFFER)),changed)
	@mkdir -p $(@D) && echo $(ANOMALY_FILES) >$@

$(B)/obj/anomaly/embedded.c: $(ANOMALY_HOST)/embed.sh $(B)/obj/anomaly/names
	@sh $< $(ANOMALY_FILES) >$@

$(B)/obj/anomaly/embedded.o: $(B)/obj/anomaly/embedded.c $(ANOMALY_FILES)
	@$(compile) $(HEADERS_CFLAGS) -c -o $@ $<

$(B)/moonglass-anomaly: $(ANOMALY_OBJ) $(BIND_OBJ) $(ENGINE_OBJ) $(B)/objects
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LIBS) $(LUA_LIBS)

all: $(B)/moonglass-anomaly

## bench-anomaly: rows a second that moonglass-anomaly scores, and how soon it answers to an appended row
.PHONY: bench-anomaly
bench-anomaly: all
	$(B)/moonglass $(ANOMALY_DIR)/bench.lua $(ANOMALY_BENCH)
