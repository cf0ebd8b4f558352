--- A net as a table: layers, output shapes, parameters.
local core = require "moonglass.core"
local native = require "moonglass.native"

local summary = {}

-- A native layer's widths are those of a net of it alone; 0 where any width does.
local function widths(layer)
  local net = core.net{layer}
  return net:inputs() or 0, net:outputs() or 0
end

--- "dense 784->128", "dropout"; a layer written in Lua by its name, if it has one.
function summary.describe(layer)
  if not native.is_layer(layer) then
    return type(layer.name) == "string" and layer.name or "Lua layer"
  end
  local inputs, outputs = widths(layer)
  if inputs == 0 or outputs == 0 then return layer:kind() end
  return ("%s %d->%d"):format(layer:kind(), inputs, outputs)
end

-- The width after this layer, "?" where it cannot be known.
local function width_after(layer, width)
  if not native.is_layer(layer) then return "?" end
  local _, outputs = widths(layer)
  return outputs > 0 and outputs or width
end

--- 100480 -> "100,480"
function summary.number(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function count(parameters)
  local n = 0
  for _, parameter in ipairs(parameters or {}) do n = n + parameter.value:numel() end
  return n
end

local function parameters_of(layer)
  return type(layer.parameters) == "function" and layer:parameters() or {}
end

-- Parameters that belong to another layer (tied weights) are counted with their owner.
local function own_count(layer)
  local own = {}
  for _, parameter in ipairs(parameters_of(layer)) do
    if not parameter.shared then own[#own + 1] = parameter end
  end
  return count(own)
end

--- METHOD net:summary() -> text
function summary.of(net)
  local lines = {("%-4s%-36s%-14s%14s"):format("", "layer", "output", "parameters")}
  local width = "?"
  for i = 1, #net do
    local layer = net:layer(i)
    width = width_after(layer, width)
    lines[#lines + 1] = ("%-4d%-36s%-14s%14s"):format(i, summary.describe(layer), ("[* x %s]"):format(width),
      summary.number(own_count(layer)))
  end
  local total = count(net:parameters())
  lines[#lines + 1] = ("%s parameters, %s bytes"):format(summary.number(total), summary.number(4 * total))
  return table.concat(lines, "\n")
end

return summary
