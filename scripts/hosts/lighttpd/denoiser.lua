--- The net, and what it does: PNG in, PNG out. It knows nothing of the server.
-- mod_magnet runs denoise.lua for each request, in one Lua state; `require` gives it this module, and in it the net,
-- which the first request loads.
local moon = require "moonglass"

local denoiser = {}

local side = 28

-- A PNG of a few kilobytes may unpack to as many megabytes, so the memory of a request is limited.
moon.limits{memory = 32 << 20}

local path = assert(os.getenv("MOONGLASS_NET"), "the environment variable MOONGLASS_NET names no net")
local net = assert(moon.load(path))

local function shape_of(t)
  return t:rank() == 2 and ("%d x %d"):format(t:size(2), t:size(1))
    or ("%d x %d in %d channels"):format(t:size(2), t:size(1), t:size(3))
end

--- A PNG of 28 x 28 pixels in shades of grey -> a PNG of the same size | nil, message: what is wrong with it.
function denoiser.denoise(bytes)
  local ok, image, message = pcall(moon.png.decode, bytes)
  if not ok then -- running out of memory is the picture's fault here; whatever else is raised is not
    if not tostring(image):find("out of memory", 1, true) then error(image, 0) end
    return nil, image
  end
  if not image then return nil, message end
  if image:rank() ~= 2 or image:size(1) ~= side or image:size(2) ~= side then
    return nil, ("the image is %s, expected %d x %d in shades of grey"):format(shape_of(image), side, side)
  end
  local clean = net:reconstruct(image:reshape(1, side * side))
  return moon.png.encode(clean:reshape(side, side))
end

return denoiser
