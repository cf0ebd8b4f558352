--- moon.dictionary: sparse coding. Each row becomes a sum of few atoms, the rows of a learnt dictionary.
--   dictionary = moon.dictionary(x, {atoms = 64, l1 = 0.5})
--   dictionary:encode(x)   dictionary:decode(code)   dictionary:reconstruct(x)   dictionary:errors(x)
-- For rows x [n x d] and atoms D [k x d] of length 1, the codes z [n x k] minimise, row by row,
--   F(z) = 1/2 |x - z D|^2 + l1 |z|_1
-- There is no closed form, so a code takes many steps. An autoencoder learns to guess it in one.
local arity = require "moonglass.support.arity"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

---Sparse coding. `moon.dictionary(x, options)` is `moon.dictionary.learn(x, options)`.
---@class moonglass.dictionary
---@overload fun(x: moonglass.Tensor, options: moonglass.DictionaryOptions): moonglass.Dictionary
local dictionary = {}

-- ---- codes for given atoms ----

local function soften(t, threshold, nonnegative)
  if nonnegative then return t:sub(threshold):clamp_(0) end
  return t - t:clamp(-threshold, threshold)
end

---Each element moved towards 0 by a threshold, and 0 where that would change its sign.
---@param t moonglass.Tensor
---@param threshold number
---@param nonnegative boolean? default false; true: negative elements become 0
---@return moonglass.Tensor tensor
function dictionary.soft_threshold(t, threshold, nonnegative)
  checks.tensor("dictionary.soft_threshold", "t", t)
  checks.number("dictionary.soft_threshold", "threshold", threshold)
  return soften(t, threshold, nonnegative)
end

local squarings = 6

-- An upper bound of the largest eigenvalue of a symmetric matrix G [k x k]: the Frobenius norm of G^p to the power 1/p,
-- for p = 64. It is too large by a factor of at most k^(1/2p), 4 % for 256 rows.
local function largest_eigenvalue(gram)
  local log_scale, power = 0, gram
  for i = 1, squarings do
    local norm = power:norm()
    if norm == 0 then return 0 end
    log_scale = log_scale + math.log(norm) / 2 ^ (i - 1)
    power = power / norm
    power = power:matmul(power)
  end
  return math.exp(log_scale + math.log(power:norm()) / 2 ^ squarings)
end

-- F(z), the mean over the rows: x [n x d] float32.
local function mean_objective(x, atoms, z, l1)
  local difference = z:matmul(atoms):sub_(x)
  return (difference:square_():sum() / 2 + l1 * z:abs():sum()) / #x
end

