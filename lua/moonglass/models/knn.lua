--- moon.knn: the k-nearest-neighbour classifier (Cover and Hart 1967): knn = moon.knn(x, labels, {k = 5})
--   knn:predict(x)   knn:accuracy(x, labels)   knn:neighbours(x)
-- The engine finds the neighbours: moon_tensor_neighbours.
local arity = require "moonglass.support.arity"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local metrics = require "moonglass.models.metrics"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---Rows of known classes, with which other rows are compared.
---@class moonglass.Knn
---@field x moonglass.Tensor
---@field labels moonglass.Tensor
---@field k integer
local Knn = options.strict({__name = "moonglass.knn"}, "a knn")

---Options of `moon.knn`.
---@class moonglass.KnnOptions
---@field k integer? default 5: the number of neighbours, at most the number of rows
local knn_options = options.checker("knn", {k = {"count", 5}})

---Classification by the k nearest rows (Cover and Hart 1967).
---@name moon.knn(x, labels, options)
---@param x moonglass.Tensor [rows x width], at most 2^24 rows; kept, not copied. Bytes count as value/255
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param options moonglass.KnnOptions?
---@return moonglass.Knn knn
local function knn(x, labels, given)
  local o = knn_options(given)
  checks.rows("knn", "x", x)
  checks.numbers("knn", "x", x)
  checks.labels("knn", labels, #x)
  if #x > checks.counted then
    errors.raise("knn: x has %d rows, expected at most %d: float32 counts no further", #x, checks.counted)
  end
  if o.k > #x then errors.raise("knn: k is %d, expected at most the %d rows of x", o.k, #x) end
  return setmetatable({x = x, labels = labels, k = o.k, classes = labels:totable()}, Knn)
end

local pairs_at_once = 1 << 25 -- in a batch; hooks and interrupts run between two batches

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

---The k nearest rows of each row of x, the nearest first. Rows at the same distance are ordered by number. Distances
---are computed in double from the rows themselves, so the result is exact also far from zero.
---@param x moonglass.Tensor [n x width]
---@return moonglass.Tensor index [n x k], row numbers from 1
---@return moonglass.Tensor distance [n x k], Euclidean
function Knn:neighbours(x)
  local rows = native.is_tensor(x) and x:rank() > 0 and #x or 0
  local index, distance = core.zeros(rows, self.k), core.zeros(rows, self.k)
  each_batch(self, "neighbours", x, function(first, i, d)
    index:rows(first, first + #i - 1):copy_(i)
    distance:rows(first, first + #i - 1):copy_(d)
  end)
  return index, distance
end

-- The most frequent class among a row's neighbours; among equals, that of the nearest.
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

---The class of most of the k nearest rows. In a tie the nearest row decides.
---@param x moonglass.Tensor [n x width]
---@return moonglass.Tensor classes [n], of the labels' element type
function Knn:predict(x)
  local list = {}
  each_batch(self, "predict", x, function(_, index)
    for _, neighbours in ipairs(index:totable()) do list[#list + 1] = vote(self.classes, neighbours) end
  end)
  return core.tensor(list, {dtype = self.labels.dtype})
end

---The fraction of rows whose class is predicted.
---@param x moonglass.Tensor [n x width]
---@param labels moonglass.Tensor class numbers [n]
---@return number fraction 0 to 1
function Knn:accuracy(x, labels) return metrics.accuracy(self:predict(x), labels) end

function Knn:__tostring()
  return ("knn (k %d, %d rows of %d)"):format(self.k, #self.x, self.x:size(2))
end

arity.check_class(Knn)

return {knn = knn}
