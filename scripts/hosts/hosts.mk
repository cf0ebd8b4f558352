# Example programs in C and C++ that embed the library.

HOSTS := $(addprefix $(B)/hosts/,reconstruct alarm train embed strange scripted)
HOST_CC = $(CC) $(ALL_CFLAGS) -Werror -Icsrc $(LUA_CFLAGS)
HOST_CXX = $(CXX) -std=c++17 -Wall -Wextra -Wpedantic -Werror $(OPT) -g $(SANFLAGS) -Icsrc

## hosts: build the host programs of scripts/hosts into build/hosts
.PHONY: hosts
hosts: $(HOSTS)

$(HOSTS): csrc/moonglass.h csrc/moonglass_lua.h scripts/hosts/digest.h scripts/hosts/owned.h $(B)/libmoonglass.a
$(B)/hosts/scripted: $(B)/libmoonglass_lua.a
$(B)/hosts/scripted: HOST_LIBS = $(B)/libmoonglass_lua.a $(B)/libmoonglass.a $(LIBS) $(LUA_LIBS)
HOST_LIBS = $(B)/libmoonglass.a $(LIBS)

$(B)/hosts/%: scripts/hosts/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(HOST_CC) $(LDFLAGS_ALL) -o $@ $< $(HOST_LIBS)

$(B)/hosts/%: scripts/hosts/%.cpp
	@mkdir -p $(@D)
	$(call say,CXX,$<)$(HOST_CXX) $(LDFLAGS_ALL) -o $@ $< $(HOST_LIBS)
