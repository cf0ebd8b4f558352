--- Branches with a common input, whose outputs stand side by side. In a native net they are a list of layers: those of
-- the first branch, `branch`, those of the second, `branch`, those of the third, `join` (csrc/engine/net/branches.c).
-- In a net with layers written in Lua they are one layer, an object of the class here.
local arity = require "moonglass.support.arity"
local core = require "moonglass.core"
local describe = require "moonglass.net.describe"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local branching = {}

---Branches as one layer: what `moon.branches` makes.
---@class moonglass.Branches: moonglass.LuaLayer
---@field parts (moonglass.Net|boolean)[] the branches; false: one without layers, which hands on its input
local Branches = options.strict({__name = "moonglass.branches", parts = false, name = false, widths = false},
  "branches")

local find = Branches.__index

-- Is any layer of the branches trained?
function Branches:__index(name)
  if name ~= "trainable" then return find(self, name) end
  for _, part in ipairs(self.parts) do
    if part and part.trainable then return true end
  end
  return false
end

function Branches:__newindex(name, v)
  if name ~= "trainable" then return rawset(self, name, v) end
  if type(v) ~= "boolean" then errors.raise("branches: trainable is %s, expected true or false", options.show(v)) end
  for _, part in ipairs(self.parts) do
    if part then part.trainable = v end
  end
end

