--- What functions on tensors ask of their arguments. `what` is the function and `name` the argument, for messages.
local errors = require "moonglass.errors"
local native = require "moonglass.native"
local options = require "moonglass.options"

local checks = {}

-- A value in a message: a tensor by its shape.
local function show(v) return native.is_tensor(v) and native.shape_text(v) or options.show(v) end

--- What a method of nets is called on: net.fit(x) would hand it x instead.
function checks.net(what, net)
  local meta = getmetatable(net)
  local name = type(meta) == "table" and meta.__name
  if name == "moonglass.net" or name == "moonglass.mixed_net" then return end
  errors.raise("%s: called on %s, expected a net: methods take a colon, net:%s(...)", what,
    net == nil and "nothing" or options.show(net), what)
end

--- A tensor. A list of numbers is none, but can become one.
function checks.is_tensor(what, name, t)
  if native.is_tensor(t) then return end
  local list = type(t) == "table" and getmetatable(t) == nil
  errors.raise("%s: %s is %s, expected a tensor%s", what, name, options.show(t),
    list and ": moon.tensor(list) makes one" or "")
end

--- The name of a file.
function checks.path(what, path)
  if type(path) ~= "string" then
    errors.raise("%s: path is %s, expected the name of a file", what, options.show(path))
  end
  if path:find("\0", 1, true) then errors.raise("%s: the path holds a zero byte", what) end
end

--- A tensor with elements; of that rank, if one is given.
function checks.tensor(what, name, t, rank)
  checks.is_tensor(what, name, t)
  if t:numel() == 0 then errors.raise("%s: %s is %s, which is empty", what, name, show(t)) end
  if rank and t:rank() ~= rank then
    errors.raise("%s: %s is %s, expected %d dimension%s", what, name, show(t), rank, rank == 1 and "" or "s")
  end
end

--- At least one row; of that width, if one is given.
function checks.rows(what, name, t, width)
  checks.tensor(what, name, t)
  if t:rank() ~= 2 or (width and t:size(2) ~= width) then
    errors.raise("%s: %s is %s, expected [rows x %s]", what, name, show(t), width or "width")
  end
end

--- A class number for each of the rows.
function checks.labels(what, labels, rows)
  if not native.is_tensor(labels) or labels:rank() ~= 1 or #labels ~= rows then
    errors.raise("%s: labels is %s, expected class numbers [%d]", what, show(labels), rows)
  end
end

--- Two tensors of one shape.
function checks.same_shape(what, a_name, a, b_name, b)
  local same = a:rank() == b:rank()
  for i = 1, same and a:rank() or 0 do same = same and a:size(i) == b:size(i) end
  if not same then
    errors.raise("%s: %s is %s and %s %s, expected the same shape", what, a_name, show(a), b_name, show(b))
  end
end

-- ---- targets of binary cross-entropy ----

local sampled, slack = 64, 1e-3 -- slack: of arithmetic that was to end within [0, 1]

-- So many rows, evenly spread: that values are not in [0, 1] at all shows in any of them.
local function sample(t)
  local n = #t
  if n <= sampled then return t end
  local rows = {}
  for i = 1, sampled do rows[i] = (i - 1) * (n - 1) // (sampled - 1) + 1 end
  return t:index(rows)
end

-- What to do about values from low to high.
local function advice(low, high)
  if low < 0 then return "scale them, or use the loss mse" end
  if high > 127 and high <= 255 then return "divide by 255, or use bytes" end
  return "divide by the largest that there can be"
end

--- Binary cross-entropy is a loss for targets in [0, 1]: with others it falls below 0 and goes on falling. y nil: the
-- target is x. Bytes count as value/255, so that they always are.
function checks.targets(what, loss, x, y)
  local t, name = y or x, y and "y" or "x"
  if not (native.is_loss(loss) and loss:kind() == "bce" and native.is_tensor(t)) then return end
  if t.dtype == "uint8" or t:numel() == 0 or t:rank() == 0 then return end
  local rows = sample(t)
  local low, high = rows:min(), rows:max()
  if low < -slack or high > 1 + slack then
    errors.raise("%s: %s has values from %.4g to %.4g; expected [0, 1]: %s", what, name, low, high, advice(low, high))
  end
end

local seen = setmetatable({}, {__mode = "k"})

--- The same at the first step with a loss only: a step must cost nothing that it need not.
function checks.first_targets(what, loss, x, y)
  if seen[loss] then return end
  checks.targets(what, loss, x, y)
  seen[loss] = true
end

--- Bytes as the floats that they count as, value/255; floats as they are.
function checks.fractions(t) return t.dtype == "uint8" and t / 255 or t end

return checks
