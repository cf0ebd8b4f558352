-- moonglass arrays.lua folder: reads every file NAME.npy in the list "names", and writes what it has read as NAME.ours,
-- an NPY file. It prints a line for each: "read" or the message, behind the name and a tab.
local moon = require "moonglass"

local folder = assert(arg[1], "which folder?")

for name in io.lines(folder .. "/names") do
  local t, message, code = moon.data.npy(("%s/%s.npy"):format(folder, name))
  if t then assert(moon.npy.save(("%s/%s.ours"):format(folder, name), t)) else assert(code == "format", message) end
  print(name .. "\t" .. (t and "read" or message:gsub("%c", " ")))
end
