-- moonglass ours.lua folder: writes for each net of nets.lua <name>.safetensors, <name>.onnx, and <name>.rows with rows
-- and the net's outputs. The net "deep" is also written for each version of ONNX's operators: <name>.<version>.onnx.
local moon = require "moonglass"

local here, folder = arg[0]:match("^(.*/)"), assert(arg[1], "which folder?")
local nets = dofile(here .. "nets.lua")

for _, case in ipairs(nets) do
  local path = folder .. "/" .. case.name
  assert(case.net:save(path .. ".safetensors"))
  assert(moon.onnx.export(path .. ".onnx", case.net, {name = case.name}))
  assert(moon.safetensors.save(path .. ".rows", {x = case.x, y = case.net:predict(case.x)}))
  if case.name == "deep" or case.name == "dense_gelu" or case.name == "k_sparse" then
    for opset = 11, 23 do assert(moon.onnx.export(("%s.%d.onnx"):format(path, opset), case.net, {opset = opset})) end
  end
end
