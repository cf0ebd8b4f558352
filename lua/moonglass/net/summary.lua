--- A net as a table: layers, output shapes, parameters.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local native = require "moonglass.support.native"

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

-- Rows of texts as lines, each column as wide as its widest text; the last column is flush right.
local function align(rows)
  local wide = {}
  for _, row in ipairs(rows) do
    for c, text in ipairs(row) do wide[c] = math.max(wide[c] or 0, #text) end
  end
  local lines = {}
  for r, row in ipairs(rows) do
    local cells = {}
    for c, text in ipairs(row) do
      local space = (" "):rep(wide[c] - #text)
      cells[c] = c == #row and space .. text or text .. space
    end
    lines[r] = table.concat(cells, "  ")
  end
  return lines
end

--- METHOD net:summary() -> text
function summary.of(net)
  checks.net("summary", net)
  local rows = {{"", "layer", "output", "parameters"}}
  local width = net:inputs() > 0 and net:inputs() or "?"
  for i = 1, #net do
    local layer = net:layer(i)
    width = width_after(layer, width)
    local name = native.is_layer(layer) and tostring(layer) or summary.describe(layer)
    rows[i + 1] = {tostring(i), name, ("[* x %s]"):format(width), summary.number(own_count(layer))}
  end
  local lines, total = align(rows), count(net:parameters())
  lines[#lines + 1] = ("%s parameters, %s bytes"):format(summary.number(total), summary.number(4 * total))
  if net.shares then lines[#lines] = lines[#lines] .. ", sharing " .. net.shares end
  return table.concat(lines, "\n")
end

return summary
