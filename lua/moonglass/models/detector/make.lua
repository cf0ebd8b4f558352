--- moon.detector.build: the options of a detector of trained nets, as the core takes them.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---Options of `moon.detector.build`.
---@class moonglass.DetectorOptions
---@field scaler moonglass.Scaler|table? how rows are scaled for the nets: a scaler, or {offset = list, scale = list}
---@field columns string[]? the names of the columns; "1", "2", ... if not given
---@field categories table<string, string[]>? the columns that were texts, and their values
---@field score "mean"|"max"|"scaled"? default "mean": what is made of a row's squared errors
---@field missing "skip"|"fill"|"refuse"? default "skip": NaN does not count; or counts as the offset; or is an error
---@field low number[]? the smallest number of each column in the training data; the scaler's if not given
---@field high number[]? the largest one
---@field margin number? default 3, above 0: a cell more than so many ranges (high - low) from them is far outside
local detector_options = options.checker("detector.build", {
  scaler = {"any"}, columns = {"texts"}, categories = {"list"}, low = {"list"}, high = {"list"},
  score = {{"mean", "max", "scaled"}, "mean"}, missing = {{"skip", "fill", "refuse"}, "skip"}, margin = {"positive", 3},
})

-- The list of nets of a net or a list.
local function nets_of(given)
  if native.is_net(given) then return {given} end
  if type(given) ~= "table" or getmetatable(given) ~= nil or #given == 0 then
    errors.raise("detector: net is %s, expected a net of native layers, or a list of them", options.show(given))
  end
  for i, net in ipairs(given) do
    if not native.is_net(net) then
      errors.raise("detector: net %d is %s, expected a net of native layers", i, options.show(net))
    end
  end
  return given
end

-- A list of {column, values}, in the order of the columns' names.
local function listed(categories)
  local list = {}
  for column, values in pairs(categories) do
    if type(column) ~= "string" or type(values) ~= "table" then
      errors.raise("detector: categories has %s = %s, expected a column's name and the list of its values",
        options.show(column), options.show(values))
    end
    list[#list + 1] = {column, values}
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

local function scaling(scaler)
  if scaler == nil then return {} end
  if native.is(scaler, "moonglass.scaler") or (type(scaler) == "table" and scaler.offset and scaler.scale) then
    return scaler
  end
  errors.raise("detector: scaler is %s, expected a scaler or a table with offset and scale", options.show(scaler))
end

local function make(given_nets, given)
  local nets, o = nets_of(given_nets), detector_options(given)
  local scaler = scaling(o.scaler)
  if (o.low == nil) ~= (o.high == nil) then
    errors.raise("detector: %s is missing, expected both low and high", o.low and "high" or "low")
  end
  local fields = {
    score = o.score, missing = o.missing, margin = o.margin, offset = scaler.offset, scale = scaler.scale,
    low = o.low or scaler.low, high = o.high or scaler.high, columns = o.columns,
    categories = listed(o.categories or {}),
  }
  return core.new_detector(nets, fields)
end

return function(net, given) return errors.guard(make, net, given) end
