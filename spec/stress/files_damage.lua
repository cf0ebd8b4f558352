-- moonglass spec/stress/files_damage.lua [seconds] [seed]: damage small files of every format at random, in several
-- places at once (bytes changed, removed, doubled, joined with another file's), and load them. The result is an object,
-- or nil, message, code, and no memory leaks. Loaded objects are written and read again. The last line is
-- "N passed, N failed".
local files = dofile "spec/support/files.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"
local lfs = require "lfs"
local moon = require "moonglass"

local seconds, seed = tonumber(arg[1]) or 60, math.tointeger(tonumber(arg[2]) or 1)
math.randomseed(seed)

local path, copy = os.tmpname(), os.tmpname()

-- ---- formats ----

local function rewrite_archive(tensors, metadata)
  assert(moon.safetensors.save(copy, tensors, metadata))
  return moon.safetensors.load(copy)
end

local function rewrite_net(net)
  assert(net:save(copy))
  return moon.load(copy)
end

local function rewrite_checkpoint(c)
  assert(moon.checkpoint.save(copy, c))
  return moon.checkpoint.load(copy)
end

local function rewrite_picture(t)
  if t:numel() == 0 then return true end
  assert(moon.png.write(copy, t))
  return assert(moon.png.read(copy)) == t
end

local function rewrite_npy(t)
  assert(moon.npy.save(copy, t))
  local again = assert(moon.npy.load(copy))
  return again.dtype == t.dtype and moon.safetensors.encode{t = again} == moon.safetensors.encode{t = t}
end

-- It gives the same scores. A file without the detector's own entry is that of a net.
local function rewrite_detector(d)
  assert(d:save(copy))
  local again = assert(moon.load(copy))
  if not tostring(d):find("^detector of") then return true end
  local function scores_of(detector) return table.pack(pcall(detector.scores, detector, moon.ones(2, 3))) end
  local was, now = scores_of(d), scores_of(again)
  return was[1] == now[1] and (not was[1] or moon.safetensors.encode{t = was[2]} == moon.safetensors.encode{t = now[2]})
end

-- The rows of a CSV file, written with all digits, are read again.
local function rewrite_csv(x, info)
  local lines = {}
  for i = 1, x:size(1) do
    local cells = {}
    for k = 1, x:size(2) do cells[k] = ("%.9g"):format(x[i][k]) end
    lines[i] = table.concat(cells, ",")
  end
  files.write(copy, table.concat(lines, "\n") .. "\n")
  local again = assert(moon.data.csv(copy, {header = false, delimiter = ","}))
  assert(#info.columns == x:size(2))
  return moon.safetensors.encode{t = again} == moon.safetensors.encode{t = x}
end

local formats = {
  csv = {load = moon.data.csv, rewrite = rewrite_csv},
  detector = {load = moon.load, rewrite = rewrite_detector},
  idx = {load = moon.data.idx},
  idx_gz = {load = moon.data.idx},
  npy = {load = moon.data.npy, rewrite = rewrite_npy},
  png = {load = moon.png.read, rewrite = rewrite_picture},
  safetensors = {load = moon.safetensors.load, rewrite = rewrite_archive},
  net = {load = moon.load, rewrite = rewrite_net},
  checkpoint = {load = moon.checkpoint.load, rewrite = rewrite_checkpoint},
}
local folders = {net = "safetensors", detector = "safetensors"}
local prefixes = {net = "^net_", detector = "^detector_"}

-- The fuzzer's seeds are small files of every kind. Those of idx_gz are compressed here, as in its target; those of csv
-- begin with a byte of options.
local function read_seeds(name)
  local list, folder = {}, "spec/fuzz/seeds/" .. (folders[name] or name)
  for file in lfs.dir(folder) do
    if lfs.attributes(folder .. "/" .. file, "mode") == "file" and file:find(prefixes[name] or "") then
      local bytes = files.read(folder .. "/" .. file)
      if name == "csv" then bytes = bytes:sub(2) end
      if name == "idx_gz" and bytes:sub(1, 2) ~= "\x1f\x8b" then
        files.write(copy, bytes:sub(2))
        bytes = files.run(("gzip -nc '%s'"):format(copy))
      end
      list[#list + 1] = bytes
    end
  end
  table.sort(list)
  assert(#list > 0, "no seeds in " .. folder)
  return list
end

-- ---- damage ----

local damages = {
  function(b, at) return b:sub(1, at - 1) .. string.char(math.random(0, 255)) .. b:sub(at + 1) end,
  function(b, at) return b:sub(1, at - 1) .. string.char(b:byte(at) ~ 1 << math.random(0, 7)) .. b:sub(at + 1) end,
  function(b, at) return b:sub(1, at) end,
  function(b, at) return b:sub(1, at - 1) .. b:sub(at + math.random(1, 8)) end,
  function(b, at) return b:sub(1, at) .. b:sub(math.max(1, at - math.random(0, 15))) end,
  function(b, at) return b:sub(1, at) .. ("\0"):rep(math.random(1, 8)) .. b:sub(at + 1) end,
  function(b, at) return b:sub(1, at - 1) .. b:sub(at):gsub("%d+", tostring(math.random(0, 9)), 1) end,
  function(b, at) return b:sub(1, at - 1) .. b:sub(at):gsub("%d+", "18446744073709551615", 1) end,
  function(b, at, other) return b:sub(1, at) .. other:sub(math.random(1, #other)) end,
}

-- Half of the time, correct the length of a safetensors header: else few files get past it.
local function repair(bytes)
  local header = bytes:match("^........(%b{})")
  if not header or math.random() < 0.5 then return bytes end
  return ("<I8"):pack(#header) .. bytes:sub(9)
end

local function damage(list)
  local b = list[math.random(#list)]
  for _ = 1, math.random(1, 6) do
    if #b > 0 then b = damages[math.random(#damages)](b, math.random(1, #b), list[math.random(#list)]) end
  end
  return repair(b)
end

-- ---- running ----

local passed, failed = 0, 0

local function check(name, ok, why, bytes)
  if ok then
    passed = passed + 1
    return
  end
  failed = failed + 1
  if failed > 10 then return end
  local kept = os.tmpname()
  files.write(kept, bytes)
  print(("FAILED %s: %s (the file is %s)"):format(name, tostring(why), kept))
end

local function try(name, format, bytes)
  files.write(path, bytes)
  local results = table.pack(pcall(format.load, path))
  if not results[1] then return false, check(name, false, "raised: " .. tostring(results[2]), bytes) end
  local object, message, code = results[2], results[3], results[4]
  if object == nil then
    check(name, type(message) == "string" and code == "format", ("code %s: %s"):format(code, message), bytes)
    return false
  end
  local ok, again, why = true, true, nil
  if format.rewrite then ok, again, why = pcall(format.rewrite, object, message) end
  check(name, ok and again, "cannot be written and read again: " .. tostring(why or again), bytes)
  return true
end

local names = sorted_keys(formats)

for _, name in ipairs(names) do
  local list = read_seeds(name)
  local tried, taken, stop = 0, 0, moon.clock() + seconds / #names
  for _, bytes in ipairs(list) do try(name, formats[name], bytes) end -- what the engine keeps for later is now there
  collectgarbage()
  collectgarbage()
  local before, begun = moon.info().memory, failed
  while moon.clock() < stop do
    if try(name, formats[name], damage(list)) then taken = taken + 1 end
    tried = tried + 1
  end
  collectgarbage()
  collectgarbage()
  check(name, moon.info().memory <= before, ("%d bytes leaked"):format(moon.info().memory - before), "")
  print(("%-12s %8d files, %7d of them read, %d failed, %.0f s"):format(name, tried, taken, failed - begun,
    seconds / #names))
end

os.remove(path)
os.remove(copy)
print(("seed %d"):format(seed))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
