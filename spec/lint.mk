# The rules of the tree. `make lint` runs every checker, even if one fails. Each also has a target.

C_FILES = $(shell find csrc spec scripts -name '*.[ch]')
LINTS := lint-lua lint-c lint-layers lint-text lint-generated

## lint: check with luacheck and clang-format, the rules of layering, long lines and blanks, stale generated files
.PHONY: lint
lint: all
	@$(MAKE) --no-print-directory --keep-going --output-sync $(LINTS)
	@echo "lint: all rules hold"

.PHONY: $(LINTS)
lint-lua:
	$(hush)luacheck -q --no-color lua scripts spec

lint-c:
	$(hush)clang-format --dry-run -Werror $(C_FILES)

lint-layers:
	$(hush)sh spec/support/lint_layers.sh $(B)

lint-text:
	$(hush)sh spec/support/lint_text.sh

# Generated files are made again and compared. A stale file is then up to date and must be committed.
MARKED    = grep -rlE '^(<!-- |\*\* )made by make reference: ' --include=*.md --include=*.h *.md csrc lua scripts
GENERATED = lua/REFERENCE.md lua/moonglass/help/meta.lua $(shell $(MARKED))
lint-generated:
	$(hush)rm -rf $(B)/lint && mkdir -p $(B)/lint && cp --parents $(GENERATED) $(B)/lint
	$(hush)$(MAKE) -s reference
	$(hush)stale=; for f in $(GENERATED); do cmp -s $(B)/lint/$$f $$f || stale="$$stale $$f"; done; \
	[ -z "$$stale" ] || { echo "lint: stale files, now made again by make reference; commit them:$$stale"; exit 1; }

## fmt: format the C files
.PHONY: fmt
fmt:
	$(hush)clang-format -i $(C_FILES)
