--- Do the rows and the targets fit the net and the loss? What cannot work is an error that says what to take instead.
-- What is probably a mistake gives words for a warning.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local image = require "moonglass.pictures.image"
local last_activation = require "moonglass.net.last_activation"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

local compatibility = {}

-- ---- losses ----

local takes_labels = heads.takes_labels

-- ---- bytes ----

local sampled, chunk = 64, 4096 -- rows

-- So many rows, evenly spread. Values outside [0, 1] show in any of them.
local function sample(t)
  local n = #t
  if n <= sampled then return t end
  local list = {}
  for i = 1, sampled do list[i] = (i - 1) * (n - 1) // (sampled - 1) + 1 end
  return t:index(list)
end

-- A source is not read twice, and its rows may be dear to reach: its first ones stand for all. What is wrong in others
-- the engine finds when it reads them (class numbers), or shows in the loss.
local function first_rows(t) return rows.batch(t, 1, math.min(sampled, #t)) end

-- The largest byte if all are 0 or 1, else one that is larger. For pictures the sample is enough.
local function largest_byte(t)
  local largest, n = sample(t):max(), #t
  for first = 1, n, chunk do
    if largest > 1 then break end
    largest = math.max(largest, t:rows(first, math.min(first + chunk - 1, n)):max())
  end
  return largest
end

local function is_bytes(t) return native.is_tensor(t) and t.dtype == "uint8" and t:rank() > 1 and t:numel() > 0 end

-- ---- targets ----

-- What to do about values from low to high.
local function advice(kind, low, high)
  if low < 0 then return kind == "bce" and "scale them, or use the loss mse" or "they are shares of each class" end
  if high > 127 and high <= 255 then return kind == "bce" and "divide by 255, or use bytes" or "divide by 255" end
  return "divide by the largest possible value"
end

local slack = 1e-3 -- for rounding errors at the ends of [0, 1]

local function check_shares(what, name, t, kind)
  local some = native.is_source(t) and first_rows(t) or sample(t)
  local low, high = some:nanmin(), some:nanmax() -- NaN is told of later, or missing
  if low < -slack or high > 1 + slack then
    errors.raise("%s: %s has values from %.4g to %.4g, expected [0, 1]: %s", what, name, low, high,
      advice(kind, low, high))
  end
end

-- y [rows x classes], bytes that count as they are.
local function check_one_hot(what, y, kind)
  if y:size(2) > 1 and largest_byte(y) > 1 then
    errors.raise("%s: y is %s with bytes above 1; %s takes one-hot rows of 0 and 1, or class numbers [%d]: "
      .. "y:float() / 255 is from 0 to 1", what, native.shape_text(y), kind, #y)
  end
end

-- Bytes that count as value/255 are hardly meant to be 0 and 1/255.
local function refuse_bits(what, name)
  errors.raise("%s: %s is bytes of 0 and 1 only, which would count as 0 and 1/255: take %s:float() for 0 and 1, "
    .. "%s:float() / 255 for dark pixels", what, name, name, name)
end

local takes_shares = {bce = true, cross_entropy = true} -- outside [0, 1] they fall below 0, without end

-- The columns of one head among targets [rows x width], as far as they must be seen: some rows, but all if those are
-- bytes of 0 and 1 only, which may be by chance.
local function part_of(t, own)
  local some = (native.is_source(t) and first_rows(t) or sample(t)):columns(own.first, own.last)
  return is_bytes(some) and some:max() <= 1 and native.is_tensor(t) and t:columns(own.first, own.last) or some
end

-- Class numbers are left to the core.
local function check_heads(what, list, x, y)
  local t = y or x
  local columns = rows.rank(t) == 2 and heads.target_columns(list, t:size(2)) or {}
  for k, own in ipairs(columns) do
    if not own.labels then
      compatibility.check_targets(("%s: %s"):format(what, list[k].name), list[k].loss, not y and part_of(t, own),
        y and part_of(t, own))
    end
  end
end

--- Targets that the loss cannot use. y nil: the target is x.
function compatibility.check_targets(what, loss, x, y)
  local t, name = y or x, y and "y" or "x"
  if not native.is_source(t) and (not native.is_tensor(t) or t:numel() == 0 or t:rank() == 0) then return end
  local list = heads.of(loss)
  if list then return check_heads(what, list, x, y) end
  local labels = takes_labels(loss)
  if labels and (not y or rows.rank(y) ~= 2 or y:size(2) == 1) then return end -- x as it is, or class numbers
  local kind = native.is_loss(loss) and loss:kind()
  if is_bytes(t) then
    if labels then
      check_one_hot(what, y, kind)
    elseif largest_byte(t) == 1 then
      refuse_bits(what, name)
    end
  elseif t.dtype == "float32" and takes_shares[kind] then
    check_shares(what, name, t, kind)
  end
end

-- The same for a dataset's y. Bytes are read in parts until one is larger than 1; otherwise the first part is enough.
local function check_dataset(what, loss, data)
  local largest, n = 0, data:own_rows()
  for first = 1, n, chunk do
    local x, y = data:batch(first, math.min(chunk, n - first + 1), true)
    if not is_bytes(y) or takes_labels(loss) then return compatibility.check_targets(what, loss, x, y) end
    largest = math.max(largest, y:max())
    if largest > 1 then return end
  end
  if largest == 1 then refuse_bits(what, "y") end
end

--- Words about an x that is probably a mistake, or nil.
function compatibility.doubt_about_input(what, x)
  if not is_bytes(x) or largest_byte(x) ~= 1 then return nil end
  return ("%s: x is bytes of 0 and 1 only, which count as 0 and 1/255: x:float() is 0 and 1"):format(what)
end

-- ---- rows ----

-- x [rows x width]; width 0: any.
local function check_input(what, x, width)
  if width ~= 0 and x:size(2) ~= width then
    errors.raise("%s: input is %s, expected [rows x %d]", what, native.shape_text(x), width)
  end
end

local function check_classes(what, t, classes)
  local place, class = checks.bad_class(t, classes - 1)
  if not place then return end
  errors.raise("%s: target of %s is class %s, expected a whole number of 0 to %d", what, place, class, classes - 1)
end

-- t [rows x width], or with a column of class numbers for each head that takes them.
local function check_target_of_heads(what, list, t, width)
  local columns, all, short
  if rows.rank(t) == 2 then columns, all, short = heads.target_columns(list, t:size(2))
  else columns, all, short = heads.target_columns(list, -1) end
  if all ~= width then
    errors.raise("%s: the heads of the loss have %d columns, expected %d, the outputs of the net", what, all, width)
  end
  if not columns then
    errors.raise("%s: target is %s, expected [rows x %d]%s, or a list of a target for each head", what,
      native.shape_text(t), all, short < all and (", or with class numbers [rows x %d]"):format(short) or "")
  end
  for k, own in ipairs(columns) do
    if own.labels and native.is_tensor(t) then
      local name = ("%s: %s"):format(what, list[k].name)
      check_classes(name, t:columns(own.first, own.last):reshape(-1), list[k].columns)
    end
  end
end

-- t [rows x width], or class numbers [rows] or [rows x 1].
local function check_target(what, loss, t, width)
  local list = heads.of(loss)
  if list then return check_target_of_heads(what, list, t, width) end
  local labels = takes_labels(loss)
  local rank = rows.rank(t)
  if labels and (rank == 1 or (rank == 2 and t:size(2) == 1 and width > 1)) then
    if native.is_tensor(t) then check_classes(what, t, width) end
  elseif rank ~= 2 or t:size(2) ~= width then
    errors.raise("%s: target is %s, expected [rows x %d]%s", what, native.shape_text(t), width,
      labels and ", or class numbers [rows]" or "")
  end
end

--- Checks each row of x and its target (y, or x if that is nil) before anything is trained. A layer or a loss written
-- in Lua is not asked for its sizes: that would call it once too often. The dataset refuses tensors without rows.
function compatibility.check_rows(what, net, loss, x, y)
  if rows.rank(x) ~= 2 then return end
  check_input(what, x, net:inputs())
  if native.is_loss(loss) and net:outputs() ~= 0 then check_target(what, loss, y or x, net:outputs()) end
end

-- ---- single steps ----

-- The loss that each net or dataset was last checked with, so that not every step pays for the checks.
local checked = setmetatable({}, {__mode = "k"})

--- Before net:step: the last activation and the targets, unless this net was checked with this loss already. given: the
-- loss as the caller gave it.
function compatibility.check_first_batch(what, net, given, loss, x, y)
  if checked[net] == given then return end
  last_activation.check(what, net, loss)
  compatibility.check_targets(what, loss, x, y)
  checked[net] = given
end

--- The same before net:step_rows and net:evaluate_rows, for each dataset.
function compatibility.check_first_dataset(what, net, data, given, loss)
  if not native.is_dataset(data) then
    errors.raise("%s: data is %s, expected a dataset: moon.dataset(x, y) makes one", what, options.show(data))
  end
  if checked[data] == given then return end
  last_activation.check(what, net, loss)
  check_dataset(what, loss, data)
  checked[data] = given
end

-- ---- pictures ----

--- Rows whose pictures will stand above those of the net's outputs.
function compatibility.check_pictures(what, net, x)
  checks.tensor(what, "x", x)
  local flat = x:reshape(#x, -1)
  check_input(what, flat, net:inputs())
  local width = net:outputs() ~= 0 and net:outputs() or flat:size(2)
  errors.guard_as(what, "image.rows", image.rows, {x:rows(1, 1), core.zeros(1, width)})
end

return compatibility
