-- What the net can see of a point (x1, x2), by name.
local features = {
  x1 = function(x1) return x1 end,
  x2 = function(_, x2) return x2 end,
  x1sq = function(x1) return x1 * x1 end,
  x2sq = function(_, x2) return x2 * x2 end,
  x1x2 = function(x1, x2) return x1 * x2 end,
  sinx1 = function(x1) return math.sin(x1) end,
  sinx2 = function(_, x2) return math.sin(x2) end,
}

return features
