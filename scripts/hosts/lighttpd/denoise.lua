-- A request to /denoise, as mod_magnet runs it: what is returned is the status.
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

-- Not all of the body is there yet: 0 sends the request on, and this script runs again when it is.
if not r.req_body.collect then return 0 end

-- What lighttpd 1.4.69 gives begins with whatever else came in the same packet, the header of the request for one: the
-- body is the end of it. Other versions give the body alone.
local length = r.req_body.len
local body = length > 0 and r.req_body.get:sub(-length) or ""

local png, message = require("denoiser").denoise(body)
if not png then return answer(400, "text/plain", "denoise: " .. message .. "\n") end
return answer(200, "image/png", png)
