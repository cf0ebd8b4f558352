--- What any room gives away: the net as a file. The room itself writes the script (script.lua).
--   export.net(host, room, what) -> {name =, type =, base64 =}, or nil if `what` is no file of a net
local moon = require "moonglass"

local export = {}

local writers = {
  safetensors = {"application/octet-stream", function(net) return net:bytes() end},
  onnx = {"application/octet-stream", moon.onnx.encode},
}

function export.net(host, room, what)
  local writer = writers[what]
  if not writer then return nil end
  local bytes, message = writer[2](room.trainer.net)
  if not bytes then error(message, 0) end
  return {name = room.kind .. "." .. what, type = writer[1], base64 = host.base64(bytes)}
end

return export
