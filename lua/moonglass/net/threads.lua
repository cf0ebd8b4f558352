--- fit's option threads: the number of threads during the call. The number before comes back however the call ends.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"

local threads = {}

-- The running fits with their own threads, oldest first; each remembers the number before it. In coroutines they may
-- end in any order.
local running = {}

local function restore(own)
  local i = 1
  while running[i] ~= own do i = i + 1 end
  local younger = running[i + 1]
  if younger then younger.before = own.before else core.set_threads(own.before) end
  table.remove(running, i)
end

local function with_fit(text) return "fit: " .. text end

--- Sets the number; nil leaves it. Returns a value to close.
function threads.set_for_fit(n)
  if not n then return nil end
  local before = core.info().threads
  errors.guard_by(with_fit, nil, nil, core.set_threads, n)
  local own = setmetatable({before = before}, {__close = restore})
  running[#running + 1] = own
  return own
end

return threads
