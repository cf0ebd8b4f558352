--- Puts what a file holds into a net that was made by the same code. Everything is checked first; then it is put in
-- place, or the net is as it was.
--   local plan = fill.plan(what, net, tensors, metadata)
--   fill.carry_out(plan)
-- Both raise damage (support/damage.lua). what: the function that the user called.
local branching = require "moonglass.net.branching"
local core = require "moonglass.core"
local copies = require("moonglass.net.load").copies
local damage = require "moonglass.support.damage"
local describe = require "moonglass.net.describe"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local own_state = require "moonglass.net.own_state"
local texts = require "moonglass.net.checkpoint.texts"

local fill = {}

--- The version of files of nets with layers in Lua, in the entry "mixed".
fill.version = "1"

-- ---- checking: native layers ----

local function show(v) return type(v) == "table" and "{" .. table.concat(v, ", ") .. "}" or options.show(v) end

-- A layer that is tied to another is compared by tostring(net) only.
local function same(a, b) return native.is_layer(a) or show(a) == show(b) end

-- Option values that the net takes from the file, for those that may be set; any other that differs is an error.
local function compare_options(plan, i, ours, theirs)
  for _, option in ipairs(core.options("layers", ours:kind())) do
    local name = option.name
    if not same(ours[name], theirs[name]) then
      if not option.settable then
        damage.raise("layer %d (%s): %s is %s in the file, and %s in the net", i, describe.layer(ours), name,
          show(theirs[name]), show(ours[name]))
      end
      table.insert(plan.sets, {layer = ours, name = name, value = theirs[name]})
    end
  end
end

local function compare(plan, i, ours, theirs)
  if ours:kind() ~= theirs:kind() then
    damage.raise("layer %d is %s in the file, and %s in the net", i, describe.layer(theirs), describe.layer(ours))
  end
  compare_options(plan, i, ours, theirs)
end

local function add_copies(plan, net, made)
  for _, pair in ipairs(copies(net, made)) do table.insert(plan.copies, pair) end
end

-- complete: was the file written by net:save? Another program's has no metadata.
local function plan_native(plan, net, tensors, metadata, complete)
  if metadata.mixed then damage.raise("the file's net has layers written in Lua, the net has none") end
  if not complete then metadata = select(2, net:archive()) end
  local made, message = core.net_from(tensors, metadata)
  if not made then damage.raise("%s", message) end
  if #made ~= #net then damage.raise("%d layers, and %d in the net", #made, #net) end
  for i = 1, #net do compare(plan, i, net:layer(i), made:layer(i)) end
  add_copies(plan, net, made)
end

-- ---- checking: layers of a net with some in Lua ----

