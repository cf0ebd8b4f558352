# Benchmarks: this engine and others, and the parts of a training step. scripts/bench/README.md explains the figures.

# Options of the scripts, e.g. make bench BENCH='--quick --peers jax'; BENCH=--help lists them.
BENCH ?=
PROFILE ?=
CSV     ?=
DETECTOR ?=
BENCH_SRC := $(wildcard scripts/bench/*.c)
PEERS := $(B)/peers

BENCH_DEPS := $(BENCH_SRC) $(wildcard scripts/bench/*.h) $(B)/libmoonglass.a
BENCH_CC = $(CC) $(ALL_CFLAGS) $(LDFLAGS_ALL) -o $@ $(BENCH_SRC) $(B)/libmoonglass.a

$(B)/bench/bench: $(BENCH_DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(BENCH_CC) $(LIBS)

# The profile links BLIS's archive if there is one: Debian's shared library has no names of its functions.
BLIS_STATIC := $(wildcard $(addsuffix /libblis.a,$(BLIS_LIBDIR)))
$(B)/bench/profiled: $(BENCH_DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(BENCH_CC) $(or $(BLIS_STATIC),$(BLIS_LIBS)) $(LIB_LIBS) -lpthread -lm

## bench: time this engine, its floor and every installed peer (BENCH=--help: options; scripts/bench/README.md)
.PHONY: bench
bench: all $(B)/bench/bench
	$(B)/moonglass scripts/bench/bench.lua --build $(B) --python $(PEERS)/bin/python $(BENCH)

## bench-peers: install PyTorch, JAX, TensorFlow, Keras and scikit-learn in build/peers, for bench (over the network)
.PHONY: bench-peers
bench-peers: $(PEERS)/complete

$(PEERS)/complete:
	$(call install_python,torch==2.13.0 numpy jax jaxlib optax tensorflow-cpu keras scikit-learn)

## bench-csv: read 500,000 x 30 numbers with moon.data.csv and with pandas, in turns (CSV=--help: options)
.PHONY: bench-csv
bench-csv: all $(B)/csv-peer/complete
	$(B)/moonglass scripts/bench/csv.lua --build $(B) --python $(B)/csv-peer/bin/python $(CSV)

$(B)/csv-peer/complete:
	$(call install_python,pandas)

## bench-detector: moon.detector.fit beside PCA on a folder of CSV files, last column label (DETECTOR=folder; --help)
.PHONY: bench-detector
bench-detector: all
	$(B)/moonglass scripts/bench/detector.lua $(DETECTOR)

## profile: measure with perf how long each part of a training step takes (PROFILE=--help: options)
.PHONY: profile
profile: all $(B)/bench/profiled
	$(B)/moonglass scripts/bench/profile.lua --build $(B) $(PROFILE)
