--- The noise of a denoising autoencoder, and noisy pictures of it that stay the same from frame to frame.
local moon = require "moonglass"
local script = require "playground.script"

local noise = {}

local makers = {
  gaussian = function(level) return moon.gaussian_noise(level, {clip = {0, 1}}) end,
  masking = moon.masking_noise,
  salt_pepper = moon.salt_pepper_noise,
}

---A noise layer.
---@param kind "gaussian"|"masking"|"salt_pepper"
---@param level number the standard deviation, or the probability that a pixel is spoilt
function noise.layer(kind, level) return makers[kind](level) end

---The constructor's call, as text of a script.
function noise.text(kind, level)
  local clip = kind == "gaussian" and ", {clip = {0, 1}}" or ""
  return ("moon.%s_noise(%s%s)"):format(kind, script.number(level), clip)
end

---The rows with noise: the same draw for the same seed.
---@param rows moonglass.Tensor uint8 [n x 784]
---@return moonglass.Tensor noisy float32 [n x 784]
function noise.spoil(kind, level, seed, rows)
  local layer = noise.layer(kind, level)
  layer:seed(seed)
  return layer:forward(rows:float() / 255, true)
end

return noise
