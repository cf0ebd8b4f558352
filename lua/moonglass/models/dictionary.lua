--- Sparse coding: each row as a sum of few atoms, the rows of a dictionary that is learnt for it.
--   dictionary = moon.dictionary(x, {atoms = 64, l1 = 0.5})
--   dictionary:encode(x)   dictionary:decode(code)   dictionary:reconstruct(x)   dictionary:errors(x)
-- For rows x [n x d] and atoms D [k x d], all of length 1, the codes z [n x k] are what makes
--   F(z) = 1/2 |x - z D|^2 + l1 |z|_1
-- least, row by row. It has no closed form, so a code takes many steps; an autoencoder learns to guess it in one.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local counted = require "moonglass.support.counted"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local dictionary = {}

-- ---- codes for given atoms ----

local function soften(t, threshold, nonnegative)
  if nonnegative then return t:sub(threshold):clamp_(0) end
  return t - t:clamp(-threshold, threshold)
end

--- Towards 0 by `threshold`, and 0 where that would change the sign. nonnegative: negative elements become 0, too,
-- which is relu(t - threshold).
function dictionary.soft_threshold(t, threshold, nonnegative)
  checks.tensor("dictionary.soft_threshold", "t", t)
  checks.number("dictionary.soft_threshold", "threshold", threshold)
  return soften(t, threshold, nonnegative)
end

local squarings = 6

-- An upper bound of a symmetric matrix's largest eigenvalue: |G^p| in Frobenius' norm, to the power 1/p, for p = 64. It
-- is too large by a factor of at most k^(1/2p), 4 % for 256 rows.
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

-- Proximal gradient steps: along the gradient of the squared part, then the soft threshold. The step is 1/L, L the
-- largest curvature. ISTA goes on from where it is; FISTA from beyond it, by a share of the last move that grows to 1.
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

-- Of whatever computes codes.
local function code_rules(more)
  local rules = {
    l1 = {"positive", required = true}, steps = {"count", 50}, method = {{"fista", "ista"}, "fista"},
    nonnegative = {"flag", false},
  }
  for name, rule in pairs(more or {}) do rules[name] = rule end
  return rules
end

-- x and atoms as floats, which have to go together.
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

local codes_options = options.checker("dictionary.codes", code_rules{start = {"any"}, record = {"flag", false}})

local function find_codes(x, atoms, given)
  local o = codes_options(given)
  x, atoms = rows_and_atoms("dictionary.codes", x, atoms)
  if o.start then
    check_codes("dictionary.codes", "start", o.start, #atoms)
    if #o.start ~= #x then errors.raise("dictionary.codes: start has %d rows, x has %d", #o.start, #x) end
  end
  if not o.record then return descend(x, atoms, o) end
  local values = {}
  return descend(x, atoms, o, function(z) values[#values + 1] = mean_objective(x, atoms, z, o.l1) end), values
end

local function objective(x, atoms, z, l1)
  x, atoms = rows_and_atoms("dictionary.objective", x, atoms)
  check_codes("dictionary.objective", "codes", z, #atoms)
  if #z ~= #x then errors.raise("dictionary.objective: codes has %d rows, x has %d", #z, #x) end
  checks.number("dictionary.objective", "l1", l1)
  return mean_objective(x, atoms, z, l1)
end

--- F, the mean over the rows of x [n x d], for atoms [k x d] and codes [n x k].
function dictionary.objective(x, atoms, codes, l1) return errors.guard(objective, x, atoms, codes, l1) end

--- The codes [n x k] of rows x [n x d], float32 or bytes, for atoms [k x d]. options: l1; steps=50; method="fista"
-- (Beck and Teboulle 2009: F - F* falls as 1/steps^2) or "ista" (Daubechies, Defrise and De Mol 2004: as 1/steps, and F
-- never rises); nonnegative=false; start, codes to begin from instead of 0; record=true: also returns the list of F,
-- the mean over the rows, after each step.
function dictionary.codes(x, atoms, given) return errors.guard(find_codes, x, atoms, given) end

-- ---- the dictionary ----

local tiny = 1e-10

-- Least squares for the atoms, one after the other, each of length 1 (after Mairal, Bach, Ponce and Sapiro 2009). All
-- that it takes to know of the rows is gram = z'z [k x k] and cross = z'x [k x d]: with the other atoms fixed, the
-- best d_j of length 1 points along cross_j - sum over i /= j of gram_ji d_i. An atom that no row uses begins again as
-- one of the rows.
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

-- What was learnt from a batch fades, since its codes are those of older atoms: after t batches the s-th counts
-- (s/t)^16. So the memory is short at first, and grows until the atoms settle.
local forgetting = 16

-- One pass in mini-batches.
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

-- `descend` takes one for its options, of which these are never given here.
local Dictionary = options.strict({__name = "moonglass.dictionary", start = false, record = false}, "a dictionary")

local batch_options = options.checker("dictionary", {batch_size = {"count", 1024}})

-- f(codes, rows) of each batch of x, one below the other: [n x width], or [n] without a width.
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

--- The code [n x k] of each row of x [n x d]. options: batch_size, as in all of these but decode.
function Dictionary:encode(x, given) return errors.guard(encode, self, x, given) end

--- The rows [n x d] that codes [n x k] stand for.
function Dictionary:decode(code) return errors.guard(decode, self, code) end

--- decode(encode(x))
function Dictionary:reconstruct(x, given) return errors.guard(reconstruct, self, x, given) end

--- [n]: row by row the mean squared difference of the reconstruction and x.
function Dictionary:errors(x, given) return errors.guard(row_errors, self, x, given) end

function Dictionary:__tostring()
  return ("dictionary of %d atoms of %d, l1 %.4g"):format(#self.atoms, self.atoms:size(2), self.l1)
end

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

--- Learn atoms for the rows of x [n x d], float32 or bytes, from random ones: codes of a mini-batch, then atoms for the
-- codes. options: atoms (how many), l1; epochs=1, batch_size=256, steps=50, method="fista", nonnegative=false (of the
-- codes; atoms have both signs); seed of the order of the rows (else from moon.seed's stream); on_epoch, a
-- function(dictionary, epoch).
-- -> {atoms [k x d], l1, steps, method, nonnegative}, and the methods above.
function dictionary.learn(x, given) return errors.guard(learn, x, given) end

counted.class(Dictionary)

return setmetatable(dictionary, {__call = function(_, x, given) return dictionary.learn(x, given) end})
