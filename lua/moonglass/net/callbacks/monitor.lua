--- The figure that a callback watches, such as val_loss, and when it improves: as Keras's MonitorCallback.
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local monitor = {}

---@alias moonglass.Figure "val_loss"|"loss"|string

---@alias moonglass.MonitorMode "auto"|"min"|"max"

--- The rules of the options monitor and mode, for options.checker.
monitor.mode_rule = {{"auto", "min", "max"}, "auto"}
function monitor.rule(default) return {"text", default} end

-- ---- which figures there are ----

local known = setmetatable({}, {__mode = "k"})

--- Marks a callback as one of this library's, which sets no figure, and returns it.
function monitor.built_in(callback)
  known[callback] = true
  return callback
end

function monitor.is_built_in(callback) return known[callback] ~= nil end

-- Can a callback of the user set the figure before `self` sees the epoch?
local function may_be_set(callbacks, self)
  for _, callback in ipairs(callbacks) do
    if rawequal(callback, self) then return false end
    if type(callback) == "function" or (callback.on_epoch_end and not known[callback]) then return true end
  end
end

local function contains(list, name)
  for _, v in ipairs(list) do
    if v == name then return true end
  end
end

-- what: the callback's name, for the message.
local function refuse(what, name, figures)
  if name == "val_loss" or contains(figures, (name:gsub("^val_", ""))) then
    errors.raise("%s: monitor is %s, but fit has no validation: give it, or monitor = \"%s\"", what, name,
      (name:gsub("^val_", "")))
  end
  errors.raise("%s: monitor is %s, but fit has no such figure%s (known: %s; the option metrics adds others)", what,
    name, options.question(name, figures), table.concat(figures, ", "))
end

--- Before the training: raises if the figure will be missing. self: the callback that watches it.
function monitor.check(self, state, name)
  if not contains(state.figures, name) and not may_be_set(state.callbacks, self) then
    refuse(self.name, name, state.figures)
  end
end

-- ---- its value ----

--- The figure `name` in state, which another callback may have set. nil if this epoch has no validation, but others.
function monitor.value(what, state, name)
  local value = state.metrics and state.metrics[name]
  if value == nil then value = state[name] end
  if value == nil and name:find("^val_") and contains(state.figures, name) and state.validation_freq > 1 then
    return nil
  end
  if value == nil then refuse(what, name, state.figures) end
  if type(value) ~= "number" then
    errors.raise("%s: state.%s is %s, expected a number", what, name, options.show(value))
  end
  return value
end

-- What is better if there is more of it: parts of names, after val_.
local rising = {"acc", "auc", "precision", "recall", "f1", "psnr", "r2"}

--- The mode "auto" as "min" or "max". An accuracy rises and a loss falls, whatever its name (state.directions); of a
-- function the name tells.
function monitor.mode(mode, name, state)
  if mode ~= "auto" then return mode end
  local plain = name:gsub("^val_", "")
  if state.directions[plain] then return state.directions[plain] end
  plain = plain:lower()
  for _, part in ipairs(rising) do
    if plain:find(part, 1, true) then return "max" end
  end
  return "min"
end

--- The value that any other one is better than.
function monitor.worst(mode) return mode == "max" and -math.huge or math.huge end

--- Is the value better than the best by more than |min_delta|? NaN never is.
function monitor.improves(value, best, min_delta, mode)
  if mode == "max" then return value - math.abs(min_delta) > best end
  return value + math.abs(min_delta) < best
end

--- After a training without a best epoch, because the figure was never finite: says so in history.warning.
-- consequence: what that means, in words.
function monitor.warn_none(what, state, name, consequence)
  local text = ("%s: %s was not a finite number after any epoch: %s"):format(what, name, consequence)
  local before = state.history.warning
  state.history.warning = before and before .. "; " .. text or text
end

return monitor
