--- What functions on tensors ask of their arguments. `what` is the function and `name` the argument, for messages.
local errors = require "moonglass.errors"
local native = require "moonglass.native"
local options = require "moonglass.options"

local checks = {}

-- A value in a message: a tensor by its shape.
local function show(v) return native.is_tensor(v) and native.shape_text(v) or options.show(v) end

--- A tensor with elements; of that rank, if one is given.
function checks.tensor(what, name, t, rank)
  if not native.is_tensor(t) then errors.raise("%s: %s is %s, expected a tensor", what, name, options.show(t)) end
  if t:numel() == 0 then errors.raise("%s: %s is %s, which is empty", what, name, show(t)) end
  if rank and t:rank() ~= rank then
    errors.raise("%s: %s is %s, expected %d dimension%s", what, name, show(t), rank, rank == 1 and "" or "s")
  end
end

--- At least one row; of that width, if one is given.
function checks.rows(what, name, t, width)
  checks.tensor(what, name, t)
  if t:rank() ~= 2 or (width and t:size(2) ~= width) then
    errors.raise("%s: %s is %s, expected [rows x %s]", what, name, show(t), width or "width")
  end
end

--- A class number for each of the rows.
function checks.labels(what, labels, rows)
  if not native.is_tensor(labels) or labels:rank() ~= 1 or #labels ~= rows then
    errors.raise("%s: labels is %s, expected class numbers [%d]", what, show(labels), rows)
  end
end

--- Two tensors of one shape.
function checks.same_shape(what, a_name, a, b_name, b)
  local same = a:rank() == b:rank()
  for i = 1, same and a:rank() or 0 do same = same and a:size(i) == b:size(i) end
  if not same then
    errors.raise("%s: %s is %s and %s %s, expected the same shape", what, a_name, show(a), b_name, show(b))
  end
end

--- Bytes as the floats that they count as, value/255; floats as they are.
function checks.fractions(t) return t.dtype == "uint8" and t / 255 or t end

return checks
