--- The figure that a callback watches, val_loss or loss, and when it has become better: as Keras's MonitorCallback.
local errors = require "moonglass.errors"

local monitor = {}

--- For options.checker: which figures there are.
monitor.figures = {"val_loss", "loss"}

--- state's figure `name`. Its absence is a mistake in the script; `what` is whose.
function monitor.value(what, state, name)
  local value = state[name]
  if value == nil then errors.raise("%s: monitor is %s, but fit has no validation", what, name) end
  return value
end

--- Strictly better than the best, by more than |min_delta|; NaN never is.
function monitor.improves(value, best, min_delta) return value + math.abs(min_delta) < best end

return monitor
