--- moon.heads: a loss made of losses, each for some columns of the outputs, and its targets as one tensor.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local resolve = require "moonglass.net.resolve"

local heads = {}

-- ---- making ----

local label_losses = {}

--- Does a native loss take class numbers? Then it counts bytes of a matrix as they are (one-hot rows); the others count
-- them as value/255. The engine decides; its answer shows in the value for bytes.
function heads.takes_labels(loss)
  if not native.is_loss(loss) or heads.of(loss) then return false end
  local kind = loss:kind()
  if label_losses[kind] == nil then
    local same_kind, prediction, target = core.loss(kind), core.tensor{{0.25, 0.75}}, core.tensor{{0, 1}}
    label_losses[kind] = same_kind:forward(prediction, target:byte()) == same_kind:forward(prediction, target)
  end
  return label_losses[kind]
end

---One part of the loss that `moon.heads` makes. Its first element is the loss: a name, or an object.
---@class moonglass.HeadOptions
---@field columns integer required: how many of the outputs it has; the heads have them one after the other
---@field weight number? default 1: of its loss in the sum, at least 0
---@field name string? the loss's kind if not given: the name of its figures in the history
local check_head = options.checker("heads", {
  columns = {"count", required = true}, weight = {"number", 1}, name = {"text"},
})

local function in_head(text, k)
  return (errors.prefix(("heads: head %d: "):format(k), text):gsub("(head %d+: )heads: ", "%1", 1))
end

local function read_head(k, given)
  if type(given) ~= "table" then
    errors.raise("heads: head %d is %s, expected a table: {\"mse\", columns = 784}", k, options.show(given))
  end
  local named = {}
  for name, v in pairs(given) do
    if name ~= 1 then named[name] = v end
  end
  local o = errors.guard_by(in_head, k, nil, check_head, named)
  local loss = errors.guard_by(in_head, k, nil, resolve.loss, "heads", given[1])
  if not native.is_loss(loss) then
    errors.raise("heads: head %d: its loss is written in Lua, expected a native one", k)
  end
  local name = o.name or loss:kind()
  if not name:find("^[%a_][%w_]*$") then
    errors.raise("heads: head %d: name is '%s', expected letters, digits and _", k, name)
  end
  return {name, loss, o.columns, o.weight}
end

