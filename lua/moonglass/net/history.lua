--- The history that fit returns. Its text is a table of epochs, and a curve of each loss.
local terminal = require "moonglass.support.terminal"

---The record of a training. `tostring` makes a table of it.
---@class moonglass.History
---@field loss number[] by epoch: the objective before each update, averaged over the rows
---@field val_loss number[] by validation, as a rule one in each epoch; empty without validation
---@field val_epochs integer[] for each element of val_loss the number of its epoch
---@field metrics table<string, number[]> by epoch, `val_NAME` by validation; `history.NAME` is `history.metrics.NAME`
---@field epoch_seconds number[] by epoch: the training time, without validation
---@field epochs integer the number of the last epoch
---@field stopped string? why the training ended early on a loss that is NaN or infinite
---@field warning string? a callback's warning: the monitored value was NaN in every epoch
local History = {__name = "moonglass.history"}

local shown_whole, edge = 20, 5 -- up to 20 epochs are all shown; of more, the first and last 5
local widest_curve = 40

-- ---- curves ----

local levels = {
  utf8 = {"\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}", "\u{2588}"},
  ascii = {"_", ".", "-", "=", "+", "*", "%", "#"},
}

local function is_finite(v) return v == v and v < math.huge and v > -math.huge end

-- One character for each value. Many values are grouped, and each group shows the mean of its finite values.
local function sparkline(values)
  local marks = terminal.is_utf8() and levels.utf8 or levels.ascii
  local n = math.min(#values, widest_curve)
  local means, low, high = {}, math.huge, -math.huge
  for i = 1, n do
    local sum, count = 0, 0
    for k = (i - 1) * #values // n + 1, i * #values // n do
      if is_finite(values[k]) then sum, count = sum + values[k], count + 1 end
    end
    means[i] = count > 0 and sum / count or false
    if means[i] then low, high = math.min(low, means[i]), math.max(high, means[i]) end
  end
  local range = high > low and high - low or 1
  for i, v in ipairs(means) do
    means[i] = v and marks[math.floor((v - low) / range * (#marks - 1) + 0.5) + 1] or "?"
  end
  return table.concat(means)
end

-- ---- the table ----

local function epoch_line(history, i)
  local val_loss = history.val_loss[i]
  return ("%5d  %10.6g  %10s  %7.2f"):format(history.epochs - #history.loss + i, history.loss[i],
    val_loss and ("%.6g"):format(val_loss) or "", history.epoch_seconds[i] or 0)
end

local function curve_line(name, values)
  return ("%-8s  %s  %.4g to %.4g"):format(name, sparkline(values), values[1], values[#values])
end

function History.__tostring(history)
  local lines, n = {"epoch        loss    val_loss  seconds"}, #history.loss
  for i = 1, n do
    if n <= shown_whole or i <= edge or i > n - edge then
      lines[#lines + 1] = epoch_line(history, i)
    elseif i == edge + 1 then
      lines[#lines + 1] = "  ..."
    end
  end
  if n > 1 then lines[#lines + 1] = curve_line("loss", history.loss) end
  if n > 1 and #history.val_loss == n then lines[#lines + 1] = curve_line("val_loss", history.val_loss) end
  lines[#lines + 1] = history.warning
  return table.concat(lines, "\n")
end

-- history.NAME is history.metrics.NAME.
function History.__index(history, name)
  local metrics = rawget(history, "metrics")
  return metrics and metrics[name]
end

-- val_loss without the epochs that have none, and the numbers of the others, of a history whose last epoch is `last`.
local function validated(val_loss, epochs, last)
  local list, numbers = {}, {}
  for i = 1, epochs do
    if val_loss[i] then
      list[#list + 1], numbers[#numbers + 1] = val_loss[i], last - epochs + i
    end
  end
  return #list == #val_loss and val_loss or list, numbers
end

--- A history: loss[i], epoch_seconds[i], val_loss[k] with val_epochs[k], metrics, and epochs, the number of the last
-- one. In `given`, without val_epochs, val_loss[i] is of the same epoch as loss[i].
return function(given)
  local history = {loss = {}, val_loss = {}, val_epochs = {}, epoch_seconds = {}, metrics = {}, epochs = 0}
  for name in pairs(history) do
    if given and given[name] ~= nil then history[name] = given[name] end
  end
  if given and not given.val_epochs then
    history.val_loss, history.val_epochs = validated(history.val_loss, #history.loss, history.epochs)
  end
  return setmetatable(history, History)
end
