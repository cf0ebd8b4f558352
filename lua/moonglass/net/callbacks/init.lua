--- moon.callbacks: what can listen to a fit. A callback is a function(state), called after each epoch, or a table with
-- any of these methods (self, state):
--   check            raises what is wrong, before anything is trained, opened or written
--   on_train_begin, on_epoch_begin, on_batch_end, on_epoch_end, on_train_end
--   on_checkpoint    after each epoch, when all on_epoch_end have run
--   on_abort         the training does not reach its end
--   snapshot, restore    what it remembers between epochs goes through a checkpoint: net/checkpoint/snapshots.lua
-- state: net, opt, epoch, epochs, batch, batches, batch_size, rows, validation (is there any), loss, val_loss, seconds,
-- rows_per_second, seed, history, callbacks, initial_epoch, resumed. on_batch_end also sees batch_loss, and its loss is
-- the mean so far. state.stop = true ends the training.
--
-- A callback of a few lines stands in this file. A longer one has its own file in this folder, whose name stands in the
-- list below.
local compatibility = require "moonglass.net.compatibility"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local image = require "moonglass.pictures.image"
local monitor = require "moonglass.net.callbacks.monitor"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local paths = require "moonglass.net.callbacks.paths"

local callbacks = {}

for _, name in ipairs{"checkpoint", "csv_logger", "early_stopping", "progress", "schedules", "show"} do
  for constructor, f in pairs(require("moonglass.net.callbacks." .. name)) do callbacks[constructor] = f end
end

--- After each epoch, dir/epoch_001.png and so on: the rows of x above what the net makes of them. dir must exist.
function callbacks.reconstructions(dir, x)
  paths.check("reconstructions", dir)
  if not native.is_tensor(x) then errors.raise("reconstructions: x is %s, expected a tensor", options.show(x)) end
  local self = {}

  local function path(epoch) return ("%s/epoch_%03d.png"):format(dir, epoch) end

  function self.check(_, state)
    compatibility.check_pictures("reconstructions", state.net, x)
    paths.check_epochs("reconstructions", state, 1, path)
  end

  function self.on_epoch_end(_, state)
    local picture = image.rows{x, state.net:predict(x:reshape(#x, -1))}
    paths.must("reconstructions", files.png_write(path(state.epoch), picture))
  end
  return monitor.built_in(self)
end

return callbacks
