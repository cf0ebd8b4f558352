# The documentation that is made from the sources.

## reference: write lua/REFERENCE.md from the annotations in lua/moonglass/help/meta.lua
.PHONY: reference
reference:
	$(LUA) lua/doc/tools/make.lua reference

## docs: the documentation as HTML in build/docs: the pages, c/ from the C headers, source/ from the Lua files
.PHONY: docs
docs:
	mkdir -p $(B)/docs
	$(LUA) lua/doc/tools/make.lua html $(B)/docs
	(cat csrc/Doxyfile; echo "OUTPUT_DIRECTORY = $(B)/docs") | doxygen -
	cd lua && ldoc -q -c config.ld -d $(call quote,$(BUILD)/docs/source) .
