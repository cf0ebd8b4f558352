--- moon.onnx.export: a net as an ONNX file, for other runtimes (onnx.ai).
--   assert(moon.onnx.export("deep.onnx", ae))          -- or ae.encoder
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local graph = require "moonglass.formats.onnx_graph"
local mixed = require "moonglass.net.mixed"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---ONNX files, for other runtimes.
---@class moonglass.onnx
local onnx = {}

local bytes_max = (1 << 31) - 1 -- the largest message: readers count in int32

---Options of `moon.onnx.export`.
---@class moonglass.OnnxOptions
---@field opset integer? default 17, 11 to 23: the version of ONNX's operators
---@field name string? default "moonglass": the graph's name
local export_options = options.checker("onnx.export", {opset = {"count", 17}, name = {"text", "moonglass"}})

local function check_arguments(path, net, o)
  checks.path("onnx.export", path)
  if not (native.is_net(net) or mixed.is_mixed(net)) then
    errors.raise("onnx.export: net is %s, expected a net", options.show(net))
  end
  local first, last = graph.first_opset, graph.last_opset
  if o.opset < first or o.opset > last then
    errors.raise("onnx.export: opset is %d, expected %d to %d", o.opset, first, last)
  end
  if o.name == "" or not utf8.len(o.name) then
    errors.raise("onnx.export: name is %s, expected a text in UTF-8", options.show(o.name))
  end
end

---Write a net's inference, without dropout and noise, as an ONNX file. It maps "input" [batch x in] to "output" [batch
---x out].
---@param path string
---@param net moonglass.Net of native layers
---@param options moonglass.OnnxOptions?
---@return true? ok nil if it cannot be written, would reach 2 GB or has a layer written in Lua
---@return string? message
---@return moonglass.Code? code
function onnx.export(path, net, given)
  local o = export_options(given)
  check_arguments(path, net, o)
  if files.lacking("onnx.export") then return files.refuse("onnx.export") end
  local why = graph.obstacle(net)
  if why then return nil, why, "type" end
  local model = errors.guard(graph.model, net, o)
  if model.size > bytes_max then
    local too_large = "onnx.export: the file would have %d bytes, expected at most %d"
    return nil, too_large:format(model.size, bytes_max), "range"
  end
  local ok, code
  ok, why, code = errors.guard(files.write, path, model:pieces())
  if ok then return true end
  return nil, "onnx.export: " .. why, code
end

return onnx
