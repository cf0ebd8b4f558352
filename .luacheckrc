-- luacheck lua scripts spec
std = "lua54"
max_line_length = 120
files["spec"] = {std = "lua54+busted"}
files["lua/moonglass/help/meta.lua"] = {ignore = {"211", "212", "241"}} -- stubs: nothing there is used
