--- Checks of named options.
--   local fit_options = options.checker("fit", { epochs = {"count", 1}, path = {"text"} })
--   local o = fit_options(given)     -- a new table: the given values, else the defaults
-- An unknown name is an error that lists the known names and asks for the nearest one. A value of the wrong kind is an
-- error that says what was expected.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"

local options = {}

local function is_whole(v) return math.type(v) == "integer" or (math.type(v) == "float" and v == math.floor(v)) end
local function is_number(v) return type(v) == "number" and v == v and v > -math.huge and v < math.huge end

-- For each kind: does a value fit, and in words, what fits.
local kinds = {
  any = {function(v) return v ~= nil end, "a value"},
  count = {function(v) return is_number(v) and is_whole(v) and v >= 1 end, "a whole number of at least 1"},
  size = {function(v) return is_number(v) and is_whole(v) and v >= 0 end, "a whole number of at least 0"},
  seed = {function(v) return is_number(v) and math.tointeger(v) ~= nil end, "a whole number"},
  number = {is_number, "a finite number"},
  positive = {function(v) return is_number(v) and v > 0 end, "a number above 0"},
  fraction = {function(v) return is_number(v) and v > 0 and v < 1 end, "a number above 0 and below 1"},
  flag = {function(v) return type(v) == "boolean" end, "true or false"},
  text = {function(v) return type(v) == "string" end, "a text"},
  list = {function(v) return type(v) == "table" end, "a table"},
  texts = {function(v) return type(v) == "table" end, "a list of texts"},
  ["function"] = {function(v) return type(v) == "function" end, "a function"},
}

--- The names of a table's keys, sorted, with commas.
function options.names(t)
  local list = {}
  for name in pairs(t) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return table.concat(list, ", ")
end

--- A value as messages show it.
function options.show(v)
  if v ~= v then return "nan" end
  if type(v) == "string" then return ("'%s'"):format(v) end
  if type(v) == "number" or type(v) == "boolean" or v == nil then return tostring(v) end
  local meta = getmetatable(v)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return "a " .. (type(name) == "string" and name or type(v))
end

--- "; did you mean 'epochs'?", or "" if no known name is near. known: a list of names, or a table with names as keys.
function options.question(name, known) return core.nearest(tostring(name), known) end

--- Makes a table of methods a metatable whose objects raise for an unknown name, as the core's objects do. A field that
-- may be nil is false in the class. what: "a pca", for the message.
function options.strict(class, what)
  function class.__index(_, name)
    local v = class[name]
    if v ~= nil then return v or nil end
    if type(name) == "string" and name:find("^__") then return nil end
    errors.raise("%s has no field or method '%s'%s", what, tostring(name), options.question(name, class))
  end
  return class
end

local function choice(v, choices)
  for _, c in ipairs(choices) do
    if v == c then return true end
  end
end

local function check_value(what, name, rule, v)
  local kind = rule[1]
  if type(kind) == "table" then
    if not choice(v, kind) then
      errors.raise("%s: %s is %s%s (known: %s)", what, name, options.show(v),
        type(v) == "string" and options.question(v, kind) or "", table.concat(kind, ", "))
    end
  elseif not kinds[kind][1](v) then
    errors.raise("%s: %s is %s, expected %s", what, name, options.show(v), kinds[kind][2])
  end
  -- A count may be given as 32.0; loops and messages need 32.
  if kind == "count" or kind == "size" or kind == "seed" then return math.tointeger(v) end
  return v
end

local function unknown(what, name, rules)
  if type(name) ~= "string" then
    errors.raise("%s: the value at [%s] has no name, expected options by name (known: %s)", what, tostring(name),
      options.names(rules))
  end
  errors.raise("%s: unknown option '%s'%s (known: %s)", what, name, options.question(name, rules),
    options.names(rules))
end

-- Raises for the alphabetically first missing option.
local function check_required(what, rules, result)
  local first
  for name, rule in pairs(rules) do
    if rule.required and result[name] == nil and (not first or name < first) then first = name end
  end
  if first then errors.raise("%s: option %s is missing", what, first) end
end

--- rules: name = {kind, default}; a kind is a name in `kinds` or a list of allowed values. A rule with required = true
-- has no default. Returns a function that takes the user's table, or nil, and gives a new one.
function options.checker(what, rules)
  return function(given)
    if given ~= nil and type(given) ~= "table" then
      errors.raise("%s: options are %s, expected a table of named options", what, options.show(given))
    end
    local result = {}
    for name, v in pairs(given or {}) do
      local rule = rules[name]
      if not rule then unknown(what, name, rules) end
      result[name] = check_value(what, name, rule, v)
    end
    for name, rule in pairs(rules) do
      if result[name] == nil then result[name] = rule[2] end
    end
    check_required(what, rules, result)
    return result
  end
end

return options
