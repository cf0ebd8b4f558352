--- Layers in words, for messages and summaries.
local core = require "moonglass.core"
local native = require "moonglass.support.native"

local describe = {}

-- Layers that make sense beside others only.
local structures = {branch = true, join = true}

--- The widths of a native layer's input and output: those of a net of it alone; 0 where any width fits.
function describe.widths(layer)
  if structures[layer:kind()] then return 0, 0 end
  local net = core.net{layer}
  return net:inputs() or 0, net:outputs() or 0
end

--- The width behind a native layer that takes rows of `width`.
function describe.width_after(layer, width)
  local _, outputs = describe.widths(layer)
  return outputs > 0 and outputs or width
end

-- The width behind a join: that of all its branches. open: the places of branches without a join yet; ins: the widths
-- of the inputs of all places.
local function joined(layer, open, ins, width)
  for _ = 2, layer.heads do
    local before = ins[table.remove(open)]
    width = width > 0 and before > 0 and width + before or 0
  end
  return width
end

--- For each layer of a net, the width of its input, and that of its output; 0 where it is not known.
function describe.all_widths(net)
  local ins, outs, open, width = {}, {}, {}, net:inputs() or 0
  for i = 1, #net do
    local layer = net:layer(i)
    local kind = native.is_layer(layer) and layer:kind()
    ins[i] = width
    if not kind then
      width = 0
    elseif kind == "branch" then
      open[#open + 1] = i
      width = ins[i - layer.back]
    elseif kind == "join" then
      width = joined(layer, open, ins, width)
    else
      width = describe.width_after(layer, width)
    end
    outs[i] = width
  end
  return ins, outs
end

--- "dense 784->128", "dropout"; a layer written in Lua by its name, if it has one.
function describe.layer(layer)
  if not native.is_layer(layer) then
    return type(layer.name) == "string" and layer.name or "Lua layer"
  end
  local inputs, outputs = describe.widths(layer)
  if inputs == 0 or outputs == 0 then return layer:kind() end
  return ("%s %d->%d"):format(layer:kind(), inputs, outputs)
end

return describe
