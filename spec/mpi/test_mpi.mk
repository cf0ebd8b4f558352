# Tests under MPI.

## test-mpi: run tests on several ranks and on hosts of their own (after deps-mpi; ONLY=word: files with it in the name)
.PHONY: test-mpi
test-mpi: all $(B)/mpi/wire
	@$(TREE) $(PYTHON) spec/mpi/run.py $(ONLY)

# The links between hosts, where the kernel has no netem.
$(B)/mpi/wire: spec/mpi/wire.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -o $@ $<
