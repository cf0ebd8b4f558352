-- moonglass spec/hostile/paths.lua folder: every function that takes a path, with paths that are no files; for
-- hostile_spec.lua, which ends it if it hangs. Prints a line "ok what" or "FAILED what: why" for each.
local lfs = require "lfs"
local moon = require "moonglass"

local folder = assert(arg[1], "which folder?")
assert(lfs.chdir(folder))

local net = moon.sequential{moon.dense(2, 2)}
local x = moon.rand(4, 2)
local image = moon.zeros(2, 2)

-- fit raises what a callback cannot write.
local function fit_with(make)
  return function(path)
    local ok, message = pcall(function() net:fit(x, {loss = "mse", verbose = 0, callbacks = {make(path)}}) end)
    if ok then return true end
    return nil, message, "I/O"
  end
end

local function resume_csv(path)
  assert(moon.checkpoint.save("resumed", {net = net, opt = moon.adam(), epoch = 0, seed = 1,
    history = {loss = {}, val_loss = {}, epoch_seconds = {}, epochs = 0}}))
  local c = assert(moon.checkpoint.load("resumed"))
  os.remove("resumed")
  local ok, message = pcall(c.net.fit, c.net, x, {loss = "mse", verbose = 0, resume = c,
    callbacks = {moon.callbacks.csv_logger(path)}})
  if ok then return true end
  return nil, message, "I/O"
end

local loaders = {
  ["data.idx"] = moon.data.idx, ["png.read"] = moon.png.read, ["load"] = moon.load,
  ["safetensors.load"] = moon.safetensors.load, ["checkpoint.load"] = moon.checkpoint.load,
  ["net:load"] = function(path) return net:load(path) end,
  ["data.mnist"] = function(path) return moon.data.mnist(path, "test") end,
  ["data.find"] = moon.data.find,
}
local savers = {
  ["png.write"] = function(path) return moon.png.write(path, image) end,
  ["net:save"] = function(path) return net:save(path) end,
  ["safetensors.save"] = function(path) return moon.safetensors.save(path, {a = x}) end,
  ["checkpoint.save"] = function(path) return moon.checkpoint.save(path, {net = net}) end,
  ["onnx.export"] = function(path) return moon.onnx.export(path, net) end,
  ["plot.lines"] = function(path) return moon.plot.lines(path, {{y = {1, 2, 3}}}) end,
  ["csv_logger"] = fit_with(moon.callbacks.csv_logger),
  ["csv_logger resumed"] = resume_csv,
  ["callbacks.checkpoint"] = fit_with(moon.callbacks.checkpoint),
}

local long = {}
for i = 1, 50 do long[i] = ("p"):rep(99) end

-- Devices stand behind links: a saver that is wrong must not put a file in the place of a real one.
local paths = {
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
  if not called then -- plots count an empty path as misuse
    return report(what, path == "" and tostring(result):find("path is ''", 1, true), "raised " .. tostring(result))
  end
  if result ~= nil then return report(what, false, "worked") end
  if type(message) ~= "string" or message == "" then return report(what, false, "no message") end
  report(what, code == "I/O", ("code %s, %s"):format(tostring(code), message))
end

local function each(functions, f)
  local names = {}
  for name in pairs(functions) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do f(name, functions[name]) end
end

local function try_all(functions)
  each(functions, function(name, f)
    for _, case in ipairs(paths) do try(("%s: %s"):format(name, case[1]), f, case[2]) end
    -- Misuse, which raises: the rest of the path would be left out in silence.
    local ok, result, message = pcall(f, "plain\0x")
    local text = ok and message or result
    report(name .. ": a zero byte", not ok or result == nil, text)
  end)
end

try_all(loaders)
try_all(savers)

-- Nothing has come, gone or changed its kind.
local kinds = {fifo = "named pipe", plain = "file", folder = "directory", to_fifo = "link", dangling = "link",
  itself = "link", circle_1 = "link", circle_2 = "link",
  zero = "link", full = "link"}
for name in lfs.dir(".") do
  local kind = lfs.symlinkattributes(name, "mode")
  if name ~= "." and name ~= ".." then report("afterwards: " .. name, kind == kinds[name], kind) end
end
