--- The room "points": a small net learns points in the plane. session.lua says what a room is.
local data = require "playground.points.data"
local nets = require "playground.points.nets"
local options = require "playground.points.options"
local pictures = require "playground.points.pictures"
local script = require "playground.script"
local settings = require "playground.settings"
local trainer = require "playground.trainer"

local Room = {kind = "points", options = options, panels = {"points", "features", "units", "weights"}}
Room.__index = Room

local refuse = settings.refuse

-- ---- making it ----

-- What decides the points as the net sees them.
local of_data = {"problem", "own_labels", "noise", "ratio", "seed", "features"}

local function same_data(a, b)
  for _, name in ipairs(of_data) do
    if not settings.same(a[name], b[name]) then return false end
  end
  return true
end

-- Seconds. An epoch of so few points takes milliseconds, so that training need not stop within one.
local longest_epoch = 0.1

local function new_trainer(s, d)
  local rows = #d.train
  return trainer.new{
    net = nets.new(s, d.classes), x = d.x, y = d.y, test = d.test_x and {d.test_x, d.test_y},
    loss = nets.loss(d.classes), optimizer = nets.optimizer(s), batch = math.max(1, math.min(s.batch, rows)),
    seed = s.seed, untrained = rows > 0, short = longest_epoch,
  }
end

-- Begins anew with settings and own points. All is made before anything is changed.
local function begin(self, s, own)
  local keep = self.data and own == self.own and same_data(s, self.now)
  local d = keep and self.data or data.new(s, own)
  local t = new_trainer(s, d)
  local same_features = self.now and settings.same(s.features, self.now.features)
  local grids = same_features and self.grids or pictures.grids(s.features)
  self.grids, self.unsent.points, self.unsent.features = grids, not keep, not same_features
  if self.trainer then self.trainer:close() end
  self.now, self.own, self.data, self.trainer = s, own, d, t
  self.first_rate = s.rate
  self.message = #d.train == 0 and "There are no points yet: click into the plane to place some." or nil
end

-- ---- what the session asks for ----

function Room:settings() return self.now end

function Room:ready()
  if #self.data.train == 0 then refuse("there are no points: click into the plane to place some") end
end

local function set_rate(self, rate)
  local t = self.trainer
  if t.epoch == 0 and t.batch == 0 then
    t.optimizer.lr, self.first_rate = rate, rate
  else
    t:change(("optimizer.lr = %s"):format(script.number(rate)), function() t.optimizer.lr = rate end, "rate")
  end
end

-- A new rate goes on with the net; all else begins anew.
function Room:set(changes)
  local s = options:check(changes, self.now)
  local rate_only = options:check({rate = s.rate}, self.now)
  if settings.same(s, self.now) then return end
  if not settings.same(s, rate_only) then
    if s.problem == "own" then self:check_own(s) end
    return begin(self, s, self.own)
  end
  set_rate(self, s.rate)
  self.now = s
end

function Room:reset(seed) begin(self, seed and options:check({seed = seed}, self.now) or self.now, self.own) end

function Room:frame(send, panels, all)
  if panels.points and (all or self.unsent.points) then
    send("points", pictures.points(self.data))
    self.unsent.points = false
  end
  if panels.features and (all or self.unsent.features) then
    send("features", pictures.features(self.now.features))
    self.unsent.features = false
  end
  local net = self.trainer.net
  if panels.units then send("units", pictures.units(net, self.grids, self.data.classes, self.host.list)) end
  if panels.weights then send("weights", pictures.weights(net)) end
end

-- ---- commands ----

local commands = {}

local function index(name, v, low, high) return settings.check_number("edit: " .. name, v, low, high, true) end

local largest_weight = 1e6

function commands:edit(args)
  local t = self.trainer
  local net = t.net
  local i = index("layer", args.layer, 1, #net)
  local layer = net:layer(i)
  local from, to = index("from", args.from, 0, layer.weight:size(1)), index("to", args.to, 1, layer.weight:size(2))
  local value = settings.check_number("edit: value", args.value, -largest_weight, largest_weight)
  local place = from == 0 and ("bias:set(%s, %d)"):format(script.number(value), to)
    or ("weight:set(%s, %d, %d)"):format(script.number(value), from, to)
  t:change(("net:layer(%d).%s"):format(i, place), function()
    if from == 0 then layer.bias:set(value, to) else layer.weight:set(value, from, to) end
  end, ("%d %d %d"):format(i, from, to), true)
end

-- ---- own points ----

local function set_own(self, own, own_labels)
  if #own > data.most then refuse("%d points are too many, expected at most %d", #own, data.most) end
  begin(self, options:check({problem = "own", own_labels = own_labels}, self.now), own)
end

function Room:check_own(s)
  for i, point in ipairs(self.own) do data.check_point(point, s.own_labels, ("own point %d"):format(i)) end
end

-- A point that is added to a drawn set makes all of them own points.
function commands:point(args)
  local own = {}
  for i, point in ipairs(self.data.points) do own[i] = point end
  local own_labels = data.own_labels[self.data.classes]
  own[#own + 1] = data.check_point({args.x, args.y, args.label}, own_labels, "point")
  set_own(self, own, own_labels)
end

function commands:points(args)
  if type(args.list) ~= "table" or #args.list == 0 and next(args.list) ~= nil then
    refuse("points: list is %s, expected a list of [x, y, label]", settings.show(args.list))
  end
  if #args.list > data.most then refuse("points: %d are too many, expected at most %d", #args.list, data.most) end
  local own_labels = options:check({own_labels = args.own_labels}, self.now).own_labels
  local own = {}
  for i, point in ipairs(args.list) do own[i] = data.check_point(point, own_labels, ("points: point %d"):format(i)) end
  set_own(self, own, own_labels)
end

function commands:clear() set_own(self, {}, self.now.own_labels) end

function Room:command(name, args)
  if not commands[name] then
    refuse("unknown command %s (known here: clear, edit, export, open, pause, point, points, reset, run, set, step, "
      .. "watch)", settings.show(name))
  end
  return commands[name](self, args)
end

-- ---- export ----

local function title(self)
  local s, widths = self.now, {#self.now.features}
  for _, units in ipairs(s.hidden) do widths[#widths + 1] = units end
  widths[#widths + 1] = self.data.classes == 3 and 3 or 1
  return ("Points: %s, a net %s, %s."):format(s.problem, table.concat(widths, "-"), s.activation)
end

local function script_of(self)
  self:ready()
  local s, d = self.now, self.data
  local first = options:check({rate = self.first_rate}, s)
  local _, loss = nets.loss(d.classes)
  local _, optimizer = nets.optimizer(first)
  return script.write{
    title = title(self), data = data.text(self.host, s, self.own, d.test_x ~= nil), labelled = true,
    tested = d.test_x ~= nil, net = nets.text(self.host, s, d.classes), loss = loss, optimizer = optimizer,
    batch = self.trainer.batch_size, seed = s.seed, threads = self.host.threads, trainer = self.trainer,
  }
end

function Room:script() return {name = "points.lua", type = "text/x-lua", text = script_of(self)} end

return function(host, given)
  local self = setmetatable({host = host, own = {}, running = false, message = false, unsent = {}}, Room)
  begin(self, options:check(given or {}), {})
  return self
end
