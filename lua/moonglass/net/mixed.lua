--- Nets with layers written in Lua: the methods of a native net, which run layer by layer from Lua.
-- A layer in Lua is a table with the methods forward(x, training) -> y and backward(dy) -> dx. Optional are the methods
-- parameters() -> list of {name=, value=, grad=}, penalty() -> number, seed(n), clone(), state() and load_state(t), and
-- the field name.
local arity = require "moonglass.support.arity"
local branching = require "moonglass.net.branching"
local core = require "moonglass.core"
local describe = require "moonglass.net.describe"
local errors = require "moonglass.support.errors"
local halves = require "moonglass.net.halves"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

local mixed = {}

-- loss and optimizer are set by fit; shares is set in a slice.
local Mixed = options.strict({__name = "moonglass.mixed_net", loss = false, optimizer = false, shares = false}, "net")

for name, method in pairs(require "moonglass.net.methods") do Mixed[name] = method end

local strict_index = Mixed.__index

local function is_trained(net)
  for _, parameter in ipairs(net:parameters()) do
    if parameter.trainable ~= false then return true end
  end
  return false
end

function Mixed.__index(net, name)
  if name == "trainable" then return is_trained(net) end
  return strict_index(net, name)
end

-- trainable is a field of the layers; a layer in Lua is a table, which keeps it.
function Mixed.__newindex(net, name, v)
  if name ~= "trainable" then return rawset(net, name, v) end
  if type(v) ~= "boolean" then errors.raise("net: trainable is %s, expected true or false", options.show(v)) end
  for _, layer in ipairs(net.layers) do layer.trainable = v end
end

local function check_parameters(layer, i)
  for _, parameter in ipairs(layer:parameters()) do
    if parameter.shared then
      errors.raise("sequential: layer %d (%s) has tied weights, which only nets of native layers can have", i,
        describe.layer(layer))
    end
  end
end

-- The place of an earlier layer that is the same as layer i; nil if there is none.
local function first_place(layers, i)
  for k = 1, i - 1 do
    if rawequal(layers[k], layers[i]) or (native.is_layer(layers[k]) and layers[k] == layers[i]) then return k end
  end
end

-- A layer in a second place becomes a copy, so that it has its own noise. A layer with parameters would need the sum of
-- two gradients, and a layer in Lua can remember only one forward.
local function again(layer, i, k)
  if not native.is_layer(layer) or #layer:parameters() > 0 then
    errors.raise("sequential: layer %d is layer %d again, which only nets of native layers can have", i, k)
  end
  local copy = core.net{layer}:clone():layer(1)
  copy:seed(core.draw_seed())
  return copy
end

-- layers: native ones and tables. Each native layer runs as its own net, a cell.
local function new(layers)
  local self, branches = setmetatable({layers = {}, cells = {}}, Mixed), false
  for i, layer in ipairs(layers) do
    local k = first_place(layers, i)
    if k then layer = again(layer, i, k) end
    if native.is_layer(layer) then check_parameters(layer, i) end
    self.layers[i] = layer
    self.cells[i] = native.is_layer(layer) and core.net{layer} or layer
    branches = branches or branching.is(layer)
  end
  if branches then branching.check_apart(layers) end
  return self
end

--- A net of layers: a native net if they all are native.
function mixed.compose(layers)
  for _, layer in ipairs(layers) do
    if not branching.is_native(layer) then return new((branching.collapse(layers))) end
  end
  return errors.guard(core.net, branching.expand(layers))
end

function mixed.is_mixed(v) return getmetatable(v) == Mixed end

-- ---- forward and backward ----

local function in_layer(text, net, i)
  local words = ("in layer %d (%s): "):format(i, describe.layer(net.layers[i]))
  return errors.prefix(words, (text:gsub("in layer 1 %b(): ", "", 1)))
end

-- cells[i]:method(...); an error says which layer it was.
local function call(net, i, method, ...)
  local cell = net.cells[i]
  return errors.guard_by(in_layer, net, i, cell[method], cell, ...)
end

local function walk(net, i, method, x, training)
  local y = call(net, i, method, x, training)
  if not native.is_tensor(y) then
    errors.raise("in layer %d (%s): %s gave %s, expected a tensor", i, describe.layer(net.layers[i]), method,
      options.show(y))
  end
  return y
end

-- Bytes count as value/255.
local function as_input(x)
  if not native.is_tensor(x) then errors.raise("net: input is %s, expected a tensor", options.show(x)) end
  return x.dtype == "uint8" and x:float() / 255 or x
end

function Mixed:forward(x, training)
  local y = as_input(x)
  for i = 1, #self.cells do y = walk(self, i, "forward", y, training or false) end
  return y
end

function Mixed:backward(dy)
  for i = #self.cells, 1, -1 do dy = walk(self, i, "backward", dy) end
  return dy
end

--- The penalties of the last forward.
function Mixed:penalty()
  local sum = 0
  for i, cell in ipairs(self.cells) do
    if cell.penalty then sum = sum + call(self, i, "penalty") end
  end
  return sum
