--- Checks of arguments. `what` is the function that the user called, `name` the argument, both for messages.
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local checks = {}

-- A value as messages show it: a tensor by its shape.
local function show(v) return native.is_tensor(v) and native.shape_text(v) or options.show(v) end

local function class_of(v)
  local meta = getmetatable(v)
  return type(meta) == "table" and meta.__name
end

-- A list of a history; nil if it is not there.
local function check_history_list(what, name, list)
  if list == nil then return end
  if type(list) ~= "table" then
    errors.raise("%s: history.%s is %s, expected a list of numbers", what, name, options.show(list))
  end
  for i, v in pairs(list) do
    if type(v) ~= "number" then
      errors.raise("%s: history.%s[%s] is %s, expected a number", what, name, tostring(i), options.show(v))
    end
  end
end

local function is_net(v)
  local name = class_of(v)
  return name == "moonglass.net" or name == "moonglass.mixed_net"
end

--- A history, as fit returns it. Parts may be missing.
function checks.history(what, history)
  if type(history) ~= "table" then errors.raise("%s: history is %s, expected a table", what, options.show(history)) end
  for _, name in ipairs{"loss", "val_loss", "epoch_seconds", "val_epochs"} do
    check_history_list(what, name, history[name])
  end
  local metrics = history.metrics == nil and {} or history.metrics
  if type(metrics) ~= "table" then
    errors.raise("%s: history.metrics is %s, expected a table of lists", what, options.show(metrics))
  end
  for name, list in pairs(metrics) do
    if type(name) ~= "string" then
      errors.raise("%s: history.metrics has the key %s, expected the names of metrics", what, options.show(name))
    end
    check_history_list(what, "metrics." .. name, list)
  end
  local epochs = history.epochs
  if epochs ~= nil then checks.whole(what, "history.epochs", epochs, 0, math.maxinteger) end
end

--- The contents of a checkpoint: a net, optionally its optimizer, and how far the training is.
function checks.state(what, state)
  if type(state) ~= "table" then errors.raise("%s: got %s, expected {net=, opt=}", what, options.show(state)) end
  if not is_net(state.net) then errors.raise("%s: net is %s, expected a net", what, options.show(state.net)) end
  if state.opt ~= nil and not native.is_optimizer(state.opt) then
    errors.raise("%s: opt is %s, expected an optimizer object", what, options.show(state.opt))
  end
  if state.epoch ~= nil then checks.whole(what, "epoch", state.epoch, 0, math.maxinteger) end
  if state.seed ~= nil then checks.whole(what, "seed", state.seed, math.mininteger, math.maxinteger) end
  if state.history ~= nil then checks.history(what, state.history) end
  if state.callbacks ~= nil and type(state.callbacks) ~= "table" then
    errors.raise("%s: callbacks is %s, expected a list of callbacks", what, options.show(state.callbacks))
  end
end

--- An argument that is a net.
function checks.is_net(what, net)
  if not is_net(net) then errors.raise("%s: net is %s, expected a net", what, show(net)) end
end

--- The object of a method call: net.fit(x), with a point, would pass x as the net.
function checks.net(what, net)
  if is_net(net) then return end
  errors.raise("%s: called on %s, expected a net: methods take a colon, net:%s(...)", what,
    net == nil and "nothing" or options.show(net), what)
end

--- A tensor. For a list of numbers the message tells how to make one.
function checks.is_tensor(what, name, t)
  if native.is_tensor(t) then return end
  local list = type(t) == "table" and getmetatable(t) == nil
  errors.raise("%s: %s is %s, expected a tensor%s", what, name, options.show(t),
    list and ": moon.tensor(list) makes one" or "")
end

--- A finite number.
function checks.number(what, name, v)
  if type(v) ~= "number" or v - v ~= 0 then
    errors.raise("%s: %s is %s, expected a finite number", what, name, options.show(v))
  end
end

--- A whole number from low to high.
function checks.whole(what, name, v, low, high)
  local n = math.tointeger(v)
  if type(v) == "number" and n and n >= low and n <= high then return end
  local range = low == math.mininteger and "" or high == math.maxinteger and (" of at least %d"):format(low)
    or (" of %d to %d"):format(low, high)
  errors.raise("%s: %s is %s, expected a whole number%s", what, name, options.show(v), range)
end

--- The name of a file.
function checks.path(what, path)
  if type(path) ~= "string" then
    errors.raise("%s: path is %s, expected the name of a file", what, options.show(path))
  end
  if path:find("\0", 1, true) then errors.raise("%s: the path holds a zero byte", what) end
end

