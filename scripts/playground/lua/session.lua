--- A visitor's session: the loop over commands, training and frames. function(host) ... end; it ends by the error that
-- host.command raises when the session ends.
--
-- Three slots hold rooms; one is current, and only that one trains and sends. A command that fails answers with words
-- and changes nothing. A room is what require("playground.KIND.room")(host, settings) gives; settings (or nil) are
-- changes of the defaults, as the page sends them, and words are raised if they are wrong:
--
--   room.kind, room.trainer (trainer.lua; the room may replace it), room.message (words for the event state, or nil)
--   room.panels            the names of what the page can watch
--   room.options           the descriptions of its settings (settings.lua)
--   room:settings()        all settings as they are
--   room:set(changes)      checks all, then changes all
--   room:reset(seed)       a new net, from the seed if one is given
--   room:ready()           optional: raises words if it cannot train, for example because there is no data
--   room:prepare(panels)   optional: computes what would make a frame long
--   room:frame(send, panels, all)   sends its own events: panels[name] is true for what is visible. all: also what has
--                          not changed since the last frame. Returns true if something waits for the next frame. The
--                          session sends schema, state, epoch, curve and failure.
--   room:command(name, args)   its own commands; returns an answer or nil, or raises words
--   room:script()          the script that repeats what was done (script.lua), as {name =, type =, text =}
--   room:train(due), room:step()   optional; without them the session asks the trainer
-- The session sets room.running.
local export = require "playground.export"
local settings = require "playground.settings"

local slots = {points = true, autoencoder = true, lecture = true}
local kinds = {points = true, autoencoder = true}

local show, refuse = settings.show, settings.refuse

local Session = {}
Session.__index = Session

-- ---- events ----

local function list_copy(host, v)
  if type(v) ~= "table" or getmetatable(v) then return v end
  local result = {}
  for key, value in pairs(v) do result[key] = list_copy(host, value) end
  return next(result) == nil and host.list(result) or result
end

local function send_state(self, room)
  local t, host = room.trainer, self.host
  host.send("state", {
    slot = self.slot, room = room.kind, running = room.running, epoch = t.epoch, batch = t.batch, batches = t.batches,
    settings = list_copy(host, room:settings()), message = t.failed or room.message or nil,
    data = self.data,
  })
end

local function send_epoch(self, room)
  local t, host = room.trainer, self.host
  local loss, test_loss = t:losses()
  host.send("epoch", {
    epoch = t.epoch, loss = loss, test_loss = test_loss, per_second = t:pace(room.running),
    reconstruction = t.metrics.reconstruction, kl = t.metrics.kl, -- of a variational net
  })
end

-- After many epochs a point comes seldom.
local function send_curve(self, room, all)
  local t = room.trainer
  if not all and self.drawn == t and self.drawn_points == t.added then return end
  self.drawn, self.drawn_points = t, t.added
  self.host.send("curve", t:curve(self.host.list))
end

-- Everything that is watched and has changed.
local function draw(self)
  local room, all = self.room, self.all
  self.all = false
  if all then
    self.host.send("schema", {room = room.kind, slot = self.slot, settings = room.options:schema(self.host.list)})
  end
  send_state(self, room)
  send_epoch(self, room)
  send_curve(self, room, all)
  self.dirty = room:frame(self.host.send, self.panels, all) or false
end

-- All events are sent anew: another room, or a training that has failed and begins again.
local function refresh(self)
  self.host.clear()
  self.dirty, self.all = true, true
end

local function fail(self, message)
  self.room.running = false
  self.host.send("failure", {message = message})
  self.has_failed = true
  self.dirty = true
end

local function forget_failure(self)
  if self.has_failed then refresh(self) end
  self.has_failed = false
end

-- ---- commands of the session ----

local commands = {}

local function current(self)
  if not self.room then refuse("no room is open: send open first") end
  return self.room
end

local function new_room(self, kind, given)
  if not self.loaded[kind] then self.loaded[kind] = require("playground." .. kind .. ".room") end
  return self.loaded[kind](self.host, given)
end

-- Does the slot's room have the kind and the settings that are asked for? Those that are not named are the defaults;
-- without any settings, every room of the kind will do.
local function is_same(room, kind, given)
  if not room or room.kind ~= kind then return false end
  return given == nil or settings.same(room.options:check(given), room:settings())
end

