--- The room's events: what is sent, when, and how often.
local moon = require "moonglass"
local principal = require "playground.autoencoder.principal"

local panels = {}

local names = {"digits", "code", "drawing", "filters", "map", "map_before", "density", "memory", "pca",
  "samples"}
panels.names = names

local events = {}
for _, name in ipairs(names) do events[name] = require("playground.autoencoder." .. name) end

-- What an event depends on: counters of the view; and, but for those that are still, the weights.
local depends = {digits = "shown", pca = "shown", code = "looked_at", drawing = "looked_at", map_before = "kinds",
  samples = "samples"}
local still = {map_before = true}

-- Events that cost more, or have more bytes. At most one is in a frame, and while the net trains each comes only so
-- often.
local heavy = {filters = true, map = true, map_before = true, density = true, pca = true, memory = true}
local pause = 0.2 -- seconds

local Panels = {}
Panels.__index = Panels

-- Changes whenever the event would be another one.
local function stamp(room, name)
  local t, counter = room.trainer, depends[name]
  local seen = counter and room.view[counter] or 0
  return still[name] and seen or ("%d %d %d %d"):format(room.made, t.epoch, t.batch, seen)
end

local function is_due(self, room, name, now)
  if not room.running then return true end
  return now - (self.at[name] or -math.huge) >= pause
end

-- The heavy event that has waited longest, of those whose time has come; and whether others wait.
local function choose_heavy(self, room, stale, now)
  local chosen, others = nil, false
  for _, name in ipairs(names) do
    if heavy[name] and stale[name] then
      local is_older = not chosen or (self.at[name] or 0) < (self.at[chosen] or 0)
      others = others or chosen ~= nil or not is_due(self, room, name, now)
      if is_due(self, room, name, now) and is_older then chosen = name end
    end
  end
  return chosen, others
end

local function send_one(self, room, name, send, now)
  self.sent[name], self.at[name] = stamp(room, name), now
  send(name, events[name](room.look))
end

---Computes what would make a frame long, outside of it: frames come the rarer, the longer they take. All else that is
---watched is sent once before.
function Panels:prepare(room, watched)
  if not watched.pca then return end
  for _, name in ipairs(names) do
    if name ~= "pca" and watched[name] and not self.at[name] then return end
  end
  principal(room.look)
end

---Sends what is watched and has changed. all: also what has not changed.
---@return boolean more does something still wait for its turn?
function Panels:frame(room, send, watched, all)
  local now, stale = self.clock(), {}
  if all then self.sent = {} end
  room.look:refresh()
  for _, name in ipairs(names) do stale[name] = watched[name] and self.sent[name] ~= stamp(room, name) end
  local chosen, others = choose_heavy(self, room, stale, now)
  for _, name in ipairs(names) do
    if stale[name] and (not heavy[name] or name == chosen) then send_one(self, room, name, send, now) end
  end
  return others
end

---@param clock function seconds
function panels.new(clock) return setmetatable({clock = clock or moon.clock, sent = {}, at = {}}, Panels) end

return panels
