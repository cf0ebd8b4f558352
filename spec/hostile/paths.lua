-- moonglass spec/hostile/paths.lua folder: call every function that takes a path with paths that are not regular files.
-- It prints "ok what" or "FAILED what: why" for each. damaged_files_spec.lua runs it and kills it if it hangs.
local lfs = require "lfs"
local moon = require "moonglass"
local paths = dofile("spec/support/paths.lua")(moon)

local folder = assert(arg[1], "which folder?")
assert(lfs.chdir(folder))

local long = {}
for i = 1, 50 do long[i] = ("p"):rep(99) end

-- Devices are reached through links, so that a faulty saver cannot replace a real device.
local hostile = {
  {"an empty path", ""},
  {"a folder", "."},
  {"a folder with a slash", "folder/"},
  {"a FIFO", "fifo"},
  {"a link to a FIFO", "to_fifo"},
  {"a device without an end", "zero"},
  {"a device without room", "full"},
  {"a link that leads to no folder", "dangling"},
  {"a link to itself", "itself"},
  {"links in a circle", "circle_1"},
  {"5,000 bytes", table.concat(long, "/")},
  {"no such folder", "none/x"},
  {"a file taken for a folder", "plain/x"},
}

local function report(what, ok, why)
  print(ok and "ok " .. what or ("FAILED %s: %s"):format(what, (tostring(why):gsub("\n", " "))))
end

local function try(what, f, path)
  local called, result, message, code = pcall(f, path)
  if not called then -- an empty path is misuse in plots
    return report(what, path == "" and tostring(result):find("path is ''", 1, true), "raised " .. tostring(result))
  end
  if result ~= nil then return report(what, false, "worked") end
  if type(message) ~= "string" or message == "" then return report(what, false, "no message") end
  report(what, code == "I/O", ("code %s, %s"):format(tostring(code), message))
end

-- For functions that write into a folder, an existing folder is valid.
local is_folder = {["a folder"] = true, ["a folder with a slash"] = true}

for _, name in ipairs(paths.names) do
  local entry, o = paths.entries[name], paths.objects()
  local function f(path) return (entry.read or entry.write)(o, path) end
  for _, case in ipairs(hostile) do
    if not (entry.write and entry.folder and is_folder[case[1]]) then
      try(("%s: %s"):format(name, case[1]), f, case[2])
    end
  end
  -- A null byte is misuse and raises an error: C would silently cut the path there.
  local ok, result, message = pcall(f, "plain\0x")
  local text = ok and message or result
  report(name .. ": a zero byte", not ok or result == nil, text)
end

-- No file was added, removed or replaced by another kind.
local kinds = {fifo = "named pipe", plain = "file", folder = "directory", to_fifo = "link", dangling = "link",
  itself = "link", circle_1 = "link", circle_2 = "link",
  zero = "link", full = "link"}
for name in lfs.dir(".") do
  local kind = lfs.symlinkattributes(name, "mode")
  if name ~= "." and name ~= ".." then report("afterwards: " .. name, kind == kinds[name], kind) end
end
