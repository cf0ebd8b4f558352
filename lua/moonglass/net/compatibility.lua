--- Do a net, its loss and the data go together? What cannot be meant is an error that says what to take instead; what
-- may be meant, but seldom is, comes back as words for a warning.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local image = require "moonglass.pictures.image"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local compatibility = {}

-- ---- bytes ----

local sampled, chunk = 64, 4096 -- rows

-- So many rows, evenly spread: that values are not in [0, 1] at all shows in any of them.
local function sample(t)
  local n = #t
  if n <= sampled then return t end
  local rows = {}
  for i = 1, sampled do rows[i] = (i - 1) * (n - 1) // (sampled - 1) + 1 end
  return t:index(rows)
end

-- Of bytes: 0 or 1 if there is nothing larger; else some larger one. Of a picture the sample tells.
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
  return "divide by the largest that there can be"
end

local slack = 1e-3 -- of arithmetic that was to end within [0, 1]

local function check_shares(what, name, t, kind)
  local rows = sample(t)
  local low, high = rows:min(), rows:max()
  if low < -slack or high > 1 + slack then
    errors.raise("%s: %s has values from %.4g to %.4g; expected [0, 1]: %s", what, name, low, high,
      advice(kind, low, high))
  end
end

-- Bytes of y count as they are.
local function check_one_hot(what, y)
  if y:size(2) > 1 and largest_byte(y) > 1 then
    errors.raise("%s: y is %s with bytes above 1; cross_entropy takes one-hot rows of 0 and 1, or class numbers [%d]: "
      .. "y:float() / 255 is from 0 to 1", what, native.shape_text(y), #y)
  end
end

-- The others count bytes as value/255, which is what 0 and 1 are hardly meant as.
local function refuse_bits(what, name)
  errors.raise("%s: %s is bytes of 0 and 1 only, which would count as 0 and 1/255: take %s:float() for 0 and 1, "
    .. "%s:float() / 255 for dark pixels", what, name, name, name)
end

local function check_pixels(what, name, t)
  if largest_byte(t) == 1 then refuse_bits(what, name) end
end

--- Targets that a loss can do nothing with. y nil: the target is x.
-- Binary cross-entropy, and cross-entropy of rows, is a loss for targets in [0, 1]: with others it falls below 0 and
-- goes on falling.
function compatibility.check_targets(what, loss, x, y)
  local t, name = y or x, y and "y" or "x"
  if not native.is_tensor(t) or t:numel() == 0 or t:rank() == 0 then return end
  local kind = native.is_loss(loss) and loss:kind()
  if kind == "cross_entropy" and (not y or y:rank() ~= 2 or y:size(2) == 1) then return end -- x as it is, or classes
  if is_bytes(t) then
    if kind == "cross_entropy" then check_one_hot(what, y) else check_pixels(what, name, t) end
  elseif t.dtype == "float32" and (kind == "bce" or kind == "cross_entropy") then
    check_shares(what, name, t, kind)
  end
end

--- The same of a dataset's y. Bytes are read in parts, until one is larger than 1; of all else the first part tells.
function compatibility.check_dataset(what, loss, data)
  local largest, n = 0, data:rows()
  local one_hot = native.is_loss(loss) and loss:kind() == "cross_entropy"
  for first = 1, n, chunk do
    local x, y = data:batch(first, math.min(chunk, n - first + 1), true)
    if not is_bytes(y) or one_hot then return compatibility.check_targets(what, loss, x, y) end
    largest = math.max(largest, y:max())
    if largest > 1 then return end
  end
  if largest == 1 then refuse_bits(what, "y") end
end

--- Words about an x that is hardly meant so, or nil.
function compatibility.doubt_about_input(what, x)
  if not is_bytes(x) or largest_byte(x) ~= 1 then return nil end
  return ("%s: x is bytes of 0 and 1 only, which count as 0 and 1/255: x:float() is 0 and 1"):format(what)
end

-- ---- rows ----

-- A row of that width each; 0: any.
local function check_input(what, x, width)
  if width ~= 0 and x:size(2) ~= width then
    errors.raise("%s: input is %s, expected [rows x %d]", what, native.shape_text(x), width)
  end
end

local takes_classes = {cross_entropy = true}

local function check_classes(what, t, classes)
  local place, class = checks.bad_class(t, classes - 1)
  if not place then return end
  errors.raise("%s: target of %s is class %s, expected a whole number of 0 to %d", what, place, class, classes - 1)
end

local function check_target(what, loss, t, width)
  local classes = takes_classes[loss:kind()]
  if classes and (t:rank() == 1 or (t:rank() == 2 and t:size(2) == 1 and width > 1)) then
    check_classes(what, t, width)
  elseif t:rank() ~= 2 or t:size(2) ~= width then
    errors.raise("%s: target is %s, expected [rows x %d]%s", what, native.shape_text(t), width,
      classes and ", or class numbers [rows]" or "")
  end
end

--- Each row of x and its target, y's or where that is nil x itself, before anything is trained. A layer or a loss that
-- is written in Lua knows its sizes alone: nothing is asked of it, since a call would be one too many. (What is no rows
-- at all, a dataset refuses.)
function compatibility.check_rows(what, net, loss, x, y)
  if x:rank() ~= 2 then return end
  check_input(what, x, net:inputs())
  if native.is_loss(loss) and net:outputs() ~= 0 then check_target(what, loss, y or x, net:outputs()) end
end

-- ---- the last activation ----

-- What the outputs of each activation can be.
local ranges = {
  sigmoid = "probabilities", softmax = "probabilities", relu = "positive", softplus = "positive", tanh = "bounded",
  linear = "any", elu = "any", leaky_relu = "any", selu = "any", gelu = "any", silu = "any",
}

local passes = {dropout = true, gaussian_noise = true, masking_noise = true, salt_pepper_noise = true}

-- The last activation, if it can be told.
local function ending(net)
  for i = #net, 1, -1 do
    local layer = net:layer(i)
    if not native.is_layer(layer) then return nil end
    local kind = layer:kind()
    if kind == "dense" or kind == "activation" then return layer.activation end
    if not passes[kind] then return nil end
  end
end

-- By loss, and whether it takes logits: for each range what is wrong, what to do, and whether it is no error. A loss
-- takes any outputs for which nothing stands here.
local unfit = {
  bce = {
    any = {"can be below 0", "end with sigmoid, or take moon.bce{from_logits = true}"},
    bounded = {"can be below 0", "end with sigmoid, or take moon.bce{from_logits = true}"},
    positive = {"can be above 1", "end with sigmoid", doubtful = true},
  },
  bce_logits = {
    probabilities = {"are probabilities", "end with linear, or take moon.bce{}"},
    bounded = {"are within [-1, 1]", "end with linear", doubtful = true},
    positive = {"are never below 0, which makes no probability below 1/2", "end with linear", doubtful = true},
  },
  cross_entropy = {
    any = {"can be below 0", "end with softmax, or take moon.cross_entropy{from_logits = true}"},
    bounded = {"can be below 0", "end with softmax, or take moon.cross_entropy{from_logits = true}"},
    positive = {"can all be 0", "end with softmax"},
  },
  cross_entropy_logits = {
    probabilities = {"are probabilities", "end with linear, or take moon.cross_entropy{}"},
  },
}

-- Pairs that are seldom meant, though the outputs are what the loss takes.
local seldom = {
  bce = {softmax = "which takes each output by itself: cross_entropy takes a row as one choice"},
  cross_entropy = {sigmoid = "which divides each row by its sum: end with softmax"},
}

local function check_width(what, net, activation, kind)
  if net:outputs() ~= 1 then return end
  if activation == "softmax" then
    errors.raise("%s: the net ends with softmax of one output, which is always 1: end with sigmoid", what)
  end
  if kind == "cross_entropy" then
    errors.raise("%s: cross_entropy of one output is always 0, expected an output for each class: or end with sigmoid, "
      .. "and take bce", what)
  end
end

--- Does the net's last activation give what the loss takes? Words about what is seldom meant, or nil.
function compatibility.check_ending(what, net, loss)
  local activation = ending(net)
  if not activation then return nil end
  local kind = native.is_loss(loss) and loss:kind()
  check_width(what, net, activation, kind)
  local takes_logits = (kind == "bce" or kind == "cross_entropy") and loss.from_logits
  local found = unfit[takes_logits and kind .. "_logits" or kind]
  local reason = found and found[ranges[activation]]
  if reason then
    local text = ("%s: the net ends with %s, whose outputs %s, but %s takes %s: %s"):format(what, activation, reason[1],
      kind, takes_logits and "logits" or "probabilities", reason[2])
    if not reason.doubtful then errors.raise(text) end
    return text
  end
  local doubt = found and not takes_logits and seldom[kind][activation]
  return doubt and ("%s: the net ends with %s, and the loss is %s, %s"):format(what, activation, kind, doubt) or nil
end

-- ---- pictures ----

--- Rows whose pictures are to stand over those of what the net makes of them.
function compatibility.check_pictures(what, net, x)
  checks.tensor(what, "x", x)
  local flat = x:reshape(#x, -1)
  check_input(what, flat, net:inputs())
  local width = net:outputs() ~= 0 and net:outputs() or flat:size(2)
  errors.guard_as(what, "image.rows", image.rows, {x:rows(1, 1), core.zeros(1, width)})
end

-- ---- steps ----

-- What each net or dataset was last checked with, so that a step is checked once only.
local checked = setmetatable({}, {__mode = "k"})

--- Before net:step: the ending and the targets, unless this net was checked with this loss already. given: the loss as
-- the caller gave it.
function compatibility.check_first_batch(what, net, given, loss, x, y)
  if checked[net] == given then return end
  compatibility.check_ending(what, net, loss)
  compatibility.check_targets(what, loss, x, y)
  checked[net] = given
end

--- The same before net:step_rows and net:evaluate_rows, for each dataset.
function compatibility.check_first_dataset(what, net, data, given, loss)
  if not native.is_dataset(data) then
    errors.raise("%s: data is %s, expected a dataset: moon.dataset(x, y) makes one", what, options.show(data))
  end
  if checked[data] == given then return end
  compatibility.check_ending(what, net, loss)
  compatibility.check_dataset(what, loss, data)
  checked[data] = given
end

return compatibility
