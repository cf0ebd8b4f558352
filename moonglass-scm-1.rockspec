-- `luarocks make` in the tree: builds what is there, and needs no network. For Lua only: the C libraries, the headers
-- and moonglass.pc are `make install`'s.
rockspec_format = "3.0"
package = "moonglass"
version = "scm-1"
source = {
  url = "file://.",
}
description = {
  summary = "An engine for autoencoders, on BLIS",
  detailed = [[
    Moonglass trains and runs autoencoders: a C engine on BLIS, driven from Lua.
    Needs the headers and libraries of BLIS, libpng, zlib and libedit.
  ]],
  license = "MIT",
}
supported_platforms = {"unix"}
dependencies = {
  "lua ~> 5.4",
}
build = {
  type = "make",
  build_target = "all",
  install_target = "install-lua",
  build_variables = {
    LUA = "$(LUA)",
    CFLAGS = "$(CFLAGS)",
  },
  install_variables = {
    BINDIR = "$(BINDIR)",
    LUA_CDIR = "$(LIBDIR)",
    LUA_LDIR = "$(LUADIR)",
  },
}
