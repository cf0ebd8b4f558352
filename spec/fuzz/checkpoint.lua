-- Called by checkpoint.c for a file. A checkpoint that is read can be written, read again, and trained on.
local moon = require "moonglass"

local rewritten = os.tmpname()
local cleaner = setmetatable({}, {__gc = function() os.remove(rewritten) end})

local function expect_texts(what, message, code)
  assert(type(message) == "string" and #message > 0, what .. ": no message")
  assert(code == "format" or code == "I/O", what .. ": code " .. tostring(code))
end

local function round_trip(c)
  assert(moon.checkpoint.save(rewritten, c))
  local again = assert(moon.checkpoint.load(rewritten))
  assert(again.epoch == c.epoch and again.seed == c.seed and (again.opt == nil) == (c.opt == nil))
  assert((again.history == nil) == (c.history == nil))
end

-- It may be refused with a message, but must not damage anything.
local function train(c)
  local width = c.net:inputs()
  if width == 0 or width > 1000 then return end
  local x = moon.zeros(4, width)
  local callbacks = {moon.callbacks.early_stopping{monitor = "loss", patience = 1, restore_best = true}}
  local ok, message = pcall(c.net.fit, c.net, x, {
    loss = "mse", epochs = (c.epoch or 0) + 2, batch_size = 2, resume = c, callbacks = callbacks, on_nan = "ignore",
  })
  assert(ok or type(message) == "string")
  if ok and c.history then assert(tostring(c.history)) end
end

return function(path)
  assert(cleaner)
  local c, message, code = moon.checkpoint.load(path)
  if not c then return expect_texts("load", message, code) end
  if math.type(c.epoch) ~= "integer" then error("epoch is " .. tostring(c.epoch)) end
  round_trip(c)
  train(c)
end
