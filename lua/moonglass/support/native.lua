--- Tests for the core's objects: native.is_tensor(v), is_layer, is_loss, is_optimizer, is_net, is_dataset, is_source.
local native = {}

--- Is v a userdata of the class "moonglass.tensor" and so on?
function native.is(v, name)
  if type(v) ~= "userdata" then return false end
  local meta = getmetatable(v)
  return type(meta) == "table" and rawget(meta, "__name") == name
end

for noun, name in pairs{
  tensor = "moonglass.tensor", layer = "moonglass.layer", loss = "moonglass.loss",
  optimizer = "moonglass.optimizer", net = "moonglass.net", dataset = "moonglass.dataset", source = "moonglass.source",
} do
  native["is_" .. noun] = function(v) return native.is(v, name) end
end

--- "[32 x 784] uint8" for a tensor.
function native.shape_text(t)
  local text = "[" .. table.concat(t.shape, " x ") .. "]"
  return t.dtype == "float32" and text or text .. " " .. t.dtype
end

return native
