# Installing: the program, the Lua library, the C libraries and their file for pkg-config.

BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
LUA_CDIR   ?= $(PREFIX)/lib/lua/5.4
LUA_LDIR   ?= $(PREFIX)/share/lua/5.4
LUA_FILES  := $(shell cd lua && find moonglass -name '*.lua')
PC_DIR     := $(LIBDIR)/pkgconfig
HEADERS    := csrc/moonglass.h csrc/moonglass_lua.h

# moonglass.pc names folders below PREFIX relative to itself, so that a moved installation still works.
below     = $(findstring ^$(PREFIX)/,^$(1))
upwards   = $(shell realpath -m --relative-to=$(call quote,$(PC_DIR)) $(call quote,$(or $(PREFIX),/)))
PC_PREFIX = $(if $(call below,$(PC_DIR)),$${pcfiledir}/$(upwards),$(PREFIX))
PC_PLACE  = $(patsubst ^%,%,$(subst ^$(PREFIX)/,$${prefix}/,^$(1)))
PC_BLIS   = $(filter-out -Wl$(comma)--exclude-libs%,$(BLIS_LIBS))

# $(call to,path): that path below DESTDIR, in quotes.
to = $(call quote,$(DESTDIR)$(1))

## install: the programs, the Lua library, the C libraries, headers and moonglass.pc (PREFIX=/usr/local, DESTDIR=)
.PHONY: install
install: all install-lua install-playground
	$(hush)install -d $(call to,$(LIBDIR)) $(call to,$(PC_DIR))
	$(hush)install -m 755 $(B)/$(SO_FILE) $(call to,$(LIBDIR))
	$(hush)for link in $(SO_LINKS); do ln -sfn $(SO_FILE) $(call to,$(LIBDIR))/$$link || exit 1; done
	$(hush)install -m 644 $(B)/libmoonglass.a $(B)/libmoonglass_lua.a $(call to,$(LIBDIR))
	$(hush)install -D -m 755 $(B)/moonglass-anomaly $(call to,$(BINDIR)/moonglass-anomaly)
	$(hush)install -D -m 644 -t $(call to,$(INCLUDEDIR)) $(HEADERS)
	$(hush)sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|'$(call quote,$(PC_PREFIX))'|' \
	  -e 's|@LIBDIR@|'$(call quote,$(call PC_PLACE,$(LIBDIR)))'|' \
	  -e 's|@INCLUDEDIR@|'$(call quote,$(call PC_PLACE,$(INCLUDEDIR)))'|' -e 's|@BLIS@|$(PC_BLIS)|' csrc/moonglass.pc.in \
	  >$(call to,$(PC_DIR)/moonglass.pc)
	$(hush)chmod 644 $(call to,$(PC_DIR)/moonglass.pc)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX)):

## install-lua: the program and the Lua library only (the rockspec's target)
.PHONY: install-lua
install-lua: $(B)/lib/moonglass/core.so $(B)/moonglass
	$(hush)install -D -m 755 $(B)/moonglass $(call to,$(BINDIR)/moonglass)
	$(hush)install -D -m 755 $(B)/lib/moonglass/core.so $(call to,$(LUA_CDIR)/moonglass/core.so)
	$(hush)for f in $(LUA_FILES); do install -D -m 644 lua/$$f $(call to,$(LUA_LDIR))/$$f || exit 1; done

# The playground's server is built here, without a word, if its libraries are there.
.PHONY: install-playground
ifneq ($(HAS_PLAYGROUND_LIBS),)
install-playground:
	@$(MAKE) -s --no-print-directory $(B)/moonglass-playground
	$(hush)install -D -m 755 $(B)/moonglass-playground $(call to,$(BINDIR)/moonglass-playground)
else
install-playground:
	@echo "install: without moonglass-playground, which needs civetweb and jansson" \
	  "(Debian: libcivetweb-dev, libjansson-dev)"
endif

## uninstall: remove the installed files
.PHONY: uninstall
uninstall:
	$(hush)rm -f $(call to,$(BINDIR)/moonglass) $(call to,$(BINDIR)/moonglass-playground) \
	  $(call to,$(BINDIR)/moonglass-anomaly) $(call to,$(LUA_CDIR)/moonglass/core.so) $(call to,$(PC_DIR)/moonglass.pc) \
	  $(foreach m,openmpi mpich,$(call to,$(LUA_CDIR)/moonglass/$(m).so))
	$(hush)for f in $(LUA_FILES); do rm -f $(call to,$(LUA_LDIR))/$$f || exit 1; done
	$(hush)for f in $(notdir $(HEADERS)); do rm -f $(call to,$(INCLUDEDIR))/$$f || exit 1; done
	$(hush)for f in $(SO_FILE) $(SO_LINKS) libmoonglass.a libmoonglass_lua.a; do \
	  rm -f $(call to,$(LIBDIR))/$$f || exit 1; \
	done
	$(hush)for d in $(call to,$(LUA_CDIR)/moonglass) $(call to,$(LUA_LDIR)/moonglass); do \
	  if [ -d "$$d" ]; then find "$$d" -depth -type d -empty -delete; fi; \
	done
