-- The rows of points {x1, x2, label} as the net sees them: x [n x names] and y, [n x 1] or class numbers [n].
-- known: the features by name.
local moon = require "moonglass"

local function tensors(points, names, known, classes)
  local x, y = {}, {}
  for i, point in ipairs(points) do
    local row = {}
    for k, name in ipairs(names) do row[k] = known[name](point[1], point[2]) end
    x[i] = row
    y[i] = classes == 3 and point[3] or {point[3]}
  end
  return moon.tensor(x), moon.tensor(y)
end

return tensors
