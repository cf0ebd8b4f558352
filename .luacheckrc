-- luacheck lua scripts spec
std = "lua54"
max_line_length = 120
files["spec"] = {std = "lua54+busted"}
-- stubs that are made: nothing there is used, and lines are as long as they get
files["lua/moonglass/help/meta.lua"] = {ignore = {"211", "212", "241"}, max_line_length = false}
