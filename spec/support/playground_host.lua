-- The playground's Lua parts without its C host: dofile "spec/support/playground_host.lua". It lets `require` find
-- "playground.session" and its like in scripts/playground/lua, and makes hosts that do what a test tells them.
--   local host = playground.new{data = {...}}     see /scripts/playground/lua/session.lua for its functions
--   host:ask{["do"] = "run"}      carries a command out and returns its answer; raises the words of a refusal
--   host:refusal{...}             the words of a refusal
--   host:turn(n)                  n rounds of the session's loop
--   host:frame()                  the events after a frame: without a change nothing is sent
--   host.events[name]             what was sent last, host.sent[name]: how often
--   host.due_every                training stops after so many calls of due()
--   host:finish()                 ends the session
local files = dofile "spec/support/files.lua"

local playground = {}

local root = "scripts/playground/lua/"

local function path_of(name)
  local inner = name:match "^playground%.(.*)$"
  return inner and root .. inner:gsub("%.", "/") .. ".lua"
end

table.insert(package.searchers, 2, function(name)
  local path = path_of(name)
  return path and files.read_if_there(path) and assert(loadfile(path)) or nil
end)

local ended = {} -- the error that ends a session

local Host = {}
Host.__index = Host

-- ---- what the session calls ----

local function functions(self)
  local calls = 0
  return {
    command = function()
      local next_one = table.remove(self.queue, 1)
      if next_one then return next_one, next_one.args end
      coroutine.yield()
      if self.over then error(ended, 0) end
      next_one = table.remove(self.queue, 1)
      if next_one then return next_one, next_one.args end
    end,
    answer = function(id, answer) id.answer = answer end,
    refuse = function(id, words) id.words = words end,
    send = function(event, value)
      self.events[event], self.sent[event] = self.copy(value), (self.sent[event] or 0) + 1
    end,
    clear = function() self.events = {} end,
    due = function()
      calls = calls + 1
      return calls % self.due_every == 0
    end,
    frame_due = function() return self.wants_frame end,
    frame = function(f, ...)
      self.wants_frame = self.always
      f(...)
    end,
    data = function() return table.unpack(self.data or {}, 1, 5) end,
    list = function(t) return setmetatable(t, self.list_mark) end,
    source = function(name) return files.read_if_there(path_of(name)) end,
    log = function(text) self.logged[#self.logged + 1] = text end,
    base64 = function(bytes) return "base64:" .. bytes end,
    threads = 1,
    data_name = self.data and self.data[5],
  }
end

-- Tensors are read when they are sent: later training does not change them.
function Host.copy(v)
  if type(v) == "userdata" then return v:clone() end
  if type(v) ~= "table" then return v end
  local result = {}
  for key, value in pairs(v) do result[key] = Host.copy(value) end
  return setmetatable(result, getmetatable(v))
end

-- ---- what a test calls ----

function playground.new(o)
  local self = setmetatable({
    queue = {}, events = {}, sent = {}, logged = {}, due_every = 1, list_mark = {__name = "list"},
  }, Host)
  for key, value in pairs(o or {}) do self[key] = value end
  self.functions = functions(self)
  local session = require "playground.session"
  self.thread = coroutine.create(function() session(self.functions) end)
  self:turn(1)
  return self
end

function Host:turn(n)
  for _ = 1, n or 1 do
    local ok, message = coroutine.resume(self.thread)
    if not ok and message ~= ended then error(message, 0) end
  end
end

local function carry_out(self, args)
  local entry = {args = args}
  self.queue[#self.queue + 1] = entry
  self:turn(1)
  return entry
end

function Host:ask(args)
  local entry = carry_out(self, args)
  if entry.words then error(entry.words, 2) end
  return assert(entry.answer, "no answer")
end

function Host:refusal(args)
  local entry = carry_out(self, args)
  assert(entry.words, "the command was not refused")
  return entry.words
end

function Host:frame()
  self.wants_frame = true
  self:turn(1)
  self.wants_frame = self.always
  return self.events
end

--- Trains until so many epochs are done, and pauses there.
function Host:train_to(epochs)
  self:ask{["do"] = "run"}
  while self:frame().epoch.epoch < epochs and not self.events.failure do self:turn(1) end
  if not self.events.failure then self:ask{["do"] = "pause"} end
  return self:frame()
end

function Host:finish()
  self.over = true
  self:turn(1)
end

return playground
