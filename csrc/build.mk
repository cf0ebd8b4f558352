# Building: finding compilers and libraries, compiling, linking the libraries and the program.

# Ask the compiler for a system file of its target; empty if there is none.
found  = $(wildcard $(filter /%,$(shell $(CC) -print-file-name=$(1) 2>/dev/null)))
folder = $(patsubst %/,%,$(dir $(1)))

# BLIS: the serial variant if it is installed; any other works too. Debian has no blis.pc. Other systems have BLIS in a
# folder of that name or in the default library folder.
BLIS_LIBDIR := $(realpath $(firstword $(foreach f,blis-serial blis-pthread blis-openmp,\
                 $(call folder,$(call found,$(f)/libblis.so)))))
BLIS_INCLUDE := $(or $(wildcard $(subst /lib/,/include/,$(BLIS_LIBDIR))),\
                  $(firstword $(wildcard /usr/include/blis /usr/local/include/blis)))
BLIS_CFLAGS ?= $(addprefix -isystem ,$(BLIS_INCLUDE))
# If there is an archive of the serial variant, it is linked in: then the system's libblis.so does not matter, BLIS's
# names are hidden from the host, and its AVX-512 kernels can be used (csrc/engine/core/gemm.c).
BLIS_ARCHIVE := $(wildcard $(filter %/blis-serial/libblis.a,$(BLIS_LIBDIR)/libblis.a))
BLIS_SHARED := $(addprefix -L,$(BLIS_LIBDIR)) -lblis
BLIS_LIBS   ?= $(if $(BLIS_ARCHIVE),$(BLIS_ARCHIVE) -Wl$(comma)--exclude-libs$(comma)libblis.a,$(BLIS_SHARED))
LUA_PC := $(shell $(PKG_CONFIG) --exists lua5.4 2>/dev/null && echo lua5.4 || echo lua)
LUA_CFLAGS  ?= $(shell $(PKG_CONFIG) --cflags $(LUA_PC) 2>/dev/null)
LUA_LIBS    ?= $(shell $(PKG_CONFIG) --libs $(LUA_PC) 2>/dev/null)
LIB_CFLAGS  := $(shell $(PKG_CONFIG) --cflags libpng zlib 2>/dev/null)
LIB_LIBS    := $(shell $(PKG_CONFIG) --libs libpng zlib 2>/dev/null)
EDIT_CFLAGS := $(shell $(PKG_CONFIG) --cflags libedit 2>/dev/null)
EDIT_LIBS   := $(shell $(PKG_CONFIG) --libs libedit 2>/dev/null)
# The playground's web server and JSON. civetweb has no file for pkg-config.
HAS_PLAYGROUND_LIBS := $(and $(call found,libcivetweb.so),$(call found,libjansson.so))

# Every object depends on this check: it names everything that is missing before anything is compiled.
$(B)/needs: Makefile csrc/build.mk
	@mkdir -p $(@D)
	@missing=; \
	try() { \
	  name=$$1 header=$$2; shift 2; \
	  printf '#include <stdio.h>\n#include <%s>\nint main(void) { return 0; }\n' "$$header" | \
	  if [ $$# -gt 0 ]; then $(CC) -xc - -xnone "$$@" $(LDFLAGS) -o $@.try >/dev/null 2>&1; else false; fi || \
	  missing="$$missing, $$name"; \
	}; \
	try 'a C compiler with its headers' stddef.h -lm; \
	[ -n "$$missing" ] || { \
	  try BLIS blis.h $(BLIS_CFLAGS) $(BLIS_LIBS) -lpthread -lm; try 'Lua 5.4' lua.h $(LUA_CFLAGS) $(LUA_LIBS); \
	  for l in libpng:png.h zlib:zlib.h; do try $${l%:*} $${l#*:} $(LIB_CFLAGS) $(LIB_LIBS); done; \
	  try libedit histedit.h $(EDIT_CFLAGS) $(EDIT_LIBS); \
	}; \
	rm -f $@.try; \
	if [ -n "$$missing" ]; then \
	  echo "make: missing: $${missing#, } (tried with $(CC)). On Debian, make deps installs what is needed; elsewhere" \
	    "install it with its headers, and say where it is: CC, BLIS_CFLAGS, BLIS_LIBS, LUA_CFLAGS, PKG_CONFIG_PATH" >&2; \
	  exit 1; \
	fi
	@touch $@

# ---- flags ----

OPT ?= -O2
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
# clang does not know all of gcc's pragmas, and warns about each loop that it cannot vectorise.
WARN += $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),-Wno-unknown-pragmas -Wno-pass-failed)
CFLAGS ?= $(OPT) -g
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
ALL_CFLAGS := -std=c11 -D_DEFAULT_SOURCE -fPIC -fvisibility=hidden $(WARN) $(CFLAGS) $(SANFLAGS)
LDFLAGS_ALL := $(LDFLAGS) $(SANFLAGS)
LIBS := $(BLIS_LIBS) $(LIB_LIBS) -lpthread -lm

# The kernels are compiled once for each instruction set; the context picks one at run time. Never link with
# -ffast-math: it changes the floating-point mode of the host.
KERNEL_FLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd
ISAS := base $(if $(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),avx2 avx512)
ISA_base   :=
ISA_avx2   := -march=x86-64-v3
ISA_avx512 := -march=x86-64-v4 -mprefer-vector-width=512

# ---- objects ----

