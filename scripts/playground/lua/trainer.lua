--- Trains a net with net:fit, in a coroutine that stops for commands and frames and goes on where it stopped.
--
--   local t = trainer.new{net =, x =, y = (nil: the target is x), test = {x, y} (nil: none), loss =, optimizer =,
--     batch =, seed =, untrained = true (epoch 0 has losses, too)}
--   t:run(due)     trains until due() is true or t.target epochs are done; raises words if the loss is NaN
--   t.epoch, t.batch, t.batches    whole epochs done, batches of the present one done, batches of an epoch
--   t:losses()     loss and test_loss of the last whole epoch; after an edit of the weights, those of the net as it is
--   t.metrics      those of the last whole epoch, as fit has them; {} before it
--   t:curve(list)  {epoch, loss, test_loss}, and the parts of a variational net's loss, {reconstruction, kl}: at most
--                  200 points, evenly spaced; list is host.list
--   t.added        counts the points that came, so that it changes when the curve does
--   t:pace(running)   epochs a second while it runs, else nil
--   t:change(text, apply, key, edits)   applies a change now, and keeps it for the exported script
--   t.changes      {epoch =, batch =, text =, edits =}: after so many whole epochs and batches of the next one
--
-- fit is called for blocks of epochs with the same optimizer and seed. Order of rows and noise depend on seed and epoch
-- only, so blocks give the bits of one long fit, and no history grows. Epochs that are shorter than `short` seconds
-- stop only between epochs: then a batch costs no call into Lua, and the loss of the test rows is computed only if
-- someone asks.
local moon = require "moonglass"

local trainer = {}

local Trainer = {}
Trainer.__index = Trainer

local short = 0.005          -- seconds
local longest_block = 1000   -- epochs of one fit
local most_points = 200      -- of the curve
local most_changes = 5000    -- that are kept for the script
local pace_every = 0.5       -- seconds between two measurements

