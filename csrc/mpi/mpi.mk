# The module over MPI, once for each MPI that pkg-config finds: build/lib/moonglass/openmpi.so and mpich.so.

MPI_SRC := $(wildcard csrc/mpi/*.c)
MPI_PC_openmpi := ompi-c
MPI_PC_mpich   := mpich
MPIS := $(foreach m,openmpi mpich,$(shell $(PKG_CONFIG) --exists $(MPI_PC_$(m)) 2>/dev/null && echo $(m)))
MPI_MODULES := $(MPIS:%=$(B)/lib/moonglass/%.so)

# -isystem: MPI's headers do not hold to our warnings. Of the libraries only MPI itself is linked.
mpi_cflags = $(subst -I,-isystem ,$(filter -I%,$(shell $(PKG_CONFIG) --cflags $(MPI_PC_$(1)))))
mpi_libs   = $(filter -L% -lmpi -lmpich,$(shell $(PKG_CONFIG) --libs $(MPI_PC_$(1))))

# The host provides Lua's functions. nodelete: MPI cannot be loaded a second time.
define mpi_rules
$(B)/obj/mpi-$(1)/%.o: csrc/mpi/%.c | $(B)/needs
	@mkdir -p $$(@D)
	$$(say_compile)$$(compile) -O3 $$(LUA_CFLAGS) $(call mpi_cflags,$(1)) -D_GNU_SOURCE \
	  -DMPI_LUAOPEN=luaopen_moonglass_$(1) -c -o $$@ $$<

$(B)/lib/moonglass/$(1).so: $(MPI_SRC:csrc/mpi/%.c=$(B)/obj/mpi-$(1)/%.o)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$(CC) -shared $$(LDFLAGS_ALL) -Wl,-Bsymbolic -Wl,-z,nodelete -o $$@ $$(filter %.o,$$^) \
	  $(call mpi_libs,$(1)) -lpthread
endef
$(foreach m,$(MPIS),$(eval $(call mpi_rules,$(m))))

all: $(MPI_MODULES)

# install-lua installs the modules too.
.PHONY: install-mpi
install-lua: install-mpi
install-mpi: $(MPI_MODULES)
	$(hush)for m in $(MPIS); do \
	  install -D -m 755 $(B)/lib/moonglass/$$m.so $(call to,$(LUA_CDIR)/moonglass)/$$m.so || exit 1; \
	done
