--- The option metrics of fit and evaluate: from what the user gives to a list of measures, each with the name that it
-- has in the history. A measure of batches is the name of a kind or a loss (net:set_measures); one of epochs is a
-- function of the net. Nets and losses may bring measures of their own.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---@alias moonglass.MetricFunction fun(net: moonglass.Net, x: moonglass.Rows, y: moonglass.Rows): number

---@alias moonglass.Metrics table<integer|string, string|moonglass.Loss|moonglass.LuaLoss|moonglass.MetricFunction>

local measures = {}

-- ---- names ----

-- The kinds that have a name for users, and Keras's short forms.
local kinds = {accuracy = "accuracy", acc = "accuracy", binary_accuracy = "binary_accuracy", penalty = "penalty"}

-- Keras's names for accuracy: the targets tell what they are.
local same_as_accuracy = {categorical_accuracy = true, sparse_categorical_accuracy = true}

-- Of a whole data set: their values for batches have no mean that is the value for all.
local of_data_sets = {auc = true, precision = true, recall = true, f1 = true, psnr = true}

-- What a history, or a line of a CSV file, has under these names already.
local taken = {}
for _, name in ipairs{"loss", "epoch", "epochs", "seconds", "epoch_seconds", "val_epochs", "metrics", "stopped",
  "warning"} do
  taken[name] = true
end

local function known_names()
  local list = core.registered("losses")
  for name in pairs(kinds) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function check_name(what, name)
  if not name:find("^[%a_][%w_]*$") then
    errors.raise("%s: metrics has the name '%s', expected letters, digits and _", what, name)
  end
  if taken[name] or name:find("^val_") then
    errors.raise("%s: metrics has the name '%s', which the history uses itself: take another", what, name)
  end
end

-- ---- one metric ----

local function has_logits(loss)
  for _, option in ipairs(native.is_loss(loss) and core.options("losses", loss:kind()) or {}) do
    if option.name == "from_logits" then return true end
  end
  return false
end

--- Does the loss take logits?
function measures.takes_logits(loss) return has_logits(loss) and loss.from_logits end

-- The core's loss of that name, nil if there is none. If the training's loss takes logits, so does this one.
local function loss_of_name(name, loss)
  local ok, made = errors.caught(core.loss, name)
  if not ok then return nil end
  return has_logits(made) and measures.takes_logits(loss) and core.loss(name, {from_logits = true}) or made
end

-- A name: that of a kind, or of a loss.
local function of_name(what, name, loss)
  local lower = name:lower()
  local measure = kinds[lower] or same_as_accuracy[lower] and "accuracy" or loss_of_name(name, loss)
  if measure then return measure end
  if of_data_sets[lower] then
    errors.raise("%s: metrics has '%s', which is no mean over batches, expected a function: %s = function(net, x, y) "
      .. "... end", what, name, lower)
  end
  local known = known_names()
  errors.raise("%s: metrics has '%s', which is no metric%s (known: %s; or NAME = function(net, x, y))", what, name,
    options.question(name, known), table.concat(known, ", "))
end

local function is_lua_loss(v) return type(v) == "table" and type(v.forward) == "function" end

-- What the user gave for a metric, as {name =, measure =} or {name =, epoch = function}.
local function entry(what, name, v, loss)
  if type(v) == "string" then return {name = name, measure = of_name(what, v, loss)} end
  if type(v) == "function" then return {name = name, epoch = v} end
  if native.is_loss(v) or is_lua_loss(v) then return {name = name, measure = v} end
  errors.raise("%s: metric %s is %s, expected a name (%s), a loss object, or a function of net, x and y", what, name,
    options.show(v), table.concat(known_names(), ", "))
end

-- The name of an element of the list without one.
local function own_name(what, i, v)
  if type(v) == "string" then return v end
  if native.is_loss(v) then return v:kind() end
  errors.raise("%s: metrics has %s at [%s], expected a name: metrics = {NAME = %s}", what, options.show(v), tostring(i),
    type(v) == "function" and "function(net, x, y) ... end" or "...")
end

-- ---- those that a net or a loss brings ----

-- Functions of net and loss that give a list of {name =, measure =}, or nil. in_core = true: not where a net, a loss or
-- an optimiser in Lua runs the batches.
local providers = {}

--- Registers such a function: what it gives is measured without being asked for.
function measures.provide(f) providers[#providers + 1] = f end

-- A loss in Lua has them in its field metrics: functions of prediction and target.
measures.provide(function(_, loss)
  local list = {}
  if native.is_loss(loss) or type(loss.metrics) ~= "table" then return nil end
  for name, f in pairs(loss.metrics) do list[#list + 1] = {name = name, measure = f} end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end)

measures.provide(heads.measures)

-- ---- all of them ----

local function add(what, list, seen, e)
  check_name(what, e.name)
  if seen[e.name] then errors.raise("%s: metrics has '%s' twice, expected a name for each", what, e.name) end
  seen[e.name] = true
  list[#list + 1] = e
end

-- The names among the keys, sorted: the order of a table's keys is not the same in every process.
local function sorted_names(what, given, n)
  local names = {}
  for key in pairs(given) do
    if type(key) == "string" then
      names[#names + 1] = key
    elseif math.type(key) ~= "integer" or key < 1 or key > n then
      errors.raise("%s: metrics is a table with the key %s, expected names, or a list", what, options.show(key))
    end
  end
  table.sort(names)
  return names
end

local function check_list(what, given)
  if type(given) == "table" and not is_lua_loss(given) then return end
  errors.raise("%s: metrics is %s, expected a list: {\"accuracy\", NAME = function(net, x, y) ... end}", what,
    options.show(given))
end

--- The measures for the option metrics (nil: not given), those of net and loss after them: an empty list if there are
-- none. in_core: the batches run in the core.
function measures.list(what, net, loss, given, in_core)
  local list, seen = {}, {}
  if given ~= nil then
    check_list(what, given)
    for i, v in ipairs(given) do add(what, list, seen, entry(what, own_name(what, i, v), v, loss)) end
    for _, name in ipairs(sorted_names(what, given, #given)) do
      add(what, list, seen, entry(what, name, given[name], loss))
    end
  end
  for _, provider in ipairs(providers) do
    for _, e in ipairs(provider(net, loss) or {}) do
      if not seen[e.name] and (in_core or not e.in_core) then add(what, list, seen, e) end
    end
  end
  return list
end

return measures
