-- The rows of points {x1, x2, label} as the net sees them: x [n x features] and y, [n x 1] or class numbers [n].
local function tensors(moon, points, names, features, classes)
  local x, y = {}, {}
  for i, point in ipairs(points) do
    local row = {}
    for k, name in ipairs(names) do row[k] = features[name](point[1], point[2]) end
    x[i] = row
    y[i] = classes == 3 and point[3] or {point[3]}
  end
  return moon.tensor(x), moon.tensor(y)
end

return tensors
