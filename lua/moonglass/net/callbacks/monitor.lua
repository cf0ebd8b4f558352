--- The figure that a callback watches, val_loss or loss, and when it improves: as Keras's MonitorCallback.
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local monitor = {}

---@alias moonglass.Figure "val_loss"|"loss"

--- The figures, for options.checker.
monitor.figures = {"val_loss", "loss"}

-- what: the callback's name, for the message.
local function refuse(what, name)
  errors.raise("%s: monitor is %s, but fit has no validation: give it, or monitor = \"loss\"", what, name)
end

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

--- Before the training: raises if the figure will be missing. self: the callback that watches it.
function monitor.check(self, state, name)
  if name == "val_loss" and not state.validation and not may_be_set(state.callbacks, self) then
    refuse(self.name, name)
  end
end

--- The figure `name` in state, which another callback may have set.
function monitor.value(what, state, name)
  local value = state[name]
  if value == nil then refuse(what, name) end
  if type(value) ~= "number" then
    errors.raise("%s: state.%s is %s, expected a number", what, name, options.show(value))
  end
  return value
end

--- Is the value lower than the best by more than |min_delta|? NaN never is.
function monitor.improves(value, best, min_delta) return value + math.abs(min_delta) < best end

--- After a training without a best epoch, because the figure was never finite: says so in history.warning.
-- consequence: what that means, in words.
function monitor.warn_none(what, state, name, consequence)
  local text = ("%s: %s was not a finite number after any epoch: %s"):format(what, name, consequence)
  local before = state.history.warning
  state.history.warning = before and before .. "; " .. text or text
end

return monitor
