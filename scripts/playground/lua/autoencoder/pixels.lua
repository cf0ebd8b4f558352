--- Rows from 0 to 1 as grey pixels, and back.
local pixels = {}

---@param rows moonglass.Tensor float32 [n x 784], or bytes, which stay
---@return moonglass.Tensor bytes uint8 [n x 784]
function pixels.bytes(rows)
  if rows.dtype == "uint8" then return rows end
  return rows:clamp(0, 1):mul_(255):byte()
end

---A row by itself, [d] of [1 x d].
function pixels.one(rows) return pixels.bytes(rows):reshape(-1) end

return pixels