---A loss of several parts, for outputs side by side such as those of `moon.branches`: the sum of weight times loss over
---the heads, of which each has its columns. The losses keep their reductions, and are fused with the activation at the
---end of their branch. `fit` and `evaluate` take a list of targets, one for each head, and tell each head's figures in
---`history.metrics` under its name; for cross_entropy its accuracy, too: `class` and `class_accuracy`.
---@name moon.heads(list)
---@param list moonglass.HeadOptions[] 1 to 32: {{"bce", columns = 784}, {"cross_entropy", columns = 10, weight = 0.1}}
---@return moonglass.Loss loss of the kind "heads"
function heads.make(list)
  if type(list) ~= "table" or #list == 0 then
    errors.raise("heads: got %s, expected a list: heads{{\"bce\", columns = 784}, {\"cross_entropy\", columns = 10}}",
      type(list) == "table" and "no heads" or options.show(list))
  end
  local read = {}
  for key in pairs(list) do
    if not (math.type(key) == "integer" and key >= 1 and key <= #list) then
      errors.raise("heads: unknown key '%s', expected a list of heads", tostring(key))
    end
  end
  for k, given in ipairs(list) do read[k] = read_head(k, given) end
  return errors.guard(core.new_heads, read)
end

--- The heads of a loss, each with `first` and `last`, its columns of the outputs; nil if it is no loss of heads.
function heads.of(loss)
  if not native.is_loss(loss) or loss:kind() ~= "heads" then return nil end
  local list, column = loss:heads(), 1
  for _, head in ipairs(list) do
    head.first, head.last = column, column + head.columns - 1
    column = head.last + 1
  end
  return list
end

-- ---- targets ----

--- May the head's targets be one column of class numbers?
function heads.has_labels(head) return head.columns > 1 and heads.takes_labels(head.loss) end

--- For targets of that width, where each head's are: {first, last, labels}. nil if no targets are so wide.
function heads.target_columns(list, width)
  local all, short = 0, 0
  for _, head in ipairs(list) do
    all, short = all + head.columns, short + (heads.has_labels(head) and 1 or head.columns)
  end
  if width ~= all and width ~= short then return nil, all, short end
  local columns, column = {}, 1
  for k, head in ipairs(list) do
    local labels = width < all and heads.has_labels(head)
    local last = column + (labels and 1 or head.columns) - 1
    columns[k] = {first = column, last = last, labels = labels}
    column = last + 1
  end
  return columns, all, short
end

-- A target as a matrix; whether it is class numbers.
local function as_rows(what, head, t)
  checks.is_tensor(what, ("the target of %s"):format(head.name), t)
  local labels = heads.has_labels(head)
  if t:rank() == 1 then t = t:reshape(-1, 1) end
  if t:rank() == 2 and (t:size(2) == head.columns or labels and t:size(2) == 1) then
    return t, t:size(2) < head.columns
  end
  errors.raise("%s: the target of %s is %s, expected [rows x %d]%s", what, head.name, native.shape_text(t),
    head.columns, labels and ", or class numbers [rows]" or "")
end

-- Class numbers [n x 1] as one-hot rows, for a list that has such rows for another head.
local function one_hot(what, head, t)
  local place, class = checks.bad_class(t:reshape(-1), head.columns - 1)
  if place then
    errors.raise("%s: the target of %s is class %s at %s, expected a whole number of 0 to %d", what, head.name, class,
      place, head.columns - 1)
  end
  local rows = core.eye(head.columns):index(t:reshape(-1):float() + 1)
  return t.dtype == "uint8" and rows:byte() or rows
end

-- Bytes that count as value/255 as floats; others as they are.
local function as_floats(head, t)
  if t.dtype ~= "uint8" then return t end
  return heads.takes_labels(head.loss) and t:float() or t:float() / 255
end

--- A list of targets, one for each head, as one tensor; anything else as it is. All bytes stay bytes.
function heads.targets(what, loss, y)
  if type(y) ~= "table" then return y end
  local list = heads.of(loss)
  if not list and not native.is_tensor(y[1]) then return y end
  if not list then
    errors.raise("%s: y is a list of targets, which the loss %s does not take: moon.heads makes one that does", what,
      native.is_loss(loss) and loss:kind() or "in Lua")
  end
  if #y ~= #list then
    errors.raise("%s: y is a list of %d targets, expected one for each of %d heads", what, #y, #list)
  end
  local parts, bytes, whole, short = {}, true, false, {}
  for k, head in ipairs(list) do
    parts[k], short[k] = as_rows(what, head, y[k])
    if #parts[k] ~= #parts[1] then
      errors.raise("%s: the target of %s has %d rows, expected %d as that of %s", what, head.name, #parts[k], #parts[1],
        list[1].name)
    end
    bytes = bytes and parts[k].dtype == "uint8"
    whole = whole or heads.has_labels(head) and not short[k]
  end
  for k, head in ipairs(list) do
    if whole and short[k] then parts[k] = one_hot(what, head, parts[k]) end
    if not bytes then parts[k] = as_floats(head, parts[k]) end
  end
  return errors.guard(core.cat, parts, 2)
end

--- Classes are those of one vector of class numbers, as in Keras.
function heads.check_weights(what, loss, o)
  if o.class_weight and heads.of(loss) then
    errors.raise("%s: class_weight is given, but the targets belong to several heads: give sample_weight", what)
  end
end

-- ---- figures ----

--- The figures that each head brings to fit and evaluate: {name =, measure =} each.
function heads.measures(_, loss)
  local list = heads.of(loss)
  if not list then return nil end
  local found = {}
  for k, head in ipairs(list) do
    found[#found + 1] = {name = head.name, measure = ("head %d"):format(k - 1)}
    if heads.has_labels(head) then
      found[#found + 1] = {name = head.name .. "_accuracy", measure = ("head_accuracy %d"):format(k - 1)}
    end
  end
  return found
end

local function classes(t) return t:size(2) == 1 and t:reshape(-1) or t:argmax(2) - 1 end

--- The same for a batch that ran in Lua; nil if the measure is another one.
function heads.measure(measure, loss, prediction, target)
  local kind, number = measure:match("^(head[_a-z]*) (%d+)$")
  if not kind then return nil end
  local list = heads.of(loss)
  local head = list[tonumber(number) + 1]
  local own = heads.target_columns(list, target:size(2))[tonumber(number) + 1]
  local p, t = prediction:columns(head.first, head.last), target:columns(own.first, own.last)
  if kind == "head" then return head.loss:forward(p, own.labels and t:reshape(-1) or t) end
  return (p:argmax(2) - 1):eq(classes(t):float()):mean()
end

return heads
