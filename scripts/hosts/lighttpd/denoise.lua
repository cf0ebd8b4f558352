-- A request to /denoise. mod_magnet runs this file, and takes what it returns as the status.
local r = lighty.r -- luacheck: ignore 113

local function answer(status, kind, body)
  r.resp_header["Content-Type"] = kind
  r.resp_body.set(body)
  return status
end

if r.req_attr["request.method"] ~= "POST" then
  r.resp_header["Allow"] = "POST"
  return answer(405, "text/plain", "denoise: expected POST, with a PNG as its body\n")
end

-- The body is not complete yet: return 0, and this script runs again when it is.
if not r.req_body.collect then return 0 end

-- In lighttpd 1.4.69 other bytes of the same packet come first, such as the header of the request: the body is at the
-- end. Other versions give only the body.
local length = r.req_body.len
local body = length > 0 and r.req_body.get:sub(-length) or ""

local png, message = require("denoiser").denoise(body)
if not png then return answer(400, "text/plain", "denoise: " .. message .. "\n") end
return answer(200, "image/png", png)
