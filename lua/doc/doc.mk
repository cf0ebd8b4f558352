# Documentation made from the sources.

## reference: write help/meta.lua, lua/REFERENCE.md and the marked tables of pages from the comments beside the code
.PHONY: reference
reference: all
	$(hush)$(B)/moonglass lua/doc/tools/make.lua reference

## docs: the documentation as HTML in build/docs: the pages, c/ from the C headers, source/ from the Lua files
.PHONY: docs
docs:
	$(hush)mkdir -p $(B)/docs
	$(hush)$(LUA) lua/doc/tools/make.lua html $(B)/docs
	$(hush)(cat csrc/Doxyfile; echo "OUTPUT_DIRECTORY = $(B)/docs") | doxygen -
	$(hush)rm -rf $(B)/docs/lua-files && $(LUA) lua/doc/tools/make.lua plain $(B)/docs/lua-files
	$(hush)cp lua/config.ld $(B)/docs/lua-files
	$(hush)cd $(B)/docs/lua-files && ldoc -q -c config.ld -d $(call quote,$(BUILD)/docs/source) .