end

--- What native layers keep beside their parameters, named likewise.
function Mixed:buffers()
  local list = {}
  for i, layer in ipairs(self.layers) do
    for _, buffer in ipairs(native.is_layer(layer) and layer:buffers() or {}) do
      list[#list + 1] = {name = ("%d.%s"):format(i, buffer.name), value = buffer.value}
    end
  end
  return list
end

--- The names are those of a native net: "1.weight" is in layer 1.
function Mixed:parameters()
  local list = {}
  for i, layer in ipairs(self.layers) do
    for _, parameter in ipairs(layer.parameters and layer:parameters() or {}) do
      local frozen = parameter.trainable == false or layer.trainable == false
      list[#list + 1] = {name = ("%d.%s"):format(i, parameter.name), value = parameter.value, grad = parameter.grad,
        trainable = not frozen and nil} -- false or nil
    end
  end
  return list
end

--- Restarts the noise of each layer, each with its own seed.
function Mixed:seed(n)
  for i, cell in ipairs(self.cells) do
    if cell.seed then call(self, i, "seed", n + i) end
  end
end

-- ---- predict ----

---Options of methods that process rows in batches.
---@class moonglass.BatchOptions
---@field batch_size integer? rows at a time; the results do not depend on it
local predict_options = options.checker("predict", {batch_size = {"count", 256}})

function Mixed:predict(x, given)
  local batch = predict_options(given).batch_size
  local n = (native.is_tensor(x) or native.is_source(x)) and #x or 0
  if n == 0 then return self:forward(x, false) end
  local y
  for first = 1, n, batch do
    local last = math.min(first + batch - 1, n)
    local part = self:forward(rows.batch(x, first, last - first + 1), false)
    if not y then
      local shape = part.shape
      y = core.zeros(n, table.unpack(shape, 2))
    end
    y:rows(first, last):copy_(part)
  end
  return y
end

--- The mean squared difference of output and input for each row: [rows x in] -> [rows].
function Mixed:errors(x, given)
  if native.is_source(x) then
    local all = core.zeros(#x)
    for first, part in rows.each(x, predict_options(given).batch_size) do
      all:rows(first, first + #part - 1):copy_(self:errors(part))
    end
    return all
  end
  local y = self:predict(x, given)
  return (y - as_input(x)):square():mean(2)
end

-- ---- structure ----

function Mixed:layer(i) return self.layers[i] end

function Mixed:__len() return #self.layers end

function Mixed:__tostring()
  local names = {}
  for i, layer in ipairs(self.layers) do names[i] = describe.layer(layer) end
  return "net (" .. table.concat(names, ", ") .. ")" .. (self.shares and ", sharing " .. self.shares or "")
end

--- Layers i to j as a net that shares the parameters; a native net if they all are native.
function Mixed:slice(i, j)
  if not (math.tointeger(i) and math.tointeger(j)) or i < 1 or j < i or j > #self.layers then
    errors.raise("slice: layers %s to %s, expected 1 to %d", tostring(i), tostring(j), #self.layers)
  end
  local slice = mixed.compose(table.move(self.layers, i, j, 1, {}))
  slice.shares = ("layers %d to %d of another net"):format(i, j)
  return slice
end

-- A copy of layer i, and of its cell. A layer in Lua is copied by its method clone, a native one with the state of its
-- noise.
local function clone_layer(net, i)
  local layer, cell = net.layers[i], net.cells[i]
  if native.is_layer(layer) then
    local copy = cell:clone()
    return copy:layer(1), copy
  end
  if type(layer.clone) ~= "function" then
    errors.raise("clone: layer %d (%s) is written in Lua and has no method clone, expected one that gives a copy", i,
      describe.layer(layer))
  end
  local copy = call(net, i, "clone")
  if type(copy) ~= "table" or type(copy.forward) ~= "function" or type(copy.backward) ~= "function" then
    errors.raise("in layer %d (%s): clone gave %s, expected a layer: a table with forward and backward", i,
      describe.layer(layer), options.show(copy))
  end
  if rawequal(copy, layer) then
    errors.raise("in layer %d (%s): clone gave the layer itself, expected a copy", i, describe.layer(layer))
  end
  return copy, copy
end

--- A net with copies of all layers.
function Mixed:clone()
  local copy = setmetatable({layers = {}, cells = {}, loss = rawget(self, "loss")}, Mixed)
  for i = 1, #self.layers do copy.layers[i], copy.cells[i] = clone_layer(self, i) end
  local encoder = rawget(self, "encoder")
  return encoder and halves.adopt(copy, #encoder) or copy
end

local function width(cell, method) return native.is_net(cell) and cell[method](cell) or 0 end

--- The widths of input and output; 0 if unknown.
function Mixed:inputs() return width(self.cells[1], "inputs") end
function Mixed:outputs() return width(self.cells[#self.cells], "outputs") end

for name, method in pairs(require "moonglass.net.mixed_files") do Mixed[name] = method end

arity.check_class(Mixed)

return mixed