-- Proximal gradient steps: a step of 1/L along the gradient of the squared part, where L is the largest curvature, then
-- the soft threshold. ISTA continues from the result; FISTA first adds a fraction of the last move, which grows to 1.
local function descend(x, atoms, o, each)
  local towards, gram = x:matmul(atoms:t()), atoms:matmul(atoms:t())
  local step = 1 / math.max(largest_eigenvalue(gram), 1e-30)
  local z = o.start or core.zeros(#x, #atoms)
  local y, t = z, 1
  for _ = 1, o.steps do
    local uphill = y:matmul(gram):sub_(towards)
    local next_z = soften(y:add(uphill, -step), o.l1 * step, o.nonnegative)
    local next_t = o.method == "fista" and (1 + math.sqrt(1 + 4 * t * t)) / 2 or 1
    y = t > 1 and next_z + (next_z - z):mul_((t - 1) / next_t) or next_z
    z, t = next_z, next_t
    if each then each(z) end
  end
  return z
end

-- The options of everything that computes codes.
local function code_rules(more)
  local rules = {
    l1 = {"positive", required = true}, steps = {"count", 50}, method = {{"fista", "ista"}, "fista"},
    nonnegative = {"flag", false},
  }
  for name, rule in pairs(more or {}) do rules[name] = rule end
  return rules
end

-- x [n x d] and atoms [k x d] as floats, checked.
local function rows_and_atoms(what, x, atoms)
  checks.rows(what, "atoms", atoms)
  checks.numbers(what, "atoms", atoms)
  checks.rows(what, "x", x, atoms:size(2))
  checks.numbers(what, "x", x)
  return checks.fractions(x), checks.fractions(atoms)
end

local function check_codes(what, name, codes, width)
  checks.rows(what, name, codes, width)
  checks.floats(what, name, codes)
  checks.numbers(what, name, codes)
end

---Options of `moon.dictionary.codes`.
---@class moonglass.CodesOptions
---@field l1 number required, above 0: weight of the penalty on a code's absolute values
---@field steps integer? default 50
---@field method "fista"|"ista"? default "fista", the faster one; with "ista" the objective never rises
---@field nonnegative boolean? default false; true: codes have no negative elements
---@field start moonglass.Tensor? [rows x k]: codes to start from instead of 0
---@field record boolean? default false; true: also return the objective after each step
local codes_options = options.checker("dictionary.codes", code_rules{start = {"any"}, record = {"flag", false}})

local function find_codes(x, atoms, given)
  local o = codes_options(given)
  x, atoms = rows_and_atoms("dictionary.codes", x, atoms)
  if o.start then
    check_codes("dictionary.codes", "start", o.start, #atoms)
    if #o.start ~= #x then errors.raise("dictionary.codes: start has %d rows, expected the %d of x", #o.start, #x) end
  end
  if not o.record then return descend(x, atoms, o) end
  local values = {}
  return descend(x, atoms, o, function(z) values[#values + 1] = mean_objective(x, atoms, z, o.l1) end), values
end

local function objective(x, atoms, z, l1)
  x, atoms = rows_and_atoms("dictionary.objective", x, atoms)
  check_codes("dictionary.objective", "codes", z, #atoms)
  if #z ~= #x then errors.raise("dictionary.objective: codes has %d rows, expected the %d of x", #z, #x) end
  checks.number("dictionary.objective", "l1", l1)
  return mean_objective(x, atoms, z, l1)
end

---The objective 1/2 |x - z D|^2 + l1 |z|_1, averaged over the rows.
---@param x moonglass.Tensor [rows x width]
---@param atoms moonglass.Tensor [k x width]
---@param codes moonglass.Tensor [rows x k]
---@param l1 number
---@return number objective
function dictionary.objective(x, atoms, codes, l1) return errors.guard(objective, x, atoms, codes, l1) end

---Codes of rows for given atoms. The objective approaches its minimum as 1/steps^2 with FISTA (Beck and Teboulle 2009),
---as 1/steps with ISTA (Daubechies, Defrise and De Mol 2004).
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param atoms moonglass.Tensor [k x width]
---@param options moonglass.CodesOptions
---@return moonglass.Tensor codes [rows x k]
---@return number[]? objectives with record: after each step, averaged over the rows
function dictionary.codes(x, atoms, given) return errors.guard(find_codes, x, atoms, given) end

-- ---- the dictionary ----

local tiny = 1e-10

-- Least squares for the atoms, one after the other, each of length 1 (after Mairal, Bach, Ponce and Sapiro 2009). It
-- needs only gram = z'z [k x k] and cross = z'x [k x d] of the rows: with the other atoms fixed, the best d_j of length
-- 1 has the direction cross_j - sum over i /= j of gram_ji d_i. An unused atom is replaced by one of the rows.
local function update_atoms(atoms, gram, cross, rows)
  for j = 1, #atoms do
    local uses = gram:get(j, j)
    local best = cross[j]:sub(gram[j]:matmul(atoms)):add_(atoms[j], uses)
    if uses < tiny then best = rows[(j - 1) % #rows + 1] end
    local length = best:norm()
    if length > tiny then atoms[j]:copy_(best):div_(length) end
  end
end

local function random_atoms(count, width)
  local columns = core.randn(count, width):t()
  return columns:div_(columns:square():sum(1):sqrt_()):t()
end

-- Older batches count less, since their codes belong to older atoms: after t batches the s-th counts (s/t)^16. So the
-- memory is short at first, and grows until the atoms settle.
local forgetting = 16

-- One pass over the rows in mini-batches.
local function pass(state, data, o)
  for first = 1, #data, o.batch_size do
    local x = data:batch(first, math.min(o.batch_size, #data - first + 1))
    local z = descend(x, state.atoms, o)
    local zt = z:t()
    state.batches = state.batches + 1
    local fade = (1 - 1 / state.batches) ^ forgetting
    state.gram:mul_(fade):add_(zt:matmul(z))
    state.cross:mul_(fade):add_(zt:matmul(x))
    update_atoms(state.atoms, state.gram, state.cross, x)
  end
end

-- ---- what a learnt dictionary can do ----

-- A dictionary serves as the options of `descend`; these two are never set in it.
---Atoms for sparse coding. Each row is a sum of few atoms.
---@class moonglass.Dictionary
---@field atoms moonglass.Tensor [k x width], each of length 1
---@field l1 number
---@field steps integer
---@field method "fista"|"ista"
---@field nonnegative boolean
local Dictionary = options.strict({__name = "moonglass.dictionary", start = false, record = false}, "a dictionary")

---Options of `dictionary:encode`, `reconstruct` and `errors`.
---@class moonglass.DictionaryBatchOptions
---@field batch_size integer? default 1024: rows at a time
local batch_options = options.checker("dictionary", {batch_size = {"count", 1024}})

-- f(codes, rows) for each batch of x, one result below the other: [n x width], or [n] without a width.
local function by_batches(what, self, x, width, given, f)
  checks.rows(what, "x", x, self.atoms:size(2))
  checks.numbers(what, "x", x)
  local size, data = batch_options(given).batch_size, core.dataset(x)
  local out = width and core.zeros(#x, width) or core.zeros(#x)
  for first = 1, #x, size do
    local count = math.min(size, #x - first + 1)
    local rows = data:batch(first, count)
    out:rows(first, first + count - 1):copy_(f(descend(rows, self.atoms, self), rows))
  end
  return out
end

local function encode(self, x, given)
  return by_batches("encode", self, x, #self.atoms, given, function(z) return z end)
end

local function reconstruct(self, x, given)
  return by_batches("reconstruct", self, x, self.atoms:size(2), given, function(z) return z:matmul(self.atoms) end)
end

local function row_errors(self, x, given)
  return by_batches("errors", self, x, nil, given, function(z, rows)
    return z:matmul(self.atoms):sub_(rows):square_():mean(2)
  end)
end

local function decode(self, code)
  check_codes("decode", "code", code, #self.atoms)
  return code:matmul(self.atoms)
end

---The code z of each row x, which minimises 1/2 |x - z D|^2 + l1 |z|_1.
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor code [rows x k]
function Dictionary:encode(x, given) return errors.guard(encode, self, x, given) end

---The rows that the codes stand for.
---@param code moonglass.Tensor [rows x k]
---@return moonglass.Tensor x [rows x width]
function Dictionary:decode(code) return errors.guard(decode, self, code) end

---The reconstruction of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor reconstruction [rows x width]
function Dictionary:reconstruct(x, given) return errors.guard(reconstruct, self, x, given) end

---The reconstruction error of each row: the mean squared difference from x.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor errors [rows]
function Dictionary:errors(x, given) return errors.guard(row_errors, self, x, given) end

function Dictionary:__tostring()
  return ("dictionary of %d atoms of %d, l1 %.4g"):format(#self.atoms, self.atoms:size(2), self.l1)
end

---Options of `moon.dictionary.learn`.
---@class moonglass.DictionaryOptions
---@field atoms integer required: the number of atoms
---@field l1 number required, above 0: weight of the penalty on a code's absolute values
---@field epochs integer? default 1
---@field batch_size integer? default 256
---@field steps integer? default 50: steps of the search for codes
---@field method "fista"|"ista"? default "fista"
---@field nonnegative boolean? default false; true: codes have no negative elements (atoms may)
---@field seed integer? for the order of the rows; drawn from the stream of `moon.seed` if not given
---@field on_epoch (fun(dictionary: moonglass.Dictionary, epoch: integer))? called after each epoch
local learn_options = options.checker("dictionary", code_rules{
  atoms = {"count", required = true}, epochs = {"count", 1}, batch_size = {"count", 256}, seed = {"seed"},
  on_epoch = {"function"},
})

local function learn(x, given)
  local o = learn_options(given)
  checks.rows("dictionary", "x", x)
  checks.numbers("dictionary", "x", x)
  local width, data = x:size(2), core.dataset(x)
  local seed = o.seed or core.draw_seed()
  local self = setmetatable({
    atoms = random_atoms(o.atoms, width), l1 = o.l1, steps = o.steps, method = o.method, nonnegative = o.nonnegative,
  }, Dictionary)
  local state = {
    atoms = self.atoms, gram = core.zeros(o.atoms, o.atoms), cross = core.zeros(o.atoms, width), batches = 0,
  }
  for epoch = 1, o.epochs do
    data:shuffle(seed, epoch)
    pass(state, data, o)
    if o.on_epoch then o.on_epoch(self, epoch) end
  end
  return self
end

---Learn atoms for rows, by codes for a mini-batch and then atoms for these codes (Mairal, Bach, Ponce and Sapiro 2009).
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.DictionaryOptions
---@return moonglass.Dictionary dictionary
function dictionary.learn(x, given) return errors.guard(learn, x, given) end

arity.check_class(Dictionary)

return setmetatable(dictionary, {__call = function(_, x, given) return dictionary.learn(x, given) end})