function trainer.new(o)
  local self = setmetatable({
    net = o.net, x = o.x, y = o.y, test = o.test, loss = o.loss, optimizer = o.optimizer, batch_size = o.batch,
    seed = o.seed, short = o.short or short, epoch = 0, batch = 0, batches = (#o.x + o.batch - 1) // o.batch,
    target = math.huge, changes = {}, metrics = {}, points = {}, added = 0, stride = 1, away = 0,
  }, Trainer)
  self.test_rows = o.test and moon.dataset(o.test[1], o.test[2])
  self.train_rows = o.untrained and moon.dataset(o.x, o.y)
  self.edited = o.untrained -- the losses of epoch 0 are evaluated
  if o.untrained then self:add_point() end
  return self
end

-- ---- losses ----

local function evaluate(self, rows) return rows and self.net:evaluate_rows(rows, self.loss, self.batch_size) or nil end

-- Those of the net as it is count only between two epochs.
local function refresh(self)
  if self.edited and self.batch == 0 then
    self.train_loss, self.test_loss = evaluate(self, self.train_rows), evaluate(self, self.test_rows)
    self.edited = false
  elseif not self.test_loss and self.batch == 0 then
    self.test_loss = evaluate(self, self.test_rows)
  end
end

function Trainer:losses()
  refresh(self)
  return self.train_loss, self.test_loss
end

-- ---- the curve ----

-- When there are too many points, every second one goes, and from now on half as many come.
function Trainer:add_point()
  if self.epoch % self.stride ~= 0 then return end
  local loss, test_loss = self:losses()
  local points = self.points
  points[#points + 1] = {self.epoch, loss, test_loss, self.metrics.reconstruction, self.metrics.kl}
  self.added = self.added + 1
  if #points < most_points then return end
  self.stride = self.stride * 2
  local kept = {}
  for _, point in ipairs(points) do
    if point[1] % self.stride == 0 then kept[#kept + 1] = point end
  end
  self.points = kept
end

function Trainer:curve(list)
  local names = {"epoch", "loss", "test_loss"}
  if self.metrics.kl then names[4], names[5] = "reconstruction", "kl" end
  local curve = {}
  for k, name in ipairs(names) do
    local values = {}
    for i, point in ipairs(self.points) do values[i] = point[k] or 0 / 0 end
    curve[name] = list(values)
  end
  return curve
end

-- ---- the coroutine ----

-- The time away does not count as the epoch's.
local function stop(self)
  local start = moon.clock()
  coroutine.yield()
  self.away = self.away + moon.clock() - start
end

local function on_epoch_end(self, state)
  self.epoch, self.batch, self.train_loss, self.test_loss, self.edited = state.epoch, 0, state.loss, nil, false
  self.metrics, self.seconds = state.metrics, state.seconds - self.away
  if self.by_batch then refresh(self) end -- a later stop is in the middle of an epoch
  self:add_point()
  if self.epoch >= self.target or self.due() then stop(self) end
  self.away = 0
end

-- The last batch stops at the end of its epoch.
local function on_batch_end(self, state)
  if state.batch == state.batches then return end
  self.batch = state.batch
  if self.due() then stop(self) end
end

-- A block of about a second. The first epoch shows how long one takes.
local function fit_block(self)
  local seconds = self.seconds
  self.by_batch = not seconds or seconds >= self.short
  local callback = {on_epoch_end = function(_, state) on_epoch_end(self, state) end}
  if self.by_batch then callback.on_batch_end = function(_, state) on_batch_end(self, state) end end
  local epochs = seconds and math.max(1, math.min(longest_block, 1 // math.max(seconds, 1e-6))) or 1
  self.net:fit(self.x, self.y, {
    loss = self.loss, optimizer = self.optimizer, batch_size = self.batch_size, seed = self.seed, verbose = 0,
    initial_epoch = self.epoch, epochs = self.epoch + epochs, callbacks = {callback},
  })
end

local function train(self)
  while true do fit_block(self) end
end

function Trainer:run(due)
  if self.failed then error(self.failed, 0) end
  if self.epoch >= self.target then return end
  refresh(self) -- weights that were edited count as they are now, not as a batch leaves them
  self.due = due
  self.thread = self.thread or coroutine.create(train)
  local ok, message = coroutine.resume(self.thread, self)
  if ok then return end
  self.thread = nil
  if type(message) ~= "string" then error(message, 0) end
  self.failed = message:gsub("^[^\n]-:%d+: ", ""):gsub("^fit: ", "")
  error(self.failed, 0)
end

--- Ends a training that has stopped in the middle of a block.
function Trainer:close()
  if self.thread then coroutine.close(self.thread) end
  self.thread = nil
end

-- ---- pace ----

function Trainer:pace(running)
  if not running then
    self.mark, self.per_second = nil, nil
    return nil
  end
  local now, done = moon.clock(), self.epoch + self.batch / self.batches
  if not self.mark or done < self.mark[2] then
    self.mark = {now, done}
  elseif now - self.mark[1] >= pace_every then
    self.per_second = (done - self.mark[2]) / (now - self.mark[1])
    self.mark = {now, done}
  end
  return self.per_second
end

-- ---- changes ----

-- A change that replaces the last one, at the same place, takes its line.
local function keep(self, entry)
  local changes = self.changes
  local last = changes[#changes]
  if last and last.key == entry.key and last.epoch == entry.epoch and last.batch == entry.batch then
    changes[#changes] = entry
    return
  end
  changes[#changes + 1] = entry
end

--- text: a statement of Lua with `net` and `optimizer`, for the script; apply() does it now. key: changes of one thing
-- have the same. edits: it changes weights, so that the losses are those of the net as it is.
function Trainer:change(text, apply, key, edits)
  if #self.changes >= most_changes then
    error(("there are already %d changes in this training: reset it"):format(most_changes), 0)
  end
  apply()
  keep(self, {epoch = self.epoch, batch = self.batch, text = text, key = key, edits = edits})
  self.edited = self.edited or edits
end

return trainer