local function check_choice(name, v, choices)
  if not choices[v] then
    local known = {}
    for choice in pairs(choices) do known[#known + 1] = choice end
    table.sort(known)
    refuse("open: %s is %s (known: %s)", name, show(v), table.concat(known, ", "))
  end
end

function commands:open(args)
  check_choice("slot", args.slot or "nothing", slots)
  check_choice("room", args.room or "nothing", kinds)
  if args.settings ~= nil and type(args.settings) ~= "table" then
    refuse("open: settings are %s, expected an object", show(args.settings))
  end
  local room = self.rooms[args.slot]
  if args.fresh or not is_same(room, args.room, args.settings) then
    local fresh = new_room(self, args.room, args.settings)
    if room then room.trainer:close() end
    room = fresh
    room.running = false
  end
  if self.room and self.room ~= room then self.room.running = false end
  self.rooms[args.slot], self.room, self.slot, self.has_failed = room, room, args.slot, false
  refresh(self)
end

-- A training that has failed begins anew.
local function prepare(self)
  local room = current(self)
  if room.ready then room:ready() end
  if room.trainer.failed then room:reset() end
  forget_failure(self)
  return room
end

function commands:run()
  local room = prepare(self)
  room.trainer.target, room.running = math.huge, true
end

function commands:pause() current(self).running = false end

-- One whole epoch: training goes on until it is done, with commands and frames in between.
function commands:step()
  local room = prepare(self)
  if room.step then return room:step() end
  room.trainer.target, room.running = room.trainer.epoch + 1, true
end

function commands:reset(args)
  local room = current(self)
  if args.seed ~= nil and not math.tointeger(args.seed) then
    refuse("reset: seed is %s, expected a whole number", show(args.seed))
  end
  room:reset(math.tointeger(args.seed))
  room.running = false
  forget_failure(self)
end

-- Calls a room's method, which may begin a new training. That one has not failed, and takes over a step.
local function change(self, method, ...)
  local room = current(self)
  local before = room.trainer
  local result = room[method](room, ...)
  if room.trainer ~= before then
    if room.running and before.target < math.huge then room.trainer.target = 1 end
    forget_failure(self)
  end
  return result
end

function commands:set(args) return change(self, "set", args.settings) end

function commands:watch(args)
  local panels, known = {}, {}
  if type(args.panels) ~= "table" or #args.panels == 0 and next(args.panels) ~= nil then
    refuse("watch: panels is %s, expected a list of names", show(args.panels))
  end
  local has = self.room and self.room.panels or {} -- without a room there is nothing to watch
  for _, name in ipairs(has) do known[name] = true end
  for _, name in ipairs(args.panels) do
    if not known[name] then
      refuse("watch: unknown panel %s (known: %s)", show(name), table.concat(has, ", "))
    end
    panels[name] = true
  end
  self.panels, self.all = panels, true
end

function commands:export(args)
  local room, what = current(self), args.what
  local file = what == "script" and room:script() or export.net(self.host, room, what)
  return file or refuse("export: what is %s (known: script, safetensors, onnx)", show(what))
end

-- ---- the loop ----

local function carry_out(self, args)
  local name = args["do"]
  if type(name) ~= "string" then refuse("do is %s, expected the name of a command", show(name)) end
  local command = commands[name]
  if command then return command(self, args) end
  return change(self, "command", name, args)
end

-- Words without the place in our own files.
local function words_of(message)
  if type(message) ~= "string" then return "something went wrong: reset" end
  return (message:gsub("^%[?[%w_./\"-]+%]?:%d+: ", ""))
end

local function answer(self, id, args)
  local ok, result = pcall(carry_out, self, args)
  if not ok then return self.host.refuse(id, words_of(result)) end
  self.dirty = true
  self.host.answer(id, result or {})
end

-- Seconds. A paused session sleeps until the next command. While a frame waits for its time it looks again soon, and
-- less and less often if nobody fetches it.
local first_sleep, longest_sleep, quiet = 0.01, 0.5, 30

local function next_sleep(self)
  if self.room and self.room.running then return 0 end
  if not self.dirty then return quiet end
  self.sleep = math.min(self.sleep * 1.5, longest_sleep)
  return self.sleep
end

local function do_commands(self)
  local id, args = self.host.command(next_sleep(self))
  while id do
    self.sleep = first_sleep
    answer(self, id, args)
    id, args = self.host.command(0)
  end
end

local function advice(message)
  local what = message:find("out of memory", 1, true) and "Take a smaller net"
    or "Change the learning rate or another setting"
  return what .. ", then press Run: the net begins anew."
end

local function train(self)
  local room, t = self.room, self.room.trainer
  local ok, message = pcall(room.train or t.run, room.train and room or t, self.host.due)
  self.dirty = true
  if not ok then
    local words = words_of(message)
    return fail(self, words .. ". " .. advice(words))
  end
  if room.trainer.epoch >= room.trainer.target then room.running = false end
end

local function draw_if_due(self)
  if not (self.room and self.dirty and self.host.frame_due()) then return end
  local ok, message = pcall(function()
    if self.room.prepare then self.room:prepare(self.panels) end
    self.host.frame(draw, self)
  end)
  if not ok then
    self.host.log("a frame failed: " .. tostring(message))
    fail(self, words_of(message))
    self.dirty = false -- else it would fail again at once
  end
end

return function(host)
  local everything = setmetatable({}, {__index = function() return true end})
  local self = setmetatable({
    host = host, rooms = {}, loaded = {}, panels = everything, sleep = first_sleep, data = host.data_name,
  }, Session)
  while true do
    do_commands(self)
    if self.room and self.room.running then train(self) end
    draw_if_due(self)
  end
end
