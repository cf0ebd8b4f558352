--- moon.onnx: a net, or a detector, as an ONNX file, for other runtimes (onnx.ai), or as the bytes of one.
--   assert(moon.onnx.export("deep.onnx", ae))          -- or ae.encoder
--   local bytes = assert(moon.onnx.encode(ae))
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local graph = require "moonglass.formats.onnx_graph"
local detectors = require "moonglass.formats.onnx_detector"
local models = require "moonglass.formats.onnx_model"
local mixed = require "moonglass.net.mixed"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---ONNX files, for other runtimes.
---@class moonglass.onnx
local onnx = {}

local bytes_max = (1 << 31) - 1 -- the largest message: readers count in int32

---Options of `moon.onnx.export` and `moon.onnx.encode`.
---@class moonglass.OnnxOptions
---@field opset integer? default 17, 11 to 23: the version of ONNX's operators
---@field name string? default "moonglass": the graph's name
local export_options = {opset = {"count", 17}, name = {"text", "moonglass"}}
local options_of = {
  export = options.checker("onnx.export", export_options), encode = options.checker("onnx.encode", export_options),
}

local function is_detector(v) return native.is(v, "moonglass.detector") end

local function check_arguments(what, net, o)
  if not (native.is_net(net) or mixed.is_mixed(net) or is_detector(net)) then
    errors.raise("%s: net is %s, expected a net or a detector", what, options.show(net))
  end
  local first, last = graph.first_opset, graph.last_opset
  if o.opset < first or o.opset > last then
    errors.raise("%s: opset is %d, expected %d to %d", what, o.opset, first, last)
  end
  if o.name == "" or not utf8.len(o.name) then
    errors.raise("%s: name is %s, expected a text in UTF-8", what, options.show(o.name))
  end
end

local function graph_of(net, opset)
  return is_detector(net) and detectors.graph(net, opset) or graph.of_net(net, opset)
end

-- The file as a list of strings | nil, message, code.
local function pieces_of(what, net, o)
  local why = (is_detector(net) and detectors or graph).obstacle(net)
  if why then return nil, what .. ": " .. why, "type" end
  local model = errors.guard(function() return models.message(graph_of(net, o.opset), o.name) end)
  if model.size <= bytes_max then return model:pieces() end
  local too_large = "%s: the file would have %d bytes, expected at most %d"
  return nil, too_large:format(what, model.size, bytes_max), "range"
end

---A net's inference, without dropout and noise, as the bytes of an ONNX file. It maps "input" [batch x in] to "output"
---[batch x out]. Batch normalisation is folded, as by `net:fold()`. Of a detector: all that it does to raw rows.
---"input" [batch x columns], in which NaN is a missing number, becomes "scores" [batch], "features" [batch x columns]
---and, with a threshold, "alarms" [batch], 1 or 0. The model's metadata has the threshold and the names of the columns:
---"threshold", "column.1" and so on. An ONNX model cannot refuse a row: where the detector refuses missing numbers,
---their row has the score infinity.
---@param net moonglass.Net|moonglass.Detector of native layers
---@param options moonglass.OnnxOptions?
---@return string? bytes nil if they would reach 2 GB or the net has a layer written in Lua
---@return string? message
---@return moonglass.Code? code
function onnx.encode(net, given)
  local o = options_of.encode(given)
  check_arguments("onnx.encode", net, o)
  local pieces, why, code = pieces_of("onnx.encode", net, o)
  if not pieces then return nil, why, code end
  return table.concat(pieces)
end

---Write a net or a detector as an ONNX file, the bytes of `moon.onnx.encode`.
---@param path string
---@param net moonglass.Net|moonglass.Detector of native layers
---@param options moonglass.OnnxOptions?
---@return true? ok nil if it cannot be written, would reach 2 GB or has a layer written in Lua
---@return string? message
---@return moonglass.Code? code
function onnx.export(path, net, given)
  local o = options_of.export(given)
  checks.path("onnx.export", path)
  check_arguments("onnx.export", net, o)
  if files.lacking("onnx.export") then return files.refuse("onnx.export") end
  local pieces, why, code = pieces_of("onnx.export", net, o)
  if not pieces then return nil, why, code end
  local ok
  ok, why, code = errors.guard(files.write, path, pieces)
  if ok then return true end
  return nil, "onnx.export: " .. why, code
end

return onnx
