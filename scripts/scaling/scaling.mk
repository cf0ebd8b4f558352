# Several machines: steps on ranks, the allreduce, and a model of more machines. scripts/scaling/README.md explains it.

# Options of the script, e.g. make bench-mpi BENCH_MPI='--rounds 1 --no-peers'; BENCH_MPI=--help lists them.
BENCH_MPI ?=
DDP := $(B)/ddp

$(B)/scaling/timed.so: scripts/scaling/timed.c csrc/moonglass.h
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -isystem csrc $(LUA_CFLAGS) $(LDFLAGS_ALL) -shared -o $@ $<

## bench-mpi: time steps on several ranks beside PyTorch's DDP, and model more (BENCH_MPI=--help; scripts/scaling)
.PHONY: bench-mpi
bench-mpi: all $(B)/scaling/timed.so
	$(B)/moonglass scripts/scaling/bench.lua --build $(B) --python $(DDP)/bin/python $(BENCH_MPI)

## bench-mpi-peers: install PyTorch in build/ddp, for bench-mpi (over the network)
.PHONY: bench-mpi-peers
bench-mpi-peers: $(DDP)/complete

$(DDP)/complete:
	$(call install_python,torch==2.13.0 numpy)
