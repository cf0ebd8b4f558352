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

-- Loss, val_loss, then the metrics by name, each with its figure of validation: {name =, values =, width =}.
local function columns_of(history)
  local columns, names = {{name = "loss", values = history.loss}, {name = "val_loss", values = history.val_loss}}, {}
  for name in pairs(history.metrics) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local plain_a, plain_b = a:gsub("^val_", ""), b:gsub("^val_", "")
    if plain_a ~= plain_b then return plain_a < plain_b end
    return #a < #b
  end)
  for _, name in ipairs(names) do columns[#columns + 1] = {name = name, values = history.metrics[name]} end
  for _, column in ipairs(columns) do
    column.of_validation = column.name:find("^val_") ~= nil
    column.width = math.max(10, #column.name)
  end
  return columns
end

-- at: for the number of an epoch the place of its validation.
local function epoch_line(history, columns, i, at)
  local epoch = history.epochs - #history.loss + i
  local words = {("%5d"):format(epoch)}
  for _, column in ipairs(columns) do
    local v = column.values[column.of_validation and (at[epoch] or 0) or i]
    words[#words + 1] = ("%%%ds"):format(column.width):format(v and ("%.6g"):format(v) or "")
  end
  words[#words + 1] = ("%7.2f"):format(history.epoch_seconds[i] or 0)
  return table.concat(words, "  ")
end

local function head(columns)
  local words = {"epoch"}
  for _, column in ipairs(columns) do words[#words + 1] = ("%%%ds"):format(column.width):format(column.name) end
  words[#words + 1] = "seconds"
  return table.concat(words, "  ")
end

local function add_curves(lines, columns)
  local width = 8
  for _, column in ipairs(columns) do width = math.max(width, #column.name) end
  for _, column in ipairs(columns) do
    local values = column.values
    if #values > 1 then
      local name = column.name .. (" "):rep(width - #column.name)
      lines[#lines + 1] = ("%s  %s  %.4g to %.4g"):format(name, sparkline(values), values[1], values[#values])
    end
  end
end

function History.__tostring(history)
  local columns, at, n = columns_of(history), {}, #history.loss
  local lines = {head(columns)}
  for k, epoch in ipairs(history.val_epochs) do at[epoch] = k end
  for i = 1, n do
    if n <= shown_whole or i <= edge or i > n - edge then
      lines[#lines + 1] = epoch_line(history, columns, i, at)
    elseif i == edge + 1 then
      lines[#lines + 1] = "  ..."
    end
  end
  add_curves(lines, columns)
  lines[#lines + 1] = history.warning
  return table.concat(lines, "\n")
end

-- history.NAME is history.metrics.NAME.
function History.__index(history, name)
  local metrics = rawget(history, "metrics")
  return metrics and metrics[name]
end

-- The elements of a list at these places.
local function at_places(list, places)
  local result = {}
  for k, i in ipairs(places) do result[k] = list[i] end
  return result
end

-- From lists by epoch, with nil where there was no validation, to lists of validations, and val_epochs.
local function leave_gaps_out(history)
  local places, before = {}, history.epochs - #history.loss
  for i = 1, #history.loss do
    if history.val_loss[i] then places[#places + 1] = i end
  end
  for k, i in ipairs(places) do history.val_epochs[k] = before + i end
  if #places == #history.val_loss then return end
  history.val_loss = at_places(history.val_loss, places)
  for name, list in pairs(history.metrics) do
    if name:find("^val_") then history.metrics[name] = at_places(list, places) end
  end
end

--- A history: loss[i], epoch_seconds[i], val_loss[k] with val_epochs[k], metrics, and epochs, the number of the last
-- one. In `given`, without val_epochs, val_loss[i] is of the same epoch as loss[i].
return function(given)
  local history = {loss = {}, val_loss = {}, val_epochs = {}, epoch_seconds = {}, metrics = {}, epochs = 0}
  for name in pairs(history) do
    if given and given[name] ~= nil then history[name] = given[name] end
  end
  if given and not given.val_epochs then leave_gaps_out(history) end
  return setmetatable(history, History)
end