KERNEL_SRC := $(wildcard csrc/engine/kernels/*.c)
ENGINE_SRC := $(filter-out $(KERNEL_SRC),$(wildcard csrc/engine/*/*.c))
BIND_SRC   := $(wildcard csrc/lua/*.c)
CLI_SRC    := $(wildcard csrc/cli/*.c)

ENGINE_OBJ := $(ENGINE_SRC:csrc/%.c=$(B)/obj/%.o) \
              $(foreach i,$(ISAS),$(KERNEL_SRC:csrc/engine/kernels/%.c=$(B)/obj/kernels-$(i)/%.o))
BIND_OBJ   := $(BIND_SRC:csrc/%.c=$(B)/obj/%.o)
CLI_OBJ    := $(CLI_SRC:csrc/%.c=$(B)/obj/%.o)

# An object is made by compile, with the headers of its part of the tree; -MMD: and again when a header changes.
compile = $(CC) $(ALL_CFLAGS) -MMD -MP
$(B)/obj/engine/%.o: HEADERS_CFLAGS = $(BLIS_CFLAGS) $(LIB_CFLAGS)
$(B)/obj/lua/%.o: HEADERS_CFLAGS = $(LUA_CFLAGS)
$(B)/obj/cli/%.o: HEADERS_CFLAGS = $(LUA_CFLAGS) $(EDIT_CFLAGS)

# The first build says a line for each folder, a later one for each file.
FIRST := $(if $(wildcard $(B)/libmoonglass.a),,yes)
say_folder  = $(if $(said_$(<D)),$(hush),$(eval said_$(<D) := yes)$(call say,CC,$(<D)/*.c))
say_compile = $(if $(FIRST),$(say_folder),$(call say,CC,$<))

$(B)/obj/%.o: csrc/%.c | $(B)/needs
	@mkdir -p $(@D)
	$(say_compile)$(compile) $(HEADERS_CFLAGS) -c -o $@ $<

# One line for all kernels that a make compiles: each is compiled several times.
say_kernels = $(if $(said_kernels),$(hush),$(eval said_kernels := yes)$(call say,CC,csrc/engine/kernels/*.c ($(ISAS))))

define kernel_rule
$(B)/obj/kernels-$(1)/%.o: csrc/engine/kernels/%.c | $(B)/needs
	@mkdir -p $$(@D)
	$$(say_kernels)$$(compile) $(KERNEL_FLAGS) $(ISA_$(1)) -DMOONI_ISA=$(1) \
	  -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call kernel_rule,$(i))))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# The list of the objects as they were linked last. Without it, a source file that is removed would stay in the
# libraries: make compares the times of files that are there.
OBJECTS := $(ENGINE_OBJ) $(BIND_OBJ) $(CLI_OBJ)
LINKED  := $(shell cat $(B)/objects 2>/dev/null)
$(B)/objects: $(if $(filter-out $(LINKED),$(OBJECTS))$(filter-out $(OBJECTS),$(LINKED)),changed)
	@mkdir -p $(@D) && echo $(OBJECTS) >$@
.PHONY: changed

# ---- libraries and the program ----

PROGRAM = $(call quote,$(BUILD)/moonglass)

## all: build the library, the Lua module and the program (the default)
.PHONY: all
all: $(B)/libmoonglass.a $(B)/libmoonglass_lua.a $(B)/libmoonglass.so $(B)/lib/moonglass/core.so $(B)/moonglass

$(B)/libmoonglass.a: $(ENGINE_OBJ) $(B)/objects
$(B)/libmoonglass_lua.a: $(BIND_OBJ) $(B)/objects
$(B)/%.a:
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# The version is written only in moonglass.h. A host program names the library with the major version.
VERSION  := $(shell sed -n 's/^\#define MOON_VERSION "\(.*\)"/\1/p' csrc/moonglass.h)
SONAME   := libmoonglass.so.$(firstword $(subst ., ,$(VERSION)))
SO_FILE  := libmoonglass.so.$(VERSION)
SO_LINKS := $(SONAME) libmoonglass.so

# A library exports the names in csrc/exports.txt and nothing of BLIS. -Bsymbolic: its calls to these names stay inside
# it, whatever the host has loaded. nodelete: lua_close unloads modules, and BLIS's pool would leak each time.
SHARED = $(CC) -shared $(LDFLAGS_ALL) -Wl,-Bsymbolic -Wl,-z,nodelete -Wl,--version-script=$(filter %.map,$^)

# The engine's library exports no names of the binding.
$(B)/engine.map: UNEXPORTED := ^(luaopen_|moon_lua_)
$(B)/module.map: UNEXPORTED := ^$$
$(B)/%.map: csrc/exports.txt
	@mkdir -p $(@D)
	@{ echo '{ global:'; grep -vE '$(UNEXPORTED)' $< | sed 's/$$/;/'; echo 'local: *; };'; } >$@

$(B)/$(SO_FILE): $(ENGINE_OBJ) $(B)/engine.map $(B)/objects
	$(call say,LD,$@)$(SHARED) -Wl,-soname,$(SONAME) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -o $@ $(ENGINE_OBJ) $(LIBS)

$(B)/libmoonglass.so: $(B)/$(SO_FILE)
	@for link in $(SO_LINKS); do ln -sfn $(SO_FILE) $(B)/$$link || exit 1; done

# The host provides Lua's functions: the module links no Lua library.
$(B)/lib/moonglass/core.so: $(BIND_OBJ) $(ENGINE_OBJ) $(B)/module.map $(B)/objects
	@mkdir -p $(@D)
	$(call say,LD,$@)$(SHARED) -o $@ $(BIND_OBJ) $(ENGINE_OBJ) $(LIBS)

$(B)/moonglass: $(CLI_OBJ) $(BIND_OBJ) $(ENGINE_OBJ) $(B)/objects
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -rdynamic -o $@ $(filter %.o,$^) $(LIBS) $(LUA_LIBS) $(EDIT_LIBS)
