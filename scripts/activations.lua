-- The activations and their derivatives. A layer multiplies the gradient by the derivative, so where it is 0 nothing is
-- learnt: in the left half of ReLU, at both ends of sigmoid and tanh.
-- There are no formulas here: every registered activation is drawn, and its backward gives the derivative.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "activations",
  about = "Draw each registered activation and its derivative.",
  options = {
    {"from", -4, "the first point", "number"},
    {"to", 4, "the last point", "number"},
    {"points", 401, "how many points"},
  },
  training = false, data = false,
  check = function(o) return o.from >= o.to and "--from has to be below --to" end,
}
local o = run.options
local n = math.max(2, o.points)
local z = moon.linspace(o.from, o.to, n):reshape(n, 1)

-- y and dy/dz at each point. Backward multiplies the gradient of the output, here 1, by the derivative.
-- Softmax of one input is always 1, so it gets two, z and 0; its first output is drawn.
local function curves(name)
  local layer, first, second = moon.activation(name), moon.ones(n, 1), moon.zeros(n, 1)
  local alone = name ~= "softmax"
  local y = layer:forward(alone and z or moon.cat({z, second}, 2), true)
  local dz = layer:backward(alone and first or moon.cat({first, second}, 2))
  return y:t()[1], dz:t()[1]
end

local panels, columns, head = {}, {z:reshape(n):totable()}, {"z"}
local xs = columns[1]
local steepest = {{"activation", "least", "largest", "largest derivative", "at z"}}

for _, name in ipairs(moon.registered("activations")) do
  local y, dz = curves(name)
  panels[#panels + 1] = {
    title = name == "softmax" and "softmax of (z, 0)" or name, legend = "none",
    series = {{x = xs, y = y, label = "y"}, {x = xs, y = dz, label = "dy/dz"}},
  }
  head[#head + 1], head[#head + 2] = name, name .. "'"
  columns[#columns + 1], columns[#columns + 2] = y, dz
  steepest[#steepest + 1] = {name, y:min(), y:max(), dz:max(), xs[dz:argmax()]}
end

run:plot("panels", "activations", panels, {title = "y (blue) and dy/dz (orange) over z", columns = 4,
  caption = "Each activation y and its derivative, by which a layer multiplies the gradient"})
run:table("ranges", steepest, {nil, "%.3f", "%.3f", "%.3f", "%.2f"},
  ("Least and largest value for z from %g to %g, and where each is steepest"):format(o.from, o.to))
run:say("%d activations; where a derivative is 0 nothing is learnt.", #panels)

run:columns("activations", head, columns)
run:figure("activations", #panels, "%d")
