--- Dead units, filters and reconstructions, as methods of a run. A unit is dead if its output is 0 for every training
-- row, so that it has no gradient; dead units are counted and crossed out. A filter shows each weight times the
-- deviation of its pixel; grey is 0.
local lettering = require "moonglass.pictures.lettering"
local moon = require "moonglass"

local units = {}

-- The places in the net where the outputs of hidden layers are: those of all dense layers but the last.
local function hidden_layers(net)
  local list = {}
  for i = 1, #net do
    local kind = net:layer(i):kind()
    if kind == "dense" then list[#list + 1] = i end
    if kind == "k_sparse" then list[#list] = i end -- it changes the outputs of the dense layer before it
  end
  list[#list] = nil
  return list
end

-- The place of the code among the hidden layers.
local function code_place(net, layers)
  local last = net:encoder_layers()
  for k = #layers, 1, -1 do
    if layers[k] <= last then return k end
  end
end

-- "the code", or "hidden layer 1" and so on.
local function layer_name(k, code)
  if k == code then return "the code" end
  return ("hidden layer %d"):format(k - (code and k > code and 1 or 0))
end

local function figure_name(where) return where == "the code" and "dead code units" or "dead units of " .. where end

--- The dead units of each hidden layer, the code included, for the rows x: a list of {where = "the code", mask =
-- [units] with 1 for a dead unit, count =}.
function units.dead_layers(net, x)
  local layers, list = hidden_layers(net), {}
  local code, from = code_place(net, layers), 1
  for k, last in ipairs(layers) do
    x = net:slice(from, last):predict(x)
    local mask, count = moon.metrics.dead_units(x)
    list[k], from = {where = layer_name(k, code), mask = mask, count = count}, last + 1
  end
  return list
end

--- The same, reported as figures and a remark. Returns the list of masks. name: of the net, if the script has several.
function units:dead_units(net, x, name)
  local masks, words = {}, {}
  for k, layer in ipairs(units.dead_layers(net, x)) do
    self:figure((name and name .. " " or "") .. figure_name(layer.where), layer.count, "%d")
    masks[k], words[k] = layer.mask, ("%d of %d in %s"):format(layer.count, #layer.mask, layer.where)
  end
  if #words > 0 then
    local of_net = name and " of " .. name or ""
    self:remark("Dead units%s: %s (dead: 0 for all %d rows).", of_net, table.concat(words, ", "), #x)
  end
  return masks
end

--- weights [units x pixels] as a picture with a tile for each unit. dead [units]: 1 for a unit to cross out. what:
-- "units of layer 1". columns: tiles in a line.
function units:filters(weights, dead, what, columns)
  self.deviation = self.deviation or self.train:std(1) -- pixels that are always black train no weight
  local count = dead and math.tointeger(dead:sum()) or 0
  local of_dead = dead and (", %d dead%s"):format(count, count > 0 and " (crossed out)" or "") or ""
  return moon.image.grid(weights * self.deviation, {
    normalize = "signed", scale = 2, columns = columns, crossed = dead,
    title = ("%d %s%s\ngrey 0, white > 0, black < 0"):format(#weights, what, of_dead),
  })
end

--- The caption of such a picture.
units.filters_caption = "A tile is a unit: its weight from each pixel times the pixel's standard deviation, which is "
  .. "what it can contribute. Grey is 0, white positive, black negative; dead units are crossed out. One that is noise "
  .. "is a unit that hardly any image wakes."

--- Pictures side by side, with white between them.
function units.beside(...) return lettering.join({...}, 2, 24) end

local shown = 20

--- Writes reconstructions.png, the first test images above their reconstructions, and filters.png, the weights of each
-- unit of the first dense layer.
function units:pictures_of(net)
  local images = self.test:rows(1, math.min(shown, #self.test))
  local dead = self:dead_units(net, self.train)
  self:picture("reconstructions", moon.image.rows({images, net:predict(images)},
    {scale = 2, titles = {"original", "reconstruction"}}), "Test images, and below each what the net makes of it")
  local first = net:layer(hidden_layers(net)[1])
  self:picture("filters", self:filters(first.weight:t(), dead[1], "units of the first layer"), self.filters_caption)
end

return units
