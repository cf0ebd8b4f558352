# Tests under MPI.

## test-mpi: run tests on several ranks and on hosts of their own (after deps-mpi; ONLY=word: files with it in the name)
.PHONY: test-mpi
test-mpi: all
	@$(TREE) $(PYTHON) spec/mpi/run.py $(ONLY)
