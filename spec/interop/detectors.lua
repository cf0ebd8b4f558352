-- The detectors of `make test-interop`: a list of {name, detector}, and raw rows for all of them, some of whose cells
-- are missing, far away or infinite.
local core = require "moonglass.core"
local moon = require "moonglass"

moon.seed(12)
local width = 6
local units = moon.tensor{1, 10, 1000, 0.01, 1, 0}
local train = moon.randn(400, width) * units + moon.tensor{5, -3, 1e5, 0, 1, 7} -- the last column is constant
local x = moon.randn(60, width) * units * 2 + moon.tensor{5, -3, 1e5, 0, 1, 7}
for i = 1, 60, 4 do x:set(0 / 0, i, 1 + i % width) end
for j = 1, width do x:set(0 / 0, 3, j) end -- nothing is left
x:set(1e9, 7, 2)
x:set(1 / 0, 8, 1)

local scaler = moon.scaler(train)

local function net(activation, input)
  return moon.sequential{moon.dense(input or width, 3, {activation = activation}), moon.dense(3, input or width)}
end

local detectors = {}

local function add(name, nets, options)
  local d = moon.detector(nets, options)
  core.detector_spread(d, {0.5, 2, 1, 0.25, 3, 0.125})
  d.threshold = moon.metrics.quantile(d:scores(train), 0.9)
  detectors[#detectors + 1] = {name = name, detector = d}
end

for _, score in ipairs{"mean", "max", "scaled"} do
  add(score, net("relu"), {scaler = scaler, score = score})
  add("fill_" .. score, net("tanh"), {scaler = scaler, score = score, missing = "fill"})
  add("three_" .. score, {net("gelu"), net("elu"), net("tanh")}, {scaler = scaler, score = score})
end
add("unscaled", net("sigmoid"), {})
detectors[#detectors + 1] = {name = "no_threshold", detector = moon.detector(net("relu"), {scaler = scaler})}

return detectors, x
