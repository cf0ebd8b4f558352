-- moonglass theirs.lua folder: reads the files of check.py and prints "ok name" or "FAILED name: why" for each.
--   plain.*.rows, and torch.<element type>.<case>.safetensors: files of torch.nn.Sequential; rows have x and y
--   odd.<case>.safetensors: the expected numbers are in odd.expected.rows, as float32
--   bad.<case>.safetensors: must be refused
local lfs = require "lfs"
local moon = require "moonglass"

local here, folder = arg[0]:match("^(.*/)"), assert(arg[1], "which folder?")
local nets = dofile(here .. "nets.lua")

local function report(name, f, ...)
  local ok, why = xpcall(f, debug.traceback, ...)
  print(ok and "ok " .. name or ("FAILED %s: %s"):format(name, (tostring(why):gsub("\n", " | "))))
end

local function names(pattern)
  local list = {}
  for name in lfs.dir(folder) do
    if name:find(pattern) then list[#list + 1] = name end
  end
  table.sort(list)
  assert(#list > 0, "there are no files " .. pattern)
  return list
end

local function load(name) return assert(moon.safetensors.load(folder .. "/" .. name)) end

-- A new net loads the file and gives the outputs of PyTorch.
local function check_net(case, file, prefix)
  for _, parameter in ipairs(case.net:parameters()) do parameter.value:fill_(0.5) end
  assert(case.net:load(folder .. "/" .. file, {prefix = prefix}))
  local rows = load(file:gsub("safetensors$", "rows"))
  local difference = (case.net:predict(rows.x) - rows.y):abs():max()
  assert(difference <= 1e-5, ("largest difference %g"):format(difference))
end

for _, case in ipairs(nets) do
  for _, kind in ipairs{"F32", "F64", "F16", "BF16"} do
    local file = ("torch.%s.%s.safetensors"):format(kind, case.name)
    report(file, check_net, case, file)
  end
end

local function check_halves()
  local ae = moon.autoencoder.deep{input = 20, hidden = {9}, code = 4}
  assert(ae.encoder:load(folder .. "/module.safetensors", {prefix = "encoder."}))
  assert(ae.decoder:load(folder .. "/module.safetensors", {prefix = "decoder."}))
  local rows = load("module.rows")
  assert(ae:predict(rows.x):allclose(rows.y, 0, 1e-5), "the outputs differ")
end
report("a module with an encoder and a decoder", check_halves)

-- NaN equals NaN here.
local function same(a, b)
  if a:rank() ~= b:rank() or a:numel() ~= b:numel() then return false end
  for i = 1, a:rank() do if a:size(i) ~= b:size(i) then return false end end
  return a == b or ((a:ne(b) - a:ne(a) * b:ne(b)):sum() == 0)
end

local function check_odd(name)
  local tensors, metadata = load(name)
  local expected, texts = load(name:gsub("%.safetensors$", ".expected"))
  for key, t in pairs(expected) do
    assert(tensors[key], key .. " is missing")
    assert(same(tensors[key]:float(), t), ("%s: %s, expected %s"):format(key, tostring(tensors[key]), tostring(t)))
    tensors[key] = nil
  end
  assert(next(tensors) == nil, "there are more tensors than expected")
  for key, text in pairs(texts) do assert(metadata[key] == text, "metadata " .. key) end
end

local function check_bad(name)
  local tensors, message, code = moon.safetensors.load(folder .. "/" .. name)
  assert(tensors == nil and code == "format", "was read")
  assert(message:find("'" .. folder .. "/" .. name, 1, true), message)
end

for _, name in ipairs(names("^odd%..*%.safetensors$")) do report(name, check_odd, name) end
for _, name in ipairs(names("^bad%..*%.safetensors$")) do report(name, check_bad, name) end
