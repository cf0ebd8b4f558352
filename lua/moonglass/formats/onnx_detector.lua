--- The graph of a detector for onnx.lua: raw rows in, scores, each column's part and alarms out. Scaling, thresholds
-- and sums over a row are in double, as the engine's are; the nets are in float32.
local model = require "moonglass.formats.onnx_model"
local onnx_graph = require "moonglass.formats.onnx_graph"

local onnx_detector = {}

-- A list of numbers, or one number, as an initializer in double.
local function doubles(graph, name, numbers, dims)
  local list = type(numbers) == "table" and numbers or {numbers}
  return graph:initializer(name, dims or {#list}, "double", function()
    local parts = {}
    for i, v in ipairs(list) do parts[i] = string.pack("<d", v) end
    return table.concat(parts)
  end)
end

local function cast(graph, x, kind) return graph:node("Cast", {x}, {{"to", model.types[kind]}}) end

-- [batch x width] -> [batch x 1] in double: the sum of each row.
local function row_sums(graph, x, width)
  local ones = {}
  for j = 1, width do ones[j] = 1 end
  return graph:node("MatMul", {x, doubles(graph, "ones", ones, {width, 1})})
end

-- [batch x 1] -> [batch]
local function flat(graph, x)
  local shape = graph:initializer("flat", {1}, "int64", function() return string.pack("<i8", -1) end)
  return graph:node("Reshape", {x, shape})
end

-- ---- rows ----

-- (x - offset) * (1 / scale), as the engine computes it. x is in double.
local function scaled(graph, x, d)
  if not d.offset then return "input" end
  local inverse = {}
  for j, scale in ipairs(d.scale) do inverse[j] = 1 / scale end
  local shifted = graph:node("Sub", {x, doubles(graph, "offset", d.offset)})
  return cast(graph, graph:node("Mul", {shifted, doubles(graph, "inverse_scale", inverse)}), "float")
end

-- What the nets see of z, with 0 for what is missing or infinite; which cells do not count, nil if all do; which ones
-- have an infinite error, because they are infinite, or missing where that is refused.
local function present(graph, z, missing)
  local infinity = graph:constant("infinity", math.huge)
  local finite = graph:node("Less", {graph:node("Abs", {z}), infinity}) -- false for NaN
  local seen = graph:node("Where", {finite, z, graph:constant("zero", 0)})
  local absent, strange = graph:node("IsNaN", {"input"}), graph:node("Not", {finite})
  if missing == "refuse" then return seen, nil, strange end
  strange = graph:node("And", {strange, graph:node("Not", {absent})})
  return seen, missing == "skip" and absent or nil, strange
end

-- ---- scores ----

-- The squared error of each cell, in units of the column's own if these count. It is infinite where a cell is, or where
-- it is no number; 0 where a cell is absent.
local function cell_errors(graph, seen, y, absent, strange, d)
  local difference = graph:node("Sub", {y, seen})
  local e = graph:node("Mul", {difference, difference})
  local endless = graph:node("Or", {strange, graph:node("IsNaN", {e})})
  e = cast(graph, graph:node("Where", {endless, graph:constant("infinity", math.huge), e}), "double")
  if d.score == "scaled" then e = graph:node("Div", {e, doubles(graph, "spread", d.spread)}) end
  if not absent then return e end
  return graph:node("Where", {absent, doubles(graph, "nothing", 0, {}), e})
end

-- [batch x 1]: the number of cells that are there.
local function cell_count(graph, absent, width)
  if not absent then return doubles(graph, "width", width, {1, 1}) end
  return row_sums(graph, cast(graph, graph:node("Not", {absent}), "double"), width)
end

-- The score of one net, [batch x 1] in double: the mean, or the largest, over the cells that are there; NaN if none is.
local function row_score(graph, e, absent, d)
  local count = cell_count(graph, absent, d.width)
  if d.score ~= "max" then return graph:node("Div", {row_sums(graph, e, d.width), count}) end
  local one = graph:initializer("one", {1}, "int64", function() return string.pack("<i8", 1) end)
  local largest = graph:node("TopK", {e, one}, {{"axis", 1}}, 2)
  return graph:node("Add", {largest, graph:node("Div", {doubles(graph, "nothing", 0, {}), count})})
end

-- The mean over the nets.
local function mean_of(graph, list)
  local sum = list[1]
  for i = 2, #list do sum = graph:node("Add", {sum, list[i]}) end
  return #list == 1 and sum or graph:node("Div", {sum, doubles(graph, "nets", #list, {})})
end

-- ---- alarms ----

-- [batch] bool: does a cell lie far outside of the range of the training data?
local function outside(graph, x, d)
  local least, most = {}, {}
  for j = 1, d.width do
    local range = d.margin * (d.high[j] - d.low[j])
    least[j], most[j] = d.low[j] - range, d.high[j] + range
  end
  local below = graph:node("Less", {x, doubles(graph, "least", least)})
  local above = graph:node("Greater", {x, doubles(graph, "most", most)})
  local cells = row_sums(graph, cast(graph, graph:node("Or", {below, above}), "double"), d.width)
  return flat(graph, graph:node("Greater", {cells, doubles(graph, "nothing", 0, {})}))
end

-- 1 where the score is above the threshold or no number, or the row lies outside.
local function alarms(graph, x, score, d)
  local above = graph:node("Greater", {cast(graph, score, "double"), doubles(graph, "threshold", d.threshold, {})})
  local alarm = graph:node("Or", {above, graph:node("IsNaN", {score})})
  if d.low then alarm = graph:node("Or", {alarm, outside(graph, x, d)}) end
  return cast(graph, alarm, "float")
end

-- ---- the graph ----

-- The detector's fields in one table: offset, scale, spread, low, high and threshold are nil if they are not known.
local function described(detector)
  local d, scaler = {}, detector.scaler or {}
  local names = {"nets", "width", "score", "missing", "spread", "low", "high", "margin", "threshold", "columns"}
  for _, name in ipairs(names) do d[name] = detector[name] end
  d.offset, d.scale = scaler.offset, scaler.scale
  return d
end

--- In words, why a detector cannot be exported; nil if it can.
function onnx_detector.obstacle(d)
  for i, net in ipairs(d.nets) do
    local why = onnx_graph.obstacle(net)
    if why then return ("net %d, %s"):format(i, why) end
  end
  if d.score ~= "scaled" or d.spread then return nil end
  return "the score 'scaled' needs spread: calibrate the detector first"
end

--- The graph of a detector.
function onnx_detector.graph(detector, opset)
  local graph, d = onnx_graph.new(opset), described(detector)
  graph.inputs[1] = {name = "input", width = d.width}
  local x = cast(graph, "input", "double")
  local z, absent, strange = present(graph, scaled(graph, x, d), d.missing)
  local features, scores = {}, {}
  for i, net in ipairs(d.nets) do
    local y = graph:add_net(z, net, #d.nets > 1 and ("%d."):format(i - 1) or "")
    graph.layer = graph.layer + 1
    features[i] = cell_errors(graph, z, y, absent, strange, d)
    scores[i] = row_score(graph, features[i], absent, d)
  end
  cast(graph, mean_of(graph, features), "float")
  graph:output("features", d.width)
  cast(graph, flat(graph, mean_of(graph, scores)), "float")
  graph:output("scores")
  if d.threshold then
    alarms(graph, x, "scores", d)
    graph:output("alarms")
    graph.metadata[1] = {"threshold", ("%.17g"):format(d.threshold)}
  end
  for j, name in ipairs(d.columns) do table.insert(graph.metadata, {"column." .. j, name}) end
  graph.doc = "A detector of Moonglass: raw rows of float32 to their scores; NaN where a number is missing."
  return graph
end

return onnx_detector
