--- The k-nearest-neighbour classifier (Cover and Hart 1967): knn = moon.knn(x, labels, {k = 5})
--   knn:predict(x)   knn:accuracy(x, labels)   knn:neighbours(x)
-- The engine finds the neighbours: moon_tensor_neighbours.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local counted = require "moonglass.support.counted"
local errors = require "moonglass.support.errors"
local metrics = require "moonglass.models.metrics"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local Neighbours = options.strict({__name = "moonglass.knn"}, "a knn")

local knn_options = options.checker("knn", {k = {"count", 5}})

--- x [n x width] with labels [n]: the rows that others are compared with; bytes count as value/255. x is kept, not
-- copied.
local function knn(x, labels, given)
  local o = knn_options(given)
  checks.rows("knn", "x", x)
  checks.numbers("knn", "x", x)
  checks.labels("knn", labels, #x)
  if #x > checks.counted then
    errors.raise("knn: x has %d rows, expected at most %d: float32 counts no further", #x, checks.counted)
  end
  if o.k > #x then errors.raise("knn: k is %d, but x has only %d rows", o.k, #x) end
  return setmetatable({x = x, labels = labels, k = o.k, classes = labels:totable()}, Neighbours)
end

local pairs_at_once = 1 << 25 -- of a batch: so that hooks and interrupts are heard between two of them

-- f(first row, index, distance) for each batch.
local function each_batch(self, what, x, f)
  checks.rows(what, "x", x, self.x:size(2))
  checks.numbers(what, "x", x)
  local batch = math.max(pairs_at_once // #self.x, 1)
  for first = 1, #x, batch do
    local last = math.min(first + batch - 1, #x)
    f(first, errors.guard(core.neighbours, self.x, x:rows(first, last), self.k))
  end
end

--- METHOD knn:neighbours(x) -> index, distance, both [rows x k]: the numbers (from 1) of the k rows that are nearest to
-- each row of x, the nearest first, and their Euclidean distances.
function Neighbours:neighbours(x)
  local rows = native.is_tensor(x) and x:rank() > 0 and #x or 0
  local index, distance = core.zeros(rows, self.k), core.zeros(rows, self.k)
  each_batch(self, "neighbours", x, function(first, i, d)
    index:rows(first, first + #i - 1):copy_(i)
    distance:rows(first, first + #i - 1):copy_(d)
  end)
  return index, distance
end

-- The class that most of the row's neighbours have; of several that of the nearest.
local function vote(classes, neighbours)
  local count, winner = {}, nil
  for _, i in ipairs(neighbours) do
    local class = classes[math.tointeger(i)]
    count[class] = (count[class] or 0) + 1
  end
  for _, i in ipairs(neighbours) do
    local class = classes[math.tointeger(i)]
    if not winner or count[class] > count[winner] then winner = class end
  end
  return winner
end

--- METHOD knn:predict(x) -> [rows] class numbers, of the labels' element type: the majority of the k nearest, of equal
-- ones the class of the nearest.
function Neighbours:predict(x)
  local list = {}
  each_batch(self, "predict", x, function(_, index)
    for _, neighbours in ipairs(index:totable()) do list[#list + 1] = vote(self.classes, neighbours) end
  end)
  return core.tensor(list, {dtype = self.labels.dtype})
end

--- METHOD knn:accuracy(x, labels): the share of rows whose class is predicted.
function Neighbours:accuracy(x, labels) return metrics.accuracy(self:predict(x), labels) end

function Neighbours:__tostring()
  return ("knn (k %d, %d rows of %d)"):format(self.k, #self.x, self.x:size(2))
end

counted.class(Neighbours)

return {knn = knn}
