-- The lists of known names at the end of messages, made from the registry and the annotations, so that no spec repeats
-- them: local known = dofile "spec/support/known.lua". A text may have between < and >:
--   known.fill "adam: unknown option 'x' (known: <AdamOptions>)"
--   known.list "layers"               the registered names of a family
--   known.list "LossName"             the choices of an alias, in its order
--   known.list "FitOptions"           the fields of a class: of a registered one in their order, else sorted
--   known.list "declared PrintOptions"   the fields in their order
--   known.list "FitOptions.verbose"   the choices of a field
--   known.list "Callback.on_"         the fields of a class with this prefix, in their order
local annotations = require "moonglass.help.annotations"
local interface = require("moonglass.help.interface").known()
local core = require "moonglass.core"

local known = {}

local function sorted(list)
  table.sort(list)
  return list
end

-- "ReduceOnPlateauOptions" -> "reduce_on_plateau"
local function kind_of(class) return (class:gsub("Options$", ""):gsub("%u", "_%0"):sub(2):lower()) end

local function is_registered(kind)
  for _, family in ipairs{"layers", "losses", "optimizers"} do
    for _, name in ipairs(core.registered(family)) do
      if name == kind then return true end
    end
  end
  return false
end

local function fields_of(name)
  local class = interface.classes["moonglass." .. name]
  return class and annotations.fields(interface, class)
end

local function field_names(name, as_declared)
  local list = {}
  for _, field in ipairs(fields_of(name) or {}) do list[#list + 1] = field.name end
  return (as_declared or is_registered(kind_of(name))) and list or sorted(list)
end

local function choices_of_field(class, name)
  for _, field in ipairs(fields_of(class) or {}) do
    if field.name == name then return annotations.choices(interface, field.type) end
  end
  return {}
end

local function fields_that_begin(class, start)
  local list = {}
  for _, field in ipairs(fields_of(class) or {}) do
    if field.name:find("^" .. start) then list[#list + 1] = field.name end
  end
  return list
end

local function names(what)
  if what:find("^declared ") then return field_names(what:match("%w+$"), true) end
  if what:find("^%l+$") then return core.registered(what) end
  local class, field = what:match("^(%w+)%.([%w_]+)$")
  if class and field:find("_$") then return fields_that_begin(class, field) end
  if class then return choices_of_field(class, field) end
  local alias = interface.aliases["moonglass." .. what]
  return alias and annotations.choices(interface, alias.type) or field_names(what)
end

--- The list as in messages: "a, b, c".
function known.list(what)
  local list = names(what)
  assert(#list > 0, "known.lua: there is no list of " .. what)
  return table.concat(list, ", ")
end

--- Replace each <list> in a text.
function known.fill(text) return (text:gsub("<([%a_. ]+)>", known.list)) end

--- The same, but options that are checked in Lua are taken from the message: interface_spec compares them, once, with
--- those that are documented.
function known.fill_from(text, message)
  return known.fill((text:gsub("<(%u%w*Options)>", function(class)
    return not is_registered(kind_of(class)) and message:match("%(known: ([%w_, ]+)%)") or nil
  end)))
end

return known
