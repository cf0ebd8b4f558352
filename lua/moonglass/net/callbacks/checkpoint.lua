--- moon.callbacks.checkpoint: saves a checkpoint after an epoch.
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local monitor = require "moonglass.net.callbacks.monitor"
local options = require "moonglass.support.options"
local own_state = require "moonglass.net.own_state"
local paths = require "moonglass.net.callbacks.paths"
local save = require "moonglass.net.checkpoint.save"
local snapshots = require "moonglass.net.checkpoint.snapshots"

---@class moonglass.callbacks
local callbacks = {}

-- ---- paths ----

-- In a path, string.format's %d, as in %03d, stands for the epoch, and %% for a %. Nothing else may follow a %.
local directive = "%%%d*[d%%]"

local function check_directives(path)
  for found in path:gmatch("%%%d*.?") do
    if found ~= "%%" and not found:find("^%%0?%d?%d?d$") then
      errors.raise("checkpoint: path '%s' has %s, expected %%d or %%03d for the epoch, %%%% for a %%", path, found)
    end
  end
end

local function path_of_epoch(path, epoch)
  return (path:gsub(directive, function(found) return found:format(epoch) end))
end

-- ---- the callback ----

local Checkpoint = {name = "checkpoint", writes = true}
Checkpoint.__index = Checkpoint

-- The name of the figure that tells which epoch is best.
local function figure(self, state)
  return self.options.monitor or ((state.validation or state.val_loss) and "val_loss" or "loss")
end

function Checkpoint:check(state)
  local o, path = self.options, self.path
  checks.state(self.name, state)
  own_state.check(self.name, state.net)
  snapshots.check(state.callbacks)
  if o.monitor then monitor.check(self, state, o.monitor) end
  paths.check_epochs(self.name, state, o.every, function(epoch) return path_of_epoch(path, epoch) end)
  for i = 1, o.keep - 1 do paths.check_writable(self.name, ("%s.%d"):format(path_of_epoch(path, 1), i)) end
end

-- A callback that is used again goes on from its best value.
function Checkpoint:on_train_begin(state)
  self.mode = monitor.mode(self.options.mode, self.options.monitor or "loss", state)
  self.best = self.best or monitor.worst(self.mode)
end

function Checkpoint:on_epoch_end(state)
  self.due = false
  if state.epoch % self.options.every ~= 0 then return end
  local value = monitor.value(self.name, state, figure(self, state))
  local better = value ~= nil and monitor.improves(value, self.best, 0, self.mode)
  if better then self.best = value end
  self.due = better or not self.options.best
end

function Checkpoint:on_checkpoint(state)
  if not self.due then return end
  local path, keep = path_of_epoch(self.path, state.epoch), self.options.keep
  if keep > 1 then paths.must(self.name, errors.guard(files.file_rotate, path, keep)) end
  paths.must(self.name, save(path, state))
end

function Checkpoint:on_train_end(state)
  local o = self.options
  local seen = state.epoch // o.every > state.initial_epoch // o.every
  if o.best and self.best == monitor.worst(self.mode) and seen then
    monitor.warn_none(self.name, state, figure(self, state), "there is no best epoch, and nothing was saved")
  end
end

function Checkpoint:snapshot() return {best = self.best} end

function Checkpoint:restore(values) self.best = values.best end

---Options of `moon.callbacks.checkpoint`.
---@class moonglass.CheckpointOptions
---@field every integer? default 1: save after every this many epochs
---@field best boolean? default false; true: save only when the monitored value is the best so far; NaN never is
---@field monitor moonglass.Figure? "val_loss" with validation, else "loss"; or the name of a metric
---@field mode moonglass.MonitorMode? default "auto": "max" for accuracies, and names with auc, f1 and the like
---@field keep integer? default 1, 1 to 10: with 3 the two files before the last stay as path.1 and path.2
local checkpoint_options = options.checker("checkpoint", {
  every = {"count", 1}, best = {"flag", false}, monitor = monitor.rule(), mode = monitor.mode_rule, keep = {"count", 1},
})

---Save all that a resume needs, after all callbacks have seen the epoch.
---@param path string %d or %03d in it becomes the epoch, %% becomes %; any other % is an error
---@param options moonglass.CheckpointOptions?
---@return moonglass.Callback callback
function callbacks.checkpoint(path, given)
  paths.check("checkpoint", path)
  check_directives(path)
  local o = checkpoint_options(given)
  if o.keep > 10 then errors.raise("checkpoint: keep is %d, expected 1 to 10", o.keep) end
  if o.keep > 1 and path_of_epoch(path, 1) ~= path_of_epoch(path, 2) then
    errors.raise("checkpoint: keep is %d and '%s' names another file for each epoch, expected one path for all epochs",
      o.keep, path)
  end
  return monitor.built_in(setmetatable({path = path, options = o, due = false}, Checkpoint))
end

return callbacks
