-- moonglass ours.lua folder: writes for each net of nets.lua <name>.safetensors, <name>.onnx, and <name>.rows with rows
-- and the net's outputs. The net "deep" is also written for each version of ONNX's operators: <name>.<version>.onnx.
-- The same for the detectors of detectors.lua, below.
local moon = require "moonglass"

local here, folder = arg[0]:match("^(.*/)"), assert(arg[1], "which folder?")
local nets = dofile(here .. "nets.lua")

local of_each_version = {deep = true, dense_gelu = true, k_sparse = true, gaussian_code = true,
  batch_norm = true, layer_norm = true}

for _, case in ipairs(nets) do
  local path = folder .. "/" .. case.name
  assert(case.net:save(path .. ".safetensors"))
  assert(moon.onnx.export(path .. ".onnx", case.net, {name = case.name}))
  assert(moon.safetensors.save(path .. ".rows", {x = case.x, y = case.net:predict(case.x)}))
  if of_each_version[case.name] then
    for opset = 11, 23 do assert(moon.onnx.export(("%s.%d.onnx"):format(path, opset), case.net, {opset = opset})) end
  end
end

-- Detectors: detector_<name>.safetensors, .onnx, and .scores with raw rows and what the detector says of them.
local detectors, x = dofile(here .. "detectors.lua")
for _, case in ipairs(detectors) do
  local d, path = case.detector, folder .. "/detector_" .. case.name
  assert(d:save(path .. ".safetensors"))
  assert(moon.onnx.export(path .. ".onnx", d))
  local said = {x = x, scores = d:scores(x), features = d:features(x)}
  if d.threshold == d.threshold and d.threshold then said.alarms = d:alarms(x) end
  assert(moon.safetensors.save(path .. ".scores", said))
  if case.name == "three_max" then
    for opset = 11, 23 do assert(moon.onnx.export(("%s.%d.onnx"):format(path, opset), d, {opset = opset})) end
  end
end
