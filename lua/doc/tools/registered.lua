--- What the registry knows, as blocks of documentation: registered.add(blocks) completes the blocks from the sources.
-- Layers, losses and optimisers have their words there. Their arguments, results and options, and the lists of names,
-- come from the registry. Methods in place (`exp_`) are described by the plain ones (`exp`).
local core = require "moonglass.core"

local registered = {}

-- By family: the class of its objects, what one is called, the alias of its names.
local families = {
  {family = "layers", class = "Layer", noun = "layer"},
  {family = "losses", class = "Loss", noun = "loss"},
  {family = "optimizers", class = "Optimizer", noun = "optimizer"},
  {family = "activations", class = "Activation"},
  {family = "inits", class = "Init"},
}

-- "salt_pepper_noise" -> "SaltPepperNoise"
local function class_of(name) return (("_" .. name):gsub("_(%l)", string.upper)) end

local function new_block(fields)
  fields.file, fields.line = "the registry", 0
  fields.doc, fields.tags = fields.doc or {}, fields.tags or {}
  return fields
end

-- ---- one option ----

local types = {number = "number", count = "integer", flag = "boolean", text = "string", range = "number[]",
  layer = "moonglass.Layer"}

local function quoted(choices)
  local list = {}
  for i, choice in ipairs(choices) do list[i] = ("%q"):format(choice) end
  return table.concat(list, "|")
end

-- A text's type: an alias of the same choices, or the choices.
local function type_of(option, aliases)
  if option.kind ~= "text" then return types[option.kind] end
  local text = option.choices and quoted(option.choices)
  return text and (aliases[text] or text) or "string"
end

local function number_text(value) return (("%.14g"):format(value):gsub("e([-+])0+", "e%1")) end

local function default_text(option)
  local value = option.default
  if type(value) == "number" then return number_text(value) end
  if type(value) == "string" then return ("%q"):format(value) end
  return value ~= nil and tostring(value) or nil
end

local unbounded = 1e9 -- of a count, which is only kept from overflowing

