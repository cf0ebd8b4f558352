--- moon.pca: principal component analysis, the best linear autoencoder with a code of k numbers.
--   pca = moon.pca(x, 32)
--   pca:encode(x)   pca:decode(code)   pca:reconstruct(x)   pca:errors(x)
-- Rows are processed in batches, so that bytes, which count as value/255, are never all floats at once.
local arity = require "moonglass.support.arity"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---Options of `moon.pca` and its methods.
---@class moonglass.PcaOptions
---@field batch_size integer? default 1024: rows at a time

-- The options of every call here.
local batch_options = options.checker("pca", {batch_size = {"count", 1024}})

-- The limit of moon_tensor_eigh.
local largest_width = 32766

local function check_rows(what, name, x, width)
  if not native.is_tensor(x) then errors.raise("%s: %s is %s, expected a tensor", what, name, options.show(x)) end
  if x:rank() == 2 and x:size(2) == (width or x:size(2)) then return end
  errors.raise("%s: %s is %s, expected [rows x %s]", what, name, native.shape_text(x), width or "columns")
end

-- ---- methods ----

---Principal components: the linear autoencoder with k code elements that has the smallest error.
---@class moonglass.Pca
---@field mean moonglass.Tensor [width]
---@field remainder moonglass.Tensor [width]: the part of the mean that float32 cannot hold; it is subtracted, too
---@field components moonglass.Tensor [k x width], orthogonal, each of length 1, the one of largest variance first
---@field variance moonglass.Tensor [k]: the variance along each component, over n
---@field explained_ratio moonglass.Tensor [k]: the fractions of the total variance
local Pca = options.strict({__name = "moonglass.pca"}, "a pca")

-- Fills out, batch by batch: its rows become f(rows of x as float32). Returns out.
local function fill(out, x, batch_size, f)
  local data = #x > 0 and core.dataset(x)
  for first = 1, #x, batch_size do
    local count = math.min(batch_size, #x - first + 1)
    out:rows(first, first + count - 1):copy_(f(data:batch(first, count)))
  end
  return out
end

-- Subtracts the mean [d] from rows [n x d]. Far from zero, float32 may lack digits for the mean: `remainder` has them.
local function centred(self, rows) return rows:sub_(self.mean):sub_(self.remainder) end

local function encode(self, x, given)
  local size = batch_options(given).batch_size
  check_rows("encode", "x", x, self.mean:size(1))
  local basis = self.components:t()
  return fill(core.zeros(#x, basis:size(2)), x, size, function(rows) return centred(self, rows):matmul(basis) end)
end

local function decode(self, code, given)
  local size = batch_options(given).batch_size
  check_rows("decode", "code", code, self.components:size(1))
  return fill(core.zeros(#code, self.mean:size(1)), code, size, function(rows)
    return rows:matmul(self.components):add_(self.remainder):add_(self.mean)
  end)
end

local function reconstruct(self, x, given)
  local size = batch_options(given).batch_size
  check_rows("reconstruct", "x", x, self.mean:size(1))
  local basis = self.components:t()
  return fill(core.zeros(x.shape), x, size, function(rows)
    return centred(self, rows):matmul(basis):matmul(self.components):add_(self.remainder):add_(self.mean)
  end)
end

-- The mean cancels in the difference, so both sides leave it out.
local function row_errors(self, x, given)
  local size = batch_options(given).batch_size
  check_rows("errors", "x", x, self.mean:size(1))
  local basis = self.components:t()
  return fill(core.zeros(#x), x, size, function(rows)
    centred(self, rows)
    return rows:matmul(basis):matmul(self.components):sub_(rows):square_():mean(2)
  end)
end

---The code of each row: its coordinates along the components.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor code [rows x k]
function Pca:encode(x, given) return errors.guard(encode, self, x, given) end

---The rows that the codes stand for.
---@param code moonglass.Tensor [rows x k]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor x [rows x width]
function Pca:decode(code, given) return errors.guard(decode, self, code, given) end

---The reconstruction of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor reconstruction [rows x width]
function Pca:reconstruct(x, given) return errors.guard(reconstruct, self, x, given) end

---The reconstruction error of each row: the mean squared difference from x.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor errors [rows]
function Pca:errors(x, given) return errors.guard(row_errors, self, x, given) end

function Pca:__tostring()
  local k, d = self.components:size(1), self.components:size(2)
  return ("pca %d->%d, %.4g of the variance"):format(d, k, self.explained_ratio:sum())
end

-- ---- fitting ----

-- The sum of f(rows) over all batches of rows first..last, by halves: so float32 rounding errors grow only with the
-- logarithm of the number of batches.
local function sum_batches(data, first, last, batch_size, f)
  local count = last - first + 1
  if count <= batch_size then return f(data:batch(first, count)) end
  local middle = first + count // 2
  local sum = sum_batches(data, first, middle - 1, batch_size, f)
  return sum:add_(sum_batches(data, middle, last, batch_size, f))
end

-- mean [d], its remainder beyond float32 [d], and covariance [d x d], over n. The mean is subtracted before squaring:
-- the difference of two large sums would have few correct digits.
local function moments(x, batch_size)
  local data, n, self = core.dataset(x), #x, {}
  self.mean = sum_batches(data, 1, n, batch_size, function(rows) return rows:sum(1) end):div_(n)
  self.remainder = sum_batches(data, 1, n, batch_size, function(rows) return rows:sub_(self.mean):sum(1) end):div_(n)
  local covariance = sum_batches(data, 1, n, batch_size, function(rows)
    centred(self, rows)
    return rows:t():matmul(rows)
  end):div_(n)
  return self.mean, self.remainder, covariance
end

-- The sign of an eigenvector is arbitrary. Here its largest entry, the first among equals, becomes positive.
local function fix_signs(components)
  local largest = components:abs():argmax(2)
  for i = 1, #components do
    if components:get(i, largest[i]) < 0 then components[i]:neg_() end
  end
  return components
end

local function check_sizes(x, k)
  check_rows("pca", "x", x)
  local d = x:size(2)
  if #x == 0 then errors.raise("pca: x is %s, expected at least one row", native.shape_text(x)) end
  if d > largest_width then errors.raise("pca: x has rows of %d, expected at most %d", d, largest_width) end
  local whole = type(k) == "number" and math.tointeger(k)
  if whole and whole >= 1 and whole <= d then return whole end
  errors.raise("pca: k is %s, expected a whole number of 1 to %d", options.show(k), d)
end

local function fit(x, k, given)
  local size = batch_options(given).batch_size
  k = check_sizes(x, k)
  local mean, remainder, covariance = moments(x, size)
  local sum = covariance:sum()
  if sum ~= sum or math.abs(sum) == math.huge then
    checks.numbers("pca", "x", x)
    errors.raise("pca: x has elements too large for a sum of squares, expected smaller ones: scale it")
  end
  local values, vectors = core.eigh(covariance)
  local last_first = core.arange(#values, #values - k, -1)
  local variance = values:index(last_first):clamp_(0)
  local total = values:sum()
  return setmetatable({
    mean = mean, remainder = remainder, components = fix_signs(vectors:index(last_first)), variance = variance,
    explained_ratio = variance / (total > 0 and total or 1),
  }, Pca)
end

arity.check_class(Pca)

---Principal component analysis of rows. Covariances are within 1e-6 of the largest variance of those in double
---precision, also far from zero: the mean is subtracted before squaring.
---@name moon.pca(x, k, options)
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param k integer the number of components, 1 to the width
---@param options moonglass.PcaOptions?
---@return moonglass.Pca pca
return function(x, k, given) return errors.guard(fit, x, k, given) end
