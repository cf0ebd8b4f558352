--- The room "autoencoder": a net that learns to rebuild pictures, and what can be seen of it meanwhile.
local commands = require "playground.autoencoder.commands"
local data = require "playground.autoencoder.data"
local export = require "playground.autoencoder.export"
local map = require "playground.autoencoder.map"
local moon = require "moonglass"
local nets = require "playground.autoencoder.nets"
local new_look = require "playground.autoencoder.look"
local noise = require "playground.autoencoder.noise"
local options = require "playground.autoencoder.options"
local panels = require "playground.autoencoder.panels"
local script = require "playground.script"
local settings = require "playground.settings"
local trainer = require "playground.trainer"

local Room = {kind = "autoencoder", panels = panels.names}
Room.__index = Room

-- ---- a new training ----

-- The rows for these settings, and words about them, or false.
local function rows_of(self, values, own)
  if values.data == "set" then return data.of_set(self.set_of_host, values.rows), false end
  if own then return data.of_own(own) end
  error("set: data is 'own', but there are no own pictures yet: drop some on the page first", 0)
end

-- {x, y} to test with, or nil. A denoising net is tested as it is trained: noisy pictures in, clean ones expected.
-- Their noise is drawn once.
local function test_of(values, rows)
  local clean = rows.validation
  if not clean then return nil end
  if values.kind ~= "denoising" then return {clean} end
  return {noise.spoil(values.noise, values.noise_level, values.seed, clean), clean}
end

-- All that a training needs, made anew. Nothing of the room changes, so that an error leaves it as it was.
local function make(self, values, own)
  own = own or self.own
  local rows, message = rows_of(self, values, own)
  moon.seed(values.seed)
  local net, optimizer = nets.make(values, data.width), nets.optimizer(values)
  local y = values.kind == "denoising" and rows.train or nil -- as for the test
  return {
    values = values, first_rate = values.rate, data = rows, own = own, message = message, net = net,
    optimizer = optimizer,
    trainer = trainer.new{
      net = net, x = rows.train, y = y, test = test_of(values, rows), loss = nets.loss(values), optimizer = optimizer,
      batch = math.min(values.batch, #rows.train), seed = values.seed,
    },
  }
end

-- A map stays for comparison when another kind of net follows, as long as there are maps.
local function keep_map(self, values)
  local view = self.view
  if values.code ~= 2 then
    view.map_before = nil
  elseif self.values.code == 2 and self.values.kind ~= values.kind and self.trainer.epoch > 0 then
    self.look:refresh()
    view.map_before = map(self.look)
    view.map_before.kind = self.values.kind
  end
  view.kinds = view.kinds + 1
end

local function take(self, made)
  if self.trainer then
    keep_map(self, made.values)
    self.trainer:close()
  end
  for name, v in pairs(made) do self[name] = v end
  local view, last = self.view, #self.data.test
  self.made, view.held = self.made + 1, nil
  view.row, view.first = math.min(view.row, last), math.max(1, math.min(view.first, last - 9))
  self.look = new_look(self.net, self.values, self.data, self.view, self.kept)
end

-- ---- what the session asks for ----

function Room:settings() return self.values end

local function only_rate(a, b)
  for name, v in pairs(a) do
    if name ~= "rate" and v ~= b[name] then return false end
  end
  return true
end

function Room:set(changes)
  local values = self.options:check(changes, self.values)
  if not only_rate(values, self.values) then return take(self, make(self, values)) end
  if values.rate == self.values.rate then return end
  local optimizer = self.optimizer
  local text = "optimizer.lr = " .. script.number(values.rate)
  self.trainer:change(text, function() optimizer.lr = values.rate end, "rate")
  self.values = values
  self.look.settings = values
end

function Room:reset(seed)
  take(self, make(self, self.options:check({seed = seed}, self.values)))
end

function Room:prepare(watched) self.events:prepare(self, watched) end

function Room:frame(send, watched, all) return self.events:frame(self, send, watched, all) end

function Room:command(name, args)
  local command = commands[name]
  if not command then
    settings.refuse("unknown command %s (known here: choose, code, digits, draw, draw_noise, export, open, own, pause, "
      .. "reset, run, samples, set, step, watch)", settings.show(name))
  end
  return command(self, args)
end

Room.script = export

---Own pictures, uint8 [n x 784], in place of the set.
function Room:take_own(images)
  take(self, make(self, self.options:check({data = "own"}, self.values), images))
  local held_out = self.data.validation and #self.data.validation or 0
  return {pictures = #images, train = #self.data.train, test = held_out}
end

-- ---- a new room ----

-- The host's set as fields, or words.
local function set_of(host)
  local train, _, test, test_labels, name = host.data()
  if not train then error("there is no data set: start the playground with --data FOLDER", 0) end
  if train:size(2) ~= data.width then
    error(("the pictures of the data set have %d pixels, expected %d"):format(train:size(2), data.width), 0)
  end
  return {train = train, test = test, test_labels = test_labels, name = name}
end

-- An address may speak of own pictures that are no longer there.
local function without_own(given)
  if type(given) ~= "table" or given.data ~= "own" then return given end
  local rest = {}
  for name, v in pairs(given) do rest[name] = v end
  rest.data = "set"
  return rest, "The own pictures are gone: drop them again."
end

return function(host, given)
  local set = set_of(host)
  local changes, message = without_own(given or {})
  local self = setmetatable({
    host = host, set_of_host = set, options = settings.new(options(#set.train, host.data_name)), made = 0, kept = {},
    running = false, events = panels.new(host.clock), -- a test gives a clock of its own
    view = {first = 1, row = 1, draw_noise = 0, shown = 0, looked_at = 0, kinds = 0, samples = 1},
  }, Room)
  take(self, make(self, self.options:check(changes)))
  self.message = message or false
  return self
end
