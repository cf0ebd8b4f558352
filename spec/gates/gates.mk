# Gates: sizes and instruction counts with limits.

$(B)/spec/gates_work: spec/gates/work.c $(B)/libmoonglass.a
	@mkdir -p $(@D)
	$(call say,CC,$<)$(TEST_CC) -o $@ $< $(ENGINE_LIBS)

# Everything is measured without debugging symbols, because valgrind cannot read those of every compiler.
GATED := $(addprefix $(B)/gates/,libmoonglass.so lib/moonglass/core.so moonglass spec/gates_work)
$(GATED): $(B)/gates/%: $(B)/%
	@mkdir -p $(@D)
	@strip -o $@ $<

# CC and CFLAGS are named because the figures depend on them. Programs with sanitizers do not run under valgrind.
gates = @$(if $(SAN),echo "gates: not with SAN" >&2; exit 1;) $(LUA) spec/gates/gates.lua $(1) $(B)/gates \
  $(call quote,$(CC)) $(call quote,$(CFLAGS))

## gates: sizes of the libraries, instructions of start, training step and row, beside spec/gates/limits.txt
.PHONY: gates
gates: $(GATED)
	$(call gates,check)

## gates-record: write new limits from this build's figures
.PHONY: gates-record
gates-record: $(GATED)
	$(call gates,record)
