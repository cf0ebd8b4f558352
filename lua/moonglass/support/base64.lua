--- base64(bytes): RFC 4648, for pictures in pages and in the terminal.
local digit = {}
for c in ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):gmatch(".") do digit[#digit + 1] = c end

-- The i-th of the four digits of 24 bits.
local function at(bits, i) return digit[(bits >> (24 - 6 * i) & 63) + 1] end

return function(bytes)
  local out, rest = {}, #bytes % 3
  for i = 1, #bytes - rest, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local bits = a << 16 | b << 8 | c
    out[#out + 1] = at(bits, 1) .. at(bits, 2) .. at(bits, 3) .. at(bits, 4)
  end
  if rest > 0 then
    local a, b = bytes:byte(-rest, -1)
    local bits = a << 16 | (b or 0) << 8
    out[#out + 1] = at(bits, 1) .. at(bits, 2) .. (b and at(bits, 3) or "=") .. "="
  end
  return table.concat(out)
end
