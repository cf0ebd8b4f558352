-- moonglass list.lua folder: writes the files of safetensors_cases.lua as <number>.safetensors and prints a line for
-- each, with tabs between: the number, what the list expects of us ("read" or "refused"), what we do, what it expects
-- of the package, the case's name, and why the two differ.
local moon = require "moonglass"

local here, folder = arg[0]:match("^(.*/)"), assert(arg[1], "which folder?")

local function word(ok) return ok and "read" or "refused" end

for i, case in ipairs(dofile(here .. "../support/safetensors_cases.lua")) do
  local path = ("%s/%d.safetensors"):format(folder, i)
  local file = assert(io.open(path, "wb"))
  assert(file:write(type(case.bytes) == "function" and case.bytes() or case.bytes))
  assert(file:close())
  local theirs = case.theirs
  if theirs == nil then theirs = case.ok end
  local ours = word(moon.safetensors.load(path))
  print(table.concat({i, word(case.ok), ours, word(theirs), case.name, case.why or ""}, "\t"))
end