--- parts: nets, or false for a branch without layers.
function branching.new(parts)
  return setmetatable({parts = parts, name = ("%d branches"):format(#parts)}, Branches)
end

function branching.is(v) return getmetatable(v) == Branches end

-- ---- as one layer ----

local function in_branch(text, k) return errors.prefix(("in branch %d: "):format(k), text) end

local function call(branches, k, method, ...)
  local part = branches.parts[k]
  return errors.guard_by(in_branch, k, nil, part[method], part, ...)
end

-- The outputs of all branches side by side.
function Branches:forward(x, training)
  local outputs, widths = {}, {}
  for k, part in ipairs(self.parts) do
    outputs[k] = part and call(self, k, "forward", x, training or false) or x
    widths[k] = outputs[k]:size(2)
  end
  self.widths = widths
  return core.cat(outputs, 2)
end

-- The sum of the branches' gradients.
function Branches:backward(dy)
  if not self.widths then errors.raise("branches: backward without a forward before it") end
  local column, dx = 1, nil
  for k, part in ipairs(self.parts) do
    local own = dy:columns(column, column + self.widths[k] - 1)
    local gradient = part and call(self, k, "backward", own) or own
    dx = dx and dx + gradient or gradient
    column = column + self.widths[k]
  end
  return dx
end

-- The penalties of the last forward.
function Branches:penalty()
  local sum = 0
  for k, part in ipairs(self.parts) do sum = sum + (part and call(self, k, "penalty") or 0) end
  return sum
end

-- The parameters of all branches: "2.1.weight" is in layer 1 of branch 2.
function Branches:parameters()
  local list = {}
  for k, part in ipairs(self.parts) do
    for _, parameter in ipairs(part and part:parameters() or {}) do
      parameter.name = ("%d.%s"):format(k, parameter.name)
      list[#list + 1] = parameter
    end
  end
  return list
end

function Branches:seed(seed)
  for k, part in ipairs(self.parts) do
    if part then call(self, k, "seed", seed + 1000 * k) end
  end
end

-- Branches with copies of all layers.
function Branches:clone()
  local parts = {}
  for k, part in ipairs(self.parts) do parts[k] = part and call(self, k, "clone") end
  return branching.new(parts)
end

function Branches:__tostring()
  local names = {}
  for k, part in ipairs(self.parts) do names[k] = part and tostring(part):match("^net (%b())") or "()" end
  return "branches " .. table.concat(names, ", ")
end

arity.check_class(Branches)

-- ---- as a list of native layers ----

--- Could the layer, or the branches, be in a native net?
function branching.is_native(v)
  if not branching.is(v) then return native.is_layer(v) end
  for _, part in ipairs(v.parts) do
    if part and not native.is_net(part) then return false end
  end
  return true
end

-- Appends the layers of native branches to the list.
local function append(list, branches)
  local begin, count = #list, #branches.parts
  for k, part in ipairs(branches.parts) do
    for i = 1, part and #part or 0 do list[#list + 1] = part:layer(i) end
    list[#list + 1] = k < count and core.layer("branch", #list - begin) or core.layer("join", count)
  end
end

--- The layers, with the layers of branches in place of these. All must be native.
function branching.expand(layers)
  local list = {}
  for _, layer in ipairs(layers) do
    if branching.is(layer) then append(list, layer) else list[#list + 1] = layer end
  end
  return list
end

-- ---- in a net with layers in Lua ----

-- visit(layer, unit) for each layer within the branches. Those of one native net are a unit: it adds up the gradients
-- of a layer that it has twice.
local function walk(branches, visit)
  for _, part in ipairs(branches.parts) do
    for i = 1, part and #part or 0 do
      local layer = part:layer(i)
      if branching.is(layer) then walk(layer, visit) else visit(layer, native.is_net(part) and part or layer) end
    end
  end
end

local function has_parameters(layer) return layer.parameters and layer:parameters()[1] ~= nil end

local function same(a, b) return rawequal(a, b) or native.is_layer(a) and native.is_layer(b) and a == b end

-- Is the layer in the unit, or in another one? seen: {layer, unit} each.
local function stands(seen, layer, unit)
  local here, elsewhere = false, false
  for _, s in ipairs(seen) do
    if same(s[1], layer) then
      if rawequal(s[2], unit) then here = true else elsewhere = true end
    end
  end
  return here, elsewhere
end

--- Raises if a layer of branches has its weights elsewhere in the net, too: there their gradients would not be added.
function branching.check_apart(layers)
  local seen, number = {}, nil
  local function add(layer, unit)
    if has_parameters(layer) or not native.is_layer(layer) then seen[#seen + 1] = {layer, unit, number} end
  end
  for i, layer in ipairs(layers) do
    number = i
    if branching.is(layer) then walk(layer, add) else add(layer, layer) end
  end
  for _, s in ipairs(seen) do
    local layer, unit = s[1], s[2]
    local tied = native.is_layer(layer) and layer:kind() == "dense" and layer.tied
    local _, elsewhere = stands(seen, layer, unit)
    if elsewhere or tied and not stands(seen, tied, unit) then
      errors.raise("sequential: layer %d: %s has its weights elsewhere, too, which only nets of native layers can have",
        s[3], describe.layer(layer))
    end
  end
end

-- ---- from native layers ----

local function kind_of(layer) return native.is_layer(layer) and layer:kind() end

-- From native layers, `branch` among them, back to branches: ends are the places of those that belong to one join.
local function collect(layers, first, ends)
  local parts = {}
  for k, last in ipairs(ends) do
    parts[k] = last > first and core.net(table.move(layers, first, last - 1, 1, {}))
    first = last + 1
  end
  return branching.new(parts)
end

-- The places of the branches that the join at `place` ends, and its own. open: those without a join yet; they are
-- taken out.
local function ends_of(layers, open, place)
  local heads = layers[place].heads
  local ends = table.move(open, #open - heads + 2, #open, 1, {})
  for _ = 2, heads do open[#open] = nil end
  ends[heads] = place
  return ends
end

--- The layers, with each join and its branches as one layer; and for each the place where it begins.
function branching.collapse(layers)
  local list, open, begins = {}, {}, {}
  for place, layer in ipairs(layers) do
    list[#list + 1] = layer
    begins[#list] = place
    local kind = kind_of(layer)
    if kind == "branch" then open[#open + 1] = place end
    if kind == "join" then
      local ends = ends_of(layers, open, place)
      local first = ends[1] - layers[ends[1]].back
      while begins[#list] > first do begins[#list], list[#list] = nil, nil end
      list[#list] = collect(layers, first, ends)
    end
  end
  return list, begins
end

local function layers_of(net)
  local list = {}
  for i = 1, #net do list[i] = net:layer(i) end
  return list
end

--- The branches that a net ends with: {first =, last =, net =} each, the columns of the outputs. nil if it does not end
-- with branches, or their widths are not known.
function branching.last(net)
  local layers = branching.collapse(layers_of(net))
  local branches, list, column = layers[#layers], {}, 1
  if not branching.is(branches) then return nil end
  for k, part in ipairs(branches.parts) do
    local width = part and part:outputs() or 0
    if width == 0 then return nil end
    list[k] = {first = column, last = column + width - 1, net = part}
    column = column + width
  end
  return list
end

return branching