--- A tensor that is not empty, of the given rank, if any.
function checks.tensor(what, name, t, rank)
  checks.is_tensor(what, name, t)
  if t:numel() == 0 then errors.raise("%s: %s is %s, expected at least one element", what, name, show(t)) end
  if rank and t:rank() ~= rank then
    errors.raise("%s: %s is %s, expected %d dimension%s", what, name, show(t), rank, rank == 1 and "" or "s")
  end
end

--- [rows x width] with at least one row; width nil: any.
function checks.rows(what, name, t, width)
  checks.tensor(what, name, t)
  if t:rank() ~= 2 or (width and t:size(2) ~= width) then
    errors.raise("%s: %s is %s, expected [rows x %s]", what, name, show(t), width or "width")
  end
end

-- The first bad element of t: its place in words, and its value. is_good(part): are all elements of the part good?
-- Found by bisection.
local function first_bad(t, is_good)
  local first, last = 1, #t
  while first < last do
    local middle = (first + last) // 2
    if is_good(t:rows(first, middle)) then first = middle + 1 else last = middle end
  end
  local row, column = t:rows(first, first):reshape(-1), 1
  while is_good(row:rows(column, column)) do column = column + 1 end
  local place = #row > 1 and ("row %d, column %d"):format(first, column) or ("row %d"):format(first)
  local v = row[column]
  return place, v ~= v and "nan" or ("%.7g"):format(v)
end

local function no_nan(t)
  local sum = t:sum()
  return sum == sum or t:eq(t):min() == 1 -- the sum of both infinities is NaN, too
end

-- The squares of such numbers, and sums of many of them, do not overflow.
local largest = 1e15
local function can_be_squared(t) return no_nan(t) and t:max() <= largest and t:min() >= -largest end

local function check_numbers(what, name, t, is_good, expected)
  if t.dtype ~= "float32" or is_good(t) then return end
  local place, value = first_bad(t, is_good)
  errors.raise("%s: %s has %s in %s, expected %s", what, name, value, place, expected)
end

--- No element is NaN.
function checks.no_nan(what, name, t) check_numbers(what, name, t, no_nan, "numbers") end

--- Every element is a number that can be squared.
function checks.numbers(what, name, t)
  check_numbers(what, name, t, can_be_squared, ("finite numbers, of at most %.0e"):format(largest))
end

--- Float32 elements.
function checks.floats(what, name, t)
  if t.dtype ~= "float32" then
    errors.raise("%s: %s is %s, expected float32: %s:float() makes it", what, name, show(t), name)
  end
end

local chunk = 1 << 16 -- rows that are checked in one go

--- The first element of t that is not a whole number from 0 to last: its place in words, and its value; nil if there is
-- none.
function checks.bad_class(t, last)
  local function are_classes(part)
    return part:eq(part:floor()):min() == 1 and part:min() >= 0 and part:max() <= last
  end
  for first = 1, #t, chunk do
    local part = t:rows(first, math.min(first + chunk - 1, #t))
    if not are_classes(part) then return first_bad(t, are_classes) end
  end
end

--- The limit for counts of rows and classes: float32 has every whole number up to this one.
checks.counted = 1 << 24

--- Class numbers [n] from 0, below `classes` if that is given. hint: what to do about fractions.
function checks.classes(what, name, t, classes, hint)
  local last = (classes or checks.counted) - 1
  local place, value = checks.bad_class(t, last)
  if not place then return end
  local bounded = classes or (tonumber(value) or 0) > last
  errors.raise("%s: %s of %s is %s, expected a whole number %s%s", what, name, place, value,
    bounded and ("of 0 to %d"):format(last) or "from 0 on", hint and value:find(".", 1, true) and ": " .. hint or "")
end

--- Class numbers [rows], below `classes` if that is given.
function checks.labels(what, labels, rows, classes)
  if not native.is_tensor(labels) or labels:rank() ~= 1 or #labels ~= rows then
    errors.raise("%s: labels is %s, expected class numbers [%d]", what, show(labels), rows)
  end
  checks.classes(what, "label", labels, classes)
end

--- Two tensors of one shape.
function checks.same_shape(what, a_name, a, b_name, b)
  local same = a:rank() == b:rank()
  for i = 1, same and a:rank() or 0 do same = same and a:size(i) == b:size(i) end
  if not same then
    errors.raise("%s: %s is %s and %s %s, expected the same shape", what, a_name, show(a), b_name, show(b))
  end
end

--- Bytes as floats, value/255; floats as they are.
function checks.fractions(t) return t.dtype == "uint8" and t / 255 or t end

return checks
