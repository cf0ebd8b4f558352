--- A net as a table: layers, output shapes, parameters.
local checks = require "moonglass.support.checks"
local describe = require "moonglass.net.describe"
local native = require "moonglass.support.native"

---@class moonglass.Net
local Net = {}

-- 100480 -> "100,480"
local function number_text(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function count(parameters)
  local n = 0
  for _, parameter in ipairs(parameters or {}) do n = n + parameter.value:numel() end
  return n
end

local function frozen(parameters)
  local list = {}
  for _, parameter in ipairs(parameters) do
    if parameter.trainable == false then list[#list + 1] = parameter end
  end
  return count(list)
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

---The net as a table of text: layers, output shapes and numbers of parameters, with their total.
---@return string text
function Net:summary()
  checks.net("summary", self)
  local rows = {{"", "layer", "output", "parameters"}}
  local _, widths = describe.all_widths(self)
  for i = 1, #self do
    local layer = self:layer(i)
    local name = native.is_layer(layer) and tostring(layer) or describe.layer(layer)
    local shape = ("[* x %s]"):format(widths[i] > 0 and widths[i] or "?")
    rows[i + 1] = {tostring(i), name, shape, number_text(own_count(layer))}
  end
  local lines, total = align(rows), count(self:parameters())
  lines[#lines + 1] = ("%s parameters, %s bytes"):format(number_text(total), number_text(4 * total))
  local idle = frozen(self:parameters())
  if idle > 0 then lines[#lines] = ("%s, %s frozen"):format(lines[#lines], number_text(idle)) end
  if self.shares then lines[#lines] = lines[#lines] .. ", sharing " .. self.shares end
  return table.concat(lines, "\n")
end

return Net
