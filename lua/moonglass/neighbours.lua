--- The k-nearest-neighbour classifier (Cover and Hart 1967): knn = moon.knn(x, labels, {k = 5})
--   knn:predict(x)   knn:accuracy(x, labels)   knn:neighbours(x)
-- Candidates come from one matrix product for a batch of rows, by |a - b|^2 = |a|^2 - 2 a b + |b|^2, where |a|^2, the
-- same for the whole row, may be left out; rounding costs that sum digits, so the distances of the k that it finds are
-- computed once more, as they are written.
local checks = require "moonglass.checks"
local core = require "moonglass.core"
local counted = require "moonglass.counted"
local errors = require "moonglass.errors"
local metrics = require "moonglass.metrics"
local native = require "moonglass.native"
local options = require "moonglass.options"

local Neighbours = options.strict({__name = "moonglass.knn"}, "a knn")

-- [width + 1 x n]: for each row b of x, less the mean row, a column of -2 b and, below, |b|^2; and that mean [width].
-- Near the mean the sum above has fewer digits to lose.
local function prepare(x)
  local n, width = #x, x:size(2)
  local matrix, centre = core.zeros(width + 1, n), core.zeros(width)
  local squares = matrix[width + 1]
  matrix:rows(1, width):copy_(x:t())
  for j = 1, width do
    local feature = matrix[j]
    if x.dtype == "uint8" then feature:div_(255) end
    centre[j] = feature:mean()
    squares:add_(feature:sub_(centre[j]):square())
    feature:mul_(-2)
  end
  return matrix, centre
end

local knn_options = options.checker("knn", {k = {"count", 5}})

--- x [n x width] with labels [n]: the rows that others are compared with; bytes count as value/255. x is kept, and a
-- copy of it as floats is made.
local function knn(x, labels, given)
  local o = knn_options(given)
  checks.rows("knn", "x", x)
  checks.numbers("knn", "x", x)
  checks.labels("knn", labels, #x)
  if o.k > #x then errors.raise("knn: k is %d, but x has only %d rows", o.k, #x) end
  local self = setmetatable({x = x, labels = labels, k = o.k, classes = labels:totable()}, Neighbours)
  self.matrix, self.centre = prepare(x)
  return self
end

-- The numbers of the k nearest, [rows x k], about in order.
local function candidates(self, rows)
  local extended = core.cat({rows - self.centre, core.ones(#rows, 1)}, 2)
  local _, index = extended:matmul(self.matrix):topk(self.k, 2, false)
  return index
end

-- For one batch: the k nearest of each row in order, and the squares of their distances, both [rows x k].
local function nearest(self, rows)
  local found, squares = candidates(self, rows), {}
  local by_rank = found:t()
  for j = 1, self.k do
    local difference = checks.fractions(self.x:index(by_rank[j])) - rows
    squares[j] = difference:square_():sum(2):reshape(-1, 1)
  end
  local sorted, order = core.cat(squares, 2):topk(self.k, 2, false)
  local index = core.zeros(#rows, self.k)
  for i = 1, #rows do
    local from, by, to = found[i], order[i], index[i]
    for j = 1, self.k do to[j] = from[by[j]] end
  end
  return index, sorted
end

local scores_at_once = 1 << 22 -- floats of a batch's product

-- f(first row, index, squares) for each batch.
local function each_batch(self, what, x, f)
  checks.rows(what, "x", x, #self.centre)
  checks.numbers(what, "x", x)
  local batch = math.max(scores_at_once // #self.x, 1)
  for first = 1, #x, batch do
    local last = math.min(first + batch - 1, #x)
    f(first, nearest(self, checks.fractions(x:rows(first, last))))
  end
end

--- METHOD knn:neighbours(x) -> index, distance, both [rows x k]: the numbers (from 1) of the k rows that are nearest to
-- each row of x, the nearest first, and their Euclidean distances.
function Neighbours:neighbours(x)
  local rows = native.is_tensor(x) and x:rank() > 0 and #x or 0
  local index, distance = core.zeros(rows, self.k), core.zeros(rows, self.k)
  each_batch(self, "neighbours", x, function(first, i, squares)
    index:rows(first, first + #i - 1):copy_(i)
    distance:rows(first, first + #i - 1):copy_(squares:sqrt_())
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
  return ("knn (k %d, %d rows of %d)"):format(self.k, #self.x, #self.centre)
end

counted.class(Neighbours)

return {knn = knn}
