--- Weights of rows: the options sample_weight and class_weight of fit and evaluate.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

local weights = {}

local range = "a finite number of at least 0"
local function is_weight(v) return v >= 0 and v < math.huge end

-- ---- of rows ----

--- Checks the weights w [n] of n rows, and returns them. name: the option, for messages.
function weights.check(what, name, w, n)
  checks.is_tensor(what, name, w)
  if w:rank() == 2 and w:size(2) == 1 then w = w:reshape(-1) end
  if w:rank() ~= 1 or #w ~= n then
    errors.raise("%s: %s is %s, expected [%d]: one weight for each row of x", what, name, native.shape_text(w), n)
  end
  checks.floats(what, name, w)
  local low, high = w:min(), w:max()
  if is_weight(low) and is_weight(high) then return w end -- min and max of NaN are NaN
  local at = 1
  while is_weight(w[at]) do at = at + 1 end
  errors.raise("%s: %s has %s in row %d, expected %s", what, name, options.show(w[at]), at, range)
end

-- ---- of classes ----

local example = "class_weight = {[0] = 1, [1] = 5}"

local function check_classes(what, given)
  if type(given) ~= "table" then
    errors.raise("%s: class_weight is %s, expected a table: %s", what, options.show(given), example)
  end
  for class, weight in pairs(given) do
    if not math.tointeger(class) or class < 0 then
      errors.raise("%s: class_weight has the class %s, expected class numbers, from 0: %s", what, options.show(class),
        example)
    end
    if type(weight) ~= "number" or not is_weight(weight) then
      errors.raise("%s: class_weight of class %d is %s, expected %s", what, class, options.show(weight), range)
    end
  end
end

-- A list, {1, 5}, has no class 0, and one class too many.
local function check_count(what, given, count)
  for class in pairs(given) do
    if class >= count then
      errors.raise("%s: class_weight has class %d, but the targets have classes 0 to %d: %s", what, class, count - 1,
        example)
    end
  end
end

-- Class numbers [n] of rows of targets: these numbers, or where the 1 of one-hot rows is.
local function classes_of(what, y, first)
  if rows.rank(y) == 1 or y:size(2) == 1 then
    local labels = y:reshape(-1)
    local place, class = checks.bad_class(labels, checks.counted - 1)
    if not place then return labels end
    errors.raise("%s: class_weight: the target of row %d is %s, expected a class number from 0", what,
      first - 1 + tonumber(place:match "%d+"), class)
  end
  local sums = y:float():sum(2)
  local whole = y.dtype == "uint8" and y:max() > 1 and 255 or 1
  if (sums - whole):abs():max() > 1e-3 * whole then
    errors.raise("%s: class_weight: the rows of y, %s, are not one-hot: give class numbers [%d], or sample_weight",
      what, native.shape_text(y), #y)
  end
  return y:argmax(2):reshape(-1) - 1
end

-- How many classes there are: columns of one-hot rows, outputs of a net that takes class numbers, or two of one output.
local function count_of(net, y, largest)
  if rows.rank(y) == 2 and y:size(2) > 1 then return y:size(2) end
  local outputs = native.is_net(net) and net:outputs() or 0
  return math.max(outputs > 1 and outputs or 2, largest + 1)
end

-- A weight for each class from 0 on.
local function table_of(given, count)
  local t = core.ones(count)
  for class, weight in pairs(given) do t[class + 1] = weight end
  return t
end

--- The weights [rows] of targets y by their class; others than the given ones have 1. Keras's rule: of rows of several
-- columns the class is the largest one's place. Rows of a source are read once for it.
function weights.of_classes(what, given, net, y)
  check_classes(what, given)
  if y == nil then
    errors.raise("%s: class_weight needs classes, but the target is x itself: give y, or sample_weight", what)
  end
  local labels = core.zeros(#y)
  for first, part in rows.each(y, 4096) do
    labels:rows(first, first + #part - 1):copy_(classes_of(what, part, first))
  end
  local count = count_of(net, y, math.tointeger(labels:max()))
  check_count(what, given, count)
  return table_of(given, count):index(labels + 1)
end

-- ---- the options ----

--- The weights of rows x with targets y by the options o, or nil.
function weights.of(what, net, x, y, o)
  if o.sample_weight ~= nil and o.class_weight ~= nil then
    errors.raise("%s: sample_weight and class_weight are both given, expected one of them: multiply the weights", what)
  end
  if o.class_weight ~= nil then return weights.of_classes(what, o.class_weight, net, y) end
  if o.sample_weight ~= nil then return weights.check(what, "sample_weight", o.sample_weight, #x) end
end

return weights
