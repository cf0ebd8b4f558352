--- The settings of a room: one list of descriptions gives both the check of what a visitor asks for and the event
-- `schema`, from which the page builds its controls.
--
--   local s = settings.new{{name = "rate", label = "Learning rate", help = "...", group = "training", kind = "number",
--     low = 0, high = 10, default = 0.03}, ...}
--   s:defaults()               a new table of all settings
--   s:check(changes, base)     a new table: base (without one the defaults) with the changes; raises words
--   s:schema(list)             the descriptions; list is host.list, which marks lists that may be empty
--   settings.same(a, b)        have two tables of settings the same values?
-- and what all commands check and refuse with:
--   settings.check_number(name, v, low, high, whole)   v, as an integer if whole; raises words that begin with the name
--   settings.refuse(words, ...)   raises words, formatted
--   settings.show(v), settings.number(v)   a value, a number, as words show it
-- `only`, as {{problem = {"own"}}, ...}, tells the page where a setting counts: the others are as in one of these.
--
-- Kinds: choice (one of choices), number (low to high; whole = true: whole numbers), flag (true or false), list (of
-- distinct choices, or of whole numbers from low to high; least to most of them).
local settings = {}

local Settings = {}
Settings.__index = Settings

-- ---- messages ----

-- 0.00001 rather than 1e-05.
local function number(v)
  if v ~= v then return "nan" end
  if math.type(v) == "integer" or math.abs(v) < 1e-9 or math.abs(v) >= 1e9 then return ("%.14g"):format(v) end
  return (("%.9f"):format(v):gsub("%.?0+$", ""))
end

local function show(v)
  if type(v) == "string" then return ("'%s'"):format(#v > 40 and v:sub(1, 40) .. "..." or v) end
  if type(v) == "number" then return number(v) end
  if type(v) == "boolean" or v == nil then return tostring(v) end
  return "a " .. type(v)
end
settings.show, settings.number = show, number

local function refuse(words, ...) error(words:format(...), 0) end
settings.refuse = refuse

local function number_or_text(v) return type(v) == "number" and number(v) or tostring(v) end

local function known(choices)
  local names = {}
  for i, choice in ipairs(choices) do names[i] = number_or_text(choice.value) end
  return table.concat(names, ", ")
end

-- ---- values ----

local function find_choice(choices, v)
  for _, choice in ipairs(choices) do
    if choice.value == v then return choice.value end
  end
end

local function is_number(v) return type(v) == "number" and v - v == 0 end

local function check_number(name, v, low, high, whole)
  if is_number(v) and v >= low and v <= high and (not whole or math.tointeger(v)) then
    return whole and math.tointeger(v) or v
  end
  local kind = whole and "whole number" or "number"
  refuse("%s is %s, expected a %s of %s to %s", name, show(v), kind, number(low), number(high))
end
settings.check_number = check_number

local function element(item, v)
  if not item.choices then return check_number("set: an element of " .. item.name, v, item.low, item.high, true) end
  local found = find_choice(item.choices, v)
  if found == nil then
    refuse("set: %s has %s (known: %s)", item.name, show(v), known(item.choices))
  end
  return found
end

local kinds = {}

function kinds.choice(item, v)
  local found = find_choice(item.choices, v)
  if found == nil then refuse("set: %s is %s (known: %s)", item.name, show(v), known(item.choices)) end
  return found
end

function kinds.number(item, v) return check_number("set: " .. item.name, v, item.low, item.high, item.whole) end

function kinds.flag(item, v)
  if type(v) ~= "boolean" then refuse("set: %s is %s, expected true or false", item.name, show(v)) end
  return v
end

local function check_length(item, v)
  if type(v) ~= "table" then refuse("set: %s is %s, expected a list", item.name, show(v)) end
  for key in pairs(v) do
    if not (math.type(key) == "integer" and key >= 1 and key <= #v) then
      refuse("set: %s has a value at '%s', expected a list", item.name, tostring(key))
    end
  end
  if #v < item.least or #v > item.most then
    refuse("set: %s has %d elements, expected %d to %d", item.name, #v, item.least, item.most)
  end
end

-- A list of choices is put into the order of the choices, so that equal choices make equal nets.
function kinds.list(item, v)
  check_length(item, v)
  local result, seen = {}, {}
  for i, given in ipairs(v) do
    result[i] = element(item, given)
    if item.choices and seen[result[i]] then refuse("set: %s has %s twice", item.name, show(given)) end
    seen[result[i]] = true
  end
  if not item.choices then return result end
  local sorted = {}
  for _, choice in ipairs(item.choices) do
    if seen[choice.value] then sorted[#sorted + 1] = choice.value end
  end
  return sorted
end

-- ---- the object ----

function settings.new(items)
  local self = setmetatable({items = items, by_name = {}}, Settings)
  for _, item in ipairs(items) do self.by_name[item.name] = item end
  return self
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local result = {}
  for key, value in pairs(v) do result[key] = copy(value) end
  return result
end

function Settings:defaults()
  local result = {}
  for _, item in ipairs(self.items) do result[item.name] = copy(item.default) end
  return result
end

function Settings:names()
  local names = {}
  for i, item in ipairs(self.items) do names[i] = item.name end
  return table.concat(names, ", ")
end

function Settings:check(changes, base)
  if type(changes) ~= "table" then refuse("set: settings are %s, expected an object", show(changes)) end
  local result = base and copy(base) or self:defaults()
  for name, v in pairs(changes) do
    local item = self.by_name[name]
    if not item then refuse("set: unknown setting '%s' (known: %s)", tostring(name), self:names()) end
    result[name] = kinds[item.kind](item, v)
  end
  return result
end

local shown = {"name", "label", "help", "kind", "choices", "low", "high", "step", "least", "most", "default", "group",
  "only"}

function Settings:schema(list)
  local result = {}
  for i, item in ipairs(self.items) do
    local entry = {}
    for _, field in ipairs(shown) do entry[field] = copy(item[field]) end
    if item.whole then entry.step = item.step or 1 end
    if item.kind == "list" then entry.default = list(entry.default) end
    result[i] = entry
  end
  return list(result)
end

-- ---- comparing ----

function settings.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not settings.same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

return settings
