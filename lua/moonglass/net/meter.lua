--- Measures of an epoch, or of an evaluation: running means over its batches, and functions of the net after it. In the
-- core the batches are measured where they run (net:set_measures); in Lua each pass hands over what it has.
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local measures = require "moonglass.net.measures"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local Meter = {}
Meter.__index = Meter

-- ---- one batch, from Lua ----

-- Class numbers [rows] as they are, one-hot rows as class numbers.
local function classes(t)
  if t:rank() == 1 then return t end
  return t:size(2) == 1 and t:reshape(-1) or t:argmax(2) - 1
end

local kinds = {}

function kinds.binary_accuracy(b)
  return b.prediction:gt(b.threshold):eq(b.target:reshape(table.unpack(b.prediction.shape))):mean()
end

function kinds.accuracy(b)
  if b.prediction:rank() == 1 or b.prediction:size(2) == 1 then return kinds.binary_accuracy(b) end
  return (b.prediction:argmax(2) - 1):eq(classes(b.target)):mean()
end

function kinds.penalty(b) return b.penalty end
function kinds.data(b) return b.value - b.penalty end

local function of_batch(measure, b)
  if type(measure) == "string" then
    return kinds[measure] and kinds[measure](b) or heads.measure(measure, b.loss, b.prediction, b.target)
  end
  if type(measure) == "function" then return measure(b.prediction, b.target) end
  return measure:forward(b.prediction, b.target)
end

-- A number, or an error that names the metric.
local function checked(name, v)
  if type(v) == "number" then return v end
  errors.raise("metric %s gave %s, expected a number", name, options.show(v))
end

--- Counts a batch of `rows` rows that ran in Lua: prediction and target as its loss has seen them, the objective
-- `value` and the penalties in it.
function Meter:take(prediction, target, rows, value, penalty)
  local b = {prediction = prediction, target = target, value = value, penalty = penalty, threshold = self.threshold,
    loss = self.loss}
  for i, e in ipairs(self.of_batches) do
    self.sums[i] = self.sums[i] + checked(e.name, of_batch(e.measure, b)) * rows
    self.weights[i] = self.weights[i] + rows
  end
end

-- ---- batches in the core ----

-- The meter that is attached to a net at present. While a source is read for its step, another one may be.
local present = setmetatable({}, {__mode = "k"})

local function attach(self, net)
  net:set_measures(self and self.kinds)
  present[net] = self
end

-- Adds up what the core has measured.
local function collect(self, net)
  local sums, weights = net:measured()
  for i = 1, #sums do
    self.sums[i], self.weights[i] = self.sums[i] + sums[i], self.weights[i] + weights[i]
  end
end

local Attached = {}

function Attached.__close(attached)
  collect(attached.meter, attached.net)
  attach(attached.before, attached.net)
end

--- A value to close: meanwhile the batches of a net in the core are measured. nil if there is nothing to measure so.
function Meter:attach(net)
  if not self.in_core or #self.kinds == 0 then return nil end
  local before = present[net]
  if before then collect(before, net) end
  attach(self, net)
  return setmetatable({meter = self, net = net, before = before}, Attached)
end

-- ---- an epoch ----

function Meter:reset()
  for i = 1, #self.of_batches do self.sums[i], self.weights[i] = 0, 0 end
end

--- The running means so far, by name; of this rank's rows.
function Meter:means()
  local values = {}
  for i, e in ipairs(self.of_batches) do
    if self.weights[i] > 0 then values[e.name] = self.sums[i] / self.weights[i] end
  end
  return values
end

-- The values of the functions, as a list.
local function of_functions(self, net, x, y)
  local list = {}
  for i, e in ipairs(self.of_epochs) do list[i] = checked(e.name, e.epoch(net, x, y or x)) end
  return list
end

--- The values of all measures, by name, after the batches; x and y are what the functions see. group: the ranks, whose
-- sums are added up.
function Meter:finish(group, net, x, y)
  local functions = group:protect(of_functions, self, net, x, y)
  self.sums, self.weights = group:add_up(self.sums, self.weights)
  local values = self:means()
  for i, v in ipairs(group:mean(functions, #x)) do values[self.of_epochs[i].name] = v end
  return values
end

-- ---- making one ----

local function check_measures(what, list, in_core)
  for _, e in ipairs(list) do
    if in_core and type(e.measure) ~= "string" and not native.is_loss(e.measure) then
      errors.raise("%s: metric %s is a loss written in Lua, but net and loss are native, expected a native loss, or a "
        .. "function of net, x and y", what, e.name)
    end
  end
end

--- A meter for the option metrics of the call `what`, and for what net and loss bring by themselves; nil if there is
-- nothing to measure. in_core: the batches run in the core.
return function(what, net, loss, given, in_core)
  local list = measures.list(what, net, loss, given, in_core)
  if #list == 0 then return nil end
  local self = {of_batches = {}, of_epochs = {}, kinds = {}, names = {}, sums = {}, weights = {}, in_core = in_core,
    loss = loss}
  for i, e in ipairs(list) do
    local to = e.epoch and self.of_epochs or self.of_batches
    to[#to + 1], self.names[i] = e, e.name
    if not e.epoch then self.kinds[#self.kinds + 1] = e.measure end
  end
  check_measures(what, self.of_batches, in_core)
  self.threshold = measures.takes_logits(loss) and 0 or 0.5
  Meter.reset(self)
  return setmetatable(self, Meter)
end
