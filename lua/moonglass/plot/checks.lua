--- Checks of what the user gives to plots: texts, lists of numbers, classes. Nothing unchecked reaches a script.
local errors = require "moonglass.support.errors"
local gnuplot = require "moonglass.plot.gnuplot"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local checks = {}

-- A value in words; a tensor with its shape.
local function show(v) return native.is_tensor(v) and native.shape_text(v) or options.show(v) end
checks.show = show

-- ---- texts ----

--- A text or a number as a gnuplot string.
function checks.text(what, name, v)
  if math.type(v) then v = tostring(v) end
  if type(v) ~= "string" then errors.raise("%s: %s is %s, expected a text", what, name, show(v)) end
  if not utf8.len(v) or v:find("[\0-\8\11-\31\127]") then
    errors.raise("%s: %s is not a UTF-8 text without control characters", what, name)
  end
  return gnuplot.quote(v)
end

--- The end of a curve's description: its entry in the legend, or none. Further lines of the text become further
-- entries, since gnuplot leaves room for one line only.
function checks.legend_entry(what, name, v)
  if v == nil then return "notitle" end
  if type(v) ~= "string" then return "title " .. checks.text(what, name, v) end
  local lines = {}
  for line in v:gmatch("[^\n]*") do lines[#lines + 1] = checks.text(what, name, line) end
  return "title " .. table.concat(lines, ", keyentry title ")
end

-- ---- numbers ----

function checks.is_finite(v) return v ~= nil and v - v == 0 end

-- A list of numbers with gaps, and its length up to the last number.
local function check_numbers(what, name, list)
  local n = 0
  for key, v in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 then
      errors.raise("%s: %s has the key %s, expected a list of numbers", what, name, options.show(key))
    elseif type(v) ~= "number" then
      errors.raise("%s: %s[%d] is %s, expected a number", what, name, key, show(v))
    end
    n = math.max(n, key)
  end
  return list, n
end

---@alias moonglass.Numbers number[]|moonglass.Tensor

--- A list, or a tensor [n] or [n x 1], as a list, and its length.
function checks.numbers(what, name, v)
  if native.is_tensor(v) then
    if v:rank() == 1 or v:rank() == 2 and v:size(2) == 1 then return v:reshape(-1):totable(), #v end
    errors.raise("%s: %s is %s, expected [n]", what, name, show(v))
  elseif type(v) ~= "table" then
    errors.raise("%s: %s is %s, expected a list of numbers or a tensor [n]", what, name, show(v))
  end
  return check_numbers(what, name, v)
end

--- A list that is not empty.
function checks.filled(what, name, list)
  if type(list) == "table" and #list > 0 then return end
  errors.raise("%s: %s is %s, expected a list of at least one", what, name,
    type(list) == "table" and "empty" or show(list))
end

--- Can an axis, logarithmic or not, show the number?
function checks.fits(v, log) return checks.is_finite(v) and (not log or v > 0) end

--- Checks that at least one of the n points can be drawn: without any, gnuplot fails.
function checks.drawable(what, n, x, y, o)
  for i = 1, n do
    if checks.fits(x[i], o.logx) and checks.fits(y[i], o.logy) then return end
  end
  errors.raise("%s: there is nothing to draw, expected finite numbers%s", what,
    (o.logx or o.logy) and ", above 0 on a logarithmic axis" or "")
end

-- ---- points and classes ----

--- x [n x 2] as {x=, y=, n=}, x and y lists.
function checks.points(what, x)
  if not native.is_tensor(x) or x:rank() ~= 2 or x:size(2) ~= 2 or #x == 0 then
    errors.raise("%s: x is %s, expected a tensor [n x 2]", what, show(x))
  end
  local columns = x:t():totable()
  return {x = columns[1], y = columns[2], n = #x}
end

--- n class numbers, counted from 0, as a list of integers.
function checks.classes(what, name, v, n)
  local list, count = checks.numbers(what, name, v)
  if count ~= n then errors.raise("%s: %s has %d class numbers, expected %d", what, name, count, n) end
  local classes = {}
  for i = 1, n do
    local class = list[i] and math.tointeger(list[i])
    if not class or class < 0 then
      errors.raise("%s: %s[%d] is %s, expected a class number: 0, 1, ...", what, name, i, options.show(list[i]))
    end
    classes[i] = class
  end
  return classes
end

return checks