-- "at least 0 and below 1", "0 to 1", "above 0"; nil without bounds.
local function bounds_text(option)
  local low, high = option.low, option.high
  if high and high >= unbounded then high = nil end
  if low and high and not (option.open_low or option.open_high) then
    return ("%s to %s"):format(number_text(low), number_text(high))
  end
  local parts = {}
  if low then parts[1] = (option.open_low and "above " or "at least ") .. number_text(low) end
  if high then parts[#parts + 1] = (option.open_high and "below " or "at most ") .. number_text(high) end
  return #parts > 0 and table.concat(parts, " and ") or nil
end

-- "default 0.9, at least 0 and below 1: decay rate ..."; first, what stands before the bounds, may be nil.
local function words_of(option, first)
  local parts = {first}
  parts[#parts + 1] = bounds_text(option)
  return #parts > 0 and table.concat(parts, ", ") .. ": " .. option.help or option.help
end

local function described(option)
  local default = default_text(option)
  return words_of(option, option.required and "required" or default and "default " .. default or nil)
end

-- ---- constructors ----

local function find(blocks, path)
  for _, block in ipairs(blocks) do
    if block.path == path then return block end
  end
end

-- The names of a block's arguments.
local function arguments_of(block)
  local list = {}
  for name in block.arguments:gmatch("[^,%s]+") do list[#list + 1] = name end
  return list
end

-- The options' class; all may be missing there, for those that are given by place are not in the table.
local function options_class(name, options, aliases)
  local class = ("moonglass.%sOptions"):format(class_of(name))
  local block = new_block{doc = {("Options of `moon.%s`."):format(name)}, tags = {"class " .. class}, class = class,
    name = class:match("%w+$")}
  for _, o in ipairs(options) do
    table.insert(block.tags, ("field %s %s? %s"):format(o.name, type_of(o, aliases), described(o)))
  end
  return block
end

local function first_sentence(doc)
  local text = table.concat(doc, "\n")
  return text:match("^(.-%.)%f[%s\0]") or text
end

-- A layer's class: what its constructor gives, with the fields that the block names.
local function layer_class(name, block, base)
  local class = ("moonglass.%s"):format(class_of(name))
  local result = new_block{doc = {first_sentence(block.doc)}, class = class, name = class_of(name),
    tags = {("class %s: moonglass.%s, %sOptions"):format(class, base, class)}}
  for _, tag in ipairs(block.tags) do
    if tag:find("^field") then table.insert(result.tags, tag) end
  end
  return result
end

-- Arguments by place in the order of the options, then the table of the others.
local function add_params(block, options, class, aliases)
  local names, tags, by_place = arguments_of(block), {}, {}
  for _, o in ipairs(options) do
    if o.positional then by_place[#by_place + 1] = o end
  end
  for i, name in ipairs(names) do
    local o = by_place[i]
    tags[i] = o and ("param %s %s%s %s"):format(name, type_of(o, aliases), o.required and "" or "?", words_of(o))
      or ("param %s %s?"):format(name, class)
  end
  if #names ~= #by_place + (#options > #by_place and 1 or 0) then
    error(("%s:%d: %s takes other arguments than its options by place"):format(block.file, block.line, block.path), 0)
  end
  block.tags = tags
  return #by_place > 0
end

-- A constructor whose words nobody has written: interface_spec says so.
local function without_words(name, options)
  local names, others = {}, false
  for _, o in ipairs(options) do
    if o.positional then names[#names + 1] = o.name else others = true end
  end
  if others then names[#names + 1] = "options" end
  return new_block{path = "moon." .. name, arguments = table.concat(names, ", ")}
end

local function complete_constructor(blocks, f, name, aliases)
  local options = core.options(f.family, name)
  local block = find(blocks, "moon." .. name)
  if not block then
    block = without_words(name, options)
    table.insert(blocks, block)
  end
  local added, result = {options_class(name, options, aliases)}, "moonglass." .. f.class
  if f.family == "layers" then
    table.insert(added, 1, layer_class(name, block, f.class))
    result = added[1].class
  end
  local by_place = add_params(block, options, added[#added].class, aliases)
  table.insert(block.tags, ("return %s %s"):format(result, f.noun))
  if by_place then
    table.insert(block.tags, ("overload fun(options: %s): %s"):format(added[#added].class, result))
  end
  return block, added
end

-- ---- a family ----

local function joined(list) return (table.concat(list, ", "):gsub(", ([^,]*)$", " and %1")) end

-- The options of all kinds of a family by name, in order: {name, option = the first kind's, kinds = by help, order}.
local function all_options(f)
  local list = {}
  for _, kind in ipairs(core.registered(f.family)) do
    for _, o in ipairs(core.options(f.family, kind)) do
      if not list[o.name] then
        list[o.name] = {option = o, count = 0, helps = {}}
        list[#list + 1] = list[o.name]
      end
      local entry = list[o.name]
      entry.count = entry.count + 1
      if not entry.helps[o.help] then
        entry.helps[o.help] = {}
        table.insert(entry.helps, o.help)
      end
      table.insert(entry.helps[o.help], kind)
    end
  end
  return list
end

-- The options of losses and of optimisers are fields of their one class: which kinds have it, may it be set.
local function add_fields(blocks, f, aliases)
  local class
  for _, block in ipairs(blocks) do
    if block.class == "moonglass." .. f.class and #block.doc > 0 then class = block end
  end
  local kinds = #core.registered(f.family)
  for _, entry in ipairs(all_options(f)) do
    local parts = {}
    for i, help in ipairs(entry.helps) do
      parts[i] = entry.count < kinds and ("of %s: %s"):format(joined(entry.helps[help]), help) or help
    end
    if entry.option.settable then parts[#parts + 1] = "may be set" end
    table.insert(class.tags, ("field %s %s %s"):format(entry.option.name, type_of(entry.option, aliases),
      table.concat(parts, "; ")))
  end
end

-- All names of a family. The losses' other names are known from the message about one that is unknown.
local function names_of(f)
  if f.family ~= "losses" then return core.registered(f.family) end
  local _, message = pcall(core.loss, "no loss")
  local list = {}
  for name in message:match("%(known: (.*)%)"):gmatch("[%w_]+") do list[#list + 1] = name end
  return list
end

local function alias_of(f)
  local block = new_block{alias = ("moonglass.%sName"):format(f.class)}
  block.tags[1] = "alias " .. block.alias
  for _, name in ipairs(names_of(f)) do table.insert(block.tags, ("| %q"):format(name)) end
  return block
end

-- ---- in place ----

-- "Tensor:exp_", where the core has such a method and no block describes it.
local function add_in_place(blocks)
  local methods, list = core.methods["moonglass.tensor"], {}
  for _, block in ipairs(blocks) do
    list[#list + 1] = block
    local name = block.path and block.path:match("^Tensor:(.*[^_])$")
    if name and methods[name .. "_"] and not find(blocks, block.path .. "_") then
      local tags = {}
      for _, tag in ipairs(block.tags) do
        if tag:find("^param") then tags[#tags + 1] = tag end
      end
      tags[#tags + 1] = "return moonglass.Tensor self"
      list[#list + 1] = new_block{path = block.path .. "_", arguments = block.arguments, file = block.file,
        doc = {("`%s` in place. A uint8 tensor raises."):format(name)}, tags = tags}
    end
  end
  return list
end

-- ---- all ----

-- {['"mean"|"sum"'] = "moonglass.Reduction"}
local function find_aliases(blocks)
  local aliases = {}
  for _, f in ipairs(families) do
    aliases[quoted(core.registered(f.family))] = ("moonglass.%sName"):format(f.class)
  end
  for _, block in ipairs(blocks) do
    for _, tag in ipairs(block.alias and block.tags or {}) do
      local name, text = tag:match("^alias ([%w_.]+)%s+(.+)$")
      if name then aliases[text] = name end
    end
  end
  return aliases
end

--- The blocks with what the registry adds to them.
function registered.add(blocks)
  local aliases, before = find_aliases(blocks), {}
  for _, f in ipairs(families) do
    for _, name in ipairs(f.noun and core.registered(f.family) or {}) do
      local block, added = complete_constructor(blocks, f, name, aliases)
      before[block] = added
    end
    if f.noun and f.family ~= "layers" then add_fields(blocks, f, aliases) end
  end
  local list = {}
  for _, f in ipairs(families) do list[#list + 1] = alias_of(f) end
  for _, block in ipairs(blocks) do
    for _, added in ipairs(before[block] or {}) do
      added.file = block.file
      list[#list + 1] = added
    end
    list[#list + 1] = block
  end
  return add_in_place(list)
end

return registered
