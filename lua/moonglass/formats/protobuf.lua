--- Messages in the wire format of Protocol Buffers, written field by field; only what onnx.lua needs.
--   local m = protobuf.message():integer(1, 8):bytes(2, "name"):bytes(7, protobuf.message():float(2, 0.5))
--   m.size, m:pieces()
-- A field begins with a varint of its number and its wire type: 0 is a varint, 2 is a length and so many bytes, 5 is
-- four bytes (protobuf.dev, "Encoding").
local protobuf = {}

local Message = {}
Message.__index = Message

function protobuf.message() return setmetatable({size = 0, parts = {}}, Message) end

-- Seven bits per byte, the lowest first; the eighth bit says that more bytes follow. Negative numbers take 64 bits.
local function varint(n)
  local bytes = {}
  while n & ~127 ~= 0 do
    bytes[#bytes + 1] = n & 127 | 128
    n = n >> 7
  end
  bytes[#bytes + 1] = n
  return string.char(table.unpack(bytes))
end

local function append(message, text)
  message.size = message.size + #text
  message.parts[#message.parts + 1] = text
  return message
end

--- A field of type int32, int64 or an enumeration.
function Message:integer(field, n) return append(self, varint(field << 3) .. varint(n)) end

function Message:float(field, x) return append(self, varint(field << 3 | 5) .. string.pack("<f", x)) end

--- A text, bytes, or another message, which must not change afterwards.
function Message:bytes(field, content)
  local nested = type(content) == "table"
  append(self, varint(field << 3 | 2) .. varint(nested and content.size or #content))
  if not nested then return append(self, content) end
  self.size = self.size + content.size
  self.parts[#self.parts + 1] = content
  return self
end

local function gather(message, into)
  for _, part in ipairs(message.parts) do
    if type(part) == "string" then into[#into + 1] = part else gather(part, into) end
  end
  return into
end

--- The message as a list of strings, so that large contents are not copied.
function Message:pieces() return gather(self, {}) end

return protobuf
