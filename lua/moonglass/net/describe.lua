--- Layers in words, for messages and summaries.
local core = require "moonglass.core"
local native = require "moonglass.support.native"

local describe = {}

--- The widths of a native layer's input and output: those of a net of it alone; 0 where any width fits.
function describe.widths(layer)
  local net = core.net{layer}
  return net:inputs() or 0, net:outputs() or 0
end

--- The width behind a native layer that takes rows of `width`.
function describe.width_after(layer, width)
  local _, outputs = describe.widths(layer)
  return outputs > 0 and outputs or width
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