-- Takes the tensors at a place in torch.nn.Sequential out of `left`: by their names without the place. A layer that is
-- no module there has none.
local function take_at(place, modules, left)
  if modules == 0 then return {} end
  local found, prefix = {}, place .. "."
  for name, t in pairs(left) do
    if name:sub(1, #prefix) == prefix then found[name:sub(#prefix + 1)] = t end
  end
  for name in pairs(found) do left[prefix .. name] = nil end
  return found
end

-- The engine speaks of a net of one layer, whose tensors are at place 0.
local function relocated(message, i, place)
  return (message:gsub("^layer 1 ", ("layer %d "):format(i)):gsub("'0%.", ("'%d."):format(place)))
end

-- text: the layer's description in the file; nil in a file that was not written by net:save.
local function plan_layer(plan, net, i, place, found, text)
  local tensors, cell = {}, net.cells[i]
  for name, t in pairs(found) do tensors["0." .. name] = t end
  text = text or select(2, cell:archive()).moonglass
  local made, message = core.net_from(tensors, {moonglass = text})
  if not made then damage.raise("%s", relocated(message, i, place)) end
  if #made ~= 1 then damage.raise("layer %d is %d layers in the file, expected one", i, #made) end
  compare(plan, i, net:layer(i), made:layer(1))
  add_copies(plan, cell, made)
end

-- A tensor of the file in the place of another, ours.
local function fitting(place, name, ours, t)
  local expected = native.shape_text(ours)
  if not t then damage.raise("tensor '%s.%s' %s is missing", place, name, expected) end
  local got = native.shape_text(t)
  if got ~= expected then damage.raise("tensor '%s.%s' is %s, expected %s", place, name, got, expected) end
  return t
end

-- The numbers, texts and booleans of layer i's state in the file.
local function values_at(metadata, i)
  local values, prefix = {}, ("layer.%d.state."):format(i)
  for key, text in pairs(metadata) do
    if key:sub(1, #prefix) == prefix then
      local name, v = key:sub(#prefix + 1), texts.to_value(text)
      if v == nil then damage.raise("%s is %s, expected a number, true, false or a text after '", key, text) end
      values[name] = v
    end
  end
  return values
end

-- One entry of the state, ours, from those of the file.
local function state_entry(at, name, ours, found, values)
  if native.is_tensor(ours) then return fitting(at.place, name, ours, found[name]):clone() end
  local v = values[name]
  if v == nil and not at.complete then return ours end
  if type(v) ~= type(ours) then
    damage.raise("layer %d (%s): %s of its state is %s, expected a %s", at.i, describe.layer(at.layer), name,
      found[name] and "a tensor" or options.show(v), type(ours) == "string" and "text" or type(ours))
  end
  return v
end

-- A state may have more in the file than now: what the layer makes in its first forward. What is left in `found` and
-- `values` afterwards is that.
local function state_for(at, state, found, values)
  local new = {}
  for name, ours in pairs(state) do
    new[name] = state_entry(at, name, ours, found, values)
    found[name], values[name] = nil, nil
  end
  for name, t in pairs(found) do new[name] = t:clone() end
  for name, v in pairs(values) do new[name] = v end
  return new
end

local function check_lua_layer(at, metadata)
  local key = "layer." .. at.i
  local text, name = metadata[key], metadata[key .. ".name"]
  if not at.complete then return end
  if text ~= "lua" then
    damage.raise("layer %d (%s) is written in Lua, and %s in the file", at.i, describe.layer(at.layer),
      text and "native" or "missing")
  end
  local ours = type(at.layer.name) == "string" and at.layer.name or nil
  if name ~= ours then
    damage.raise("layer %d is %s in the file, and %s in the net", at.i, name or "without a name",
      ours or "without a name")
  end
end

local function plan_lua_layer(plan, net, at, found, metadata)
  check_lua_layer(at, metadata)
  local parameters, state = own_state.take(plan.what, net, at.i)
  local values = values_at(metadata, at.i)
  for name, ours in pairs(parameters) do
    table.insert(plan.copies, {ours, fitting(at.place, name, ours, found[name]):clone()})
    if not (state and state[name] ~= nil) then found[name] = nil end
  end
  if state then
    table.insert(plan.states, {net = net, i = at.i, new = state_for(at, state, found, values)})
    return
  end
  local name = next(found) or next(values)
  if name then
    damage.raise("layer %d (%s): '%s' belongs to no parameter, and it has no load_state", at.i,
      describe.layer(at.layer), name)
  end
end

local function check_head(net, metadata)
  if metadata.mixed ~= fill.version then
    damage.raise("a net with layers in Lua of version '%s', expected '%s'", tostring(metadata.mixed), fill.version)
  end
  if metadata.layers ~= tostring(#net) then
    damage.raise("%s layers, and %d in the net", tostring(metadata.layers), #net)
  end
end

-- The description of native layer i in a file that was written by net:save.
local function described(metadata, i, layer)
  local text = metadata["layer." .. i]
  if text == nil or text == "lua" then
    damage.raise("layer %d is %s, and %s in the file", i, describe.layer(layer), text and "written in Lua" or "missing")
  end
  return text
end

local plan_net

local function plan_branches(plan, at, found, metadata)
  local key = ("layer.%d"):format(at.i)
  if at.complete and metadata[key] ~= "branches" then
    damage.raise("layer %d is %s, and %s in the file", at.i, describe.layer(at.layer),
      metadata[key] and "another layer" or "missing")
  end
  for k, part in ipairs(at.layer.parts) do
    local tensors, entries, prefix = take_at(k, 1, found), {}, ("%s.%d."):format(key, k)
    for name, text in pairs(metadata) do
      if name:sub(1, #prefix) == prefix then entries[name:sub(#prefix + 1)] = text end
    end
    if part then
      damage.within(("in branch %d of layer %d: "):format(k, at.i), plan_net, plan, part, tensors, entries, at.complete)
    elseif next(tensors) or next(entries) then
      damage.raise("branch %d of layer %d has layers in the file, and none in the net", k, at.i)
    end
  end
  local name = next(found)
  if name then damage.raise("tensor '%d.%s' belongs to no branch", at.place, name) end
end

-- Plans layer i, whose tensors are taken from `left`. Returns how many modules it is.
local function plan_any(plan, net, at, left, metadata)
  local layer = at.layer
  local is_native = native.is_layer(layer)
  local modules = is_native and core.layer_modules(layer) or 1
  local found = take_at(at.place, modules, left)
  if is_native then
    plan_layer(plan, net, at.i, at.place, found, at.complete and described(metadata, at.i, layer) or nil)
  elseif branching.is(layer) then
    plan_branches(plan, at, found, metadata)
  else
    plan_lua_layer(plan, net, at, found, metadata)
  end
  return modules
end

local function plan_mixed(plan, net, tensors, metadata, complete)
  local left, place = {}, 0
  for name, t in pairs(tensors) do left[name] = t end
  if complete then check_head(net, metadata) end
  for i = 1, #net do
    local at = {i = i, layer = net:layer(i), place = place, complete = complete}
    place = place + plan_any(plan, net, at, left, metadata)
  end
  local name = next(left)
  if name then damage.raise("tensor '%s' belongs to no layer", name) end
end

function plan_net(plan, net, tensors, metadata, complete)
  local f = native.is_net(net) and plan_native or plan_mixed
  f(plan, net, tensors, metadata, complete)
end

--- All that must be done to put the contents of a file into the net. Nothing is changed yet.
function fill.plan(what, net, tensors, metadata)
  local plan = {what = what, copies = {}, sets = {}, states = {}}
  plan_net(plan, net, tensors, metadata, native.is_net(net) or metadata.mixed ~= nil)
  return plan
end

-- ---- carrying out ----

-- Copies for taking back what may be followed by a failure.
local function keep(plan)
  if #plan.sets + #plan.states == 0 then return end
  for _, pair in ipairs(plan.copies) do pair.kept = pair[1]:clone() end
  for _, set in ipairs(plan.sets) do set.kept = set.layer[set.name] end
  for _, entry in ipairs(plan.states) do
    entry.kept = own_state.copy(select(2, own_state.take(plan.what, entry.net, entry.i)))
  end
end

local function put(plan)
  for _, set in ipairs(plan.sets) do
    set.layer[set.name] = set.value
    set.done = true
  end
  for _, pair in ipairs(plan.copies) do pair[1]:copy_(pair[2]) end
  for _, entry in ipairs(plan.states) do
    entry.done = true
    local failure = own_state.give(entry.net, entry.i, entry.new)
    if failure then damage.raise("%s", failure) end
  end
end

local function take_back(plan)
  for _, set in ipairs(plan.sets) do
    if set.done then set.layer[set.name] = set.kept end
  end
  for _, pair in ipairs(plan.copies) do
    if pair.kept then pair[1]:copy_(pair.kept) end
  end
  for _, entry in ipairs(plan.states) do
    if entry.done then own_state.give(entry.net, entry.i, entry.kept) end
  end
end

--- Does it all, or nothing. What a layer's load_state raises is damage of the file.
function fill.carry_out(plan)
  keep(plan)
  local ended = false
  local undo <close> = setmetatable({}, {__close = function() -- luacheck: ignore undo
    if not ended then take_back(plan) end
  end})
  put(plan)
  ended = true
end

return fill
