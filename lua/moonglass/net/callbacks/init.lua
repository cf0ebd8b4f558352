--- moon.callbacks. A callback of a few lines stands in this file. A longer one has its own file in this folder, and its
-- name in the list below. What a callback remembers goes through a checkpoint: net/checkpoint/snapshots.lua.
local compatibility = require "moonglass.net.compatibility"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local image = require "moonglass.pictures.image"
local monitor = require "moonglass.net.callbacks.monitor"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local paths = require "moonglass.net.callbacks.paths"

---The state of a training that `fit` passes to callbacks. Set `stop` to end the training.
---@class moonglass.State
---@field net moonglass.Net
---@field opt moonglass.AnyOptimizer
---@field epoch integer the current epoch, from 1
---@field epochs integer the last epoch
---@field initial_epoch integer the number of epochs done before
---@field batch integer the current batch, from 1
---@field batches integer batches per epoch
---@field batch_size integer
---@field rows integer rows per epoch
---@field loss number? the epoch's loss; in `on_batch_end` the mean so far
---@field batch_loss number? the loss of this batch, in `on_batch_end`
---@field val_loss number? after the epoch, with validation
---@field metrics table<string, number> of the option `metrics`: in `on_batch_end` the means so far, then of the epoch
---@field figures string[] the names of all that a callback can monitor
---@field directions table<string, "min"|"max"> of loss and metrics, where what they measure tells what is better
---@field validation_freq integer there is a val_loss after every this many epochs
---@field seconds number? the epoch's training time, without validation
---@field rows_per_second number?
---@field seed integer? nil in `check` if it was not given: it is drawn later
---@field validation boolean true if there is validation data
---@field trained integer? epochs of all fits of this net, including the current one
---@field history moonglass.History
---@field callbacks (moonglass.Callback|fun(state: moonglass.State))[] the callbacks of this `fit`
---@field resumed boolean true if the option `resume` was given
---@field stop boolean true ends the training
---@field stopped string? why the training ended on a loss that is NaN or infinite

---A callback of `fit`: a table with any of these fields. A plain function is called after each epoch.
---@class moonglass.Callback
---@field name string? its name in a checkpoint
---@field writes boolean? true: it writes or prints, so with the option `distributed` only rank 0 has it
---@field check (fun(self, state: moonglass.State))? called before anything is trained or written: raises what is wrong
---@field on_train_begin (fun(self, state: moonglass.State))?
---@field on_epoch_begin (fun(self, state: moonglass.State))?
---@field on_batch_end (fun(self, state: moonglass.State))?
---@field on_epoch_end (fun(self, state: moonglass.State))?
---@field on_checkpoint (fun(self, state: moonglass.State))? called after every on_epoch_end: the time to save
---@field on_train_end (fun(self, state: moonglass.State))?
---@field on_abort (fun(self, state: moonglass.State))? called when an error or a closed coroutine ends the training
---@field snapshot (fun(self): table, table?)? what a checkpoint keeps: numbers, texts and booleans; then tensors
---@field restore (fun(self, values: table, tensors: table, state: moonglass.State))? takes back what snapshot gave

---The built-in callbacks.
---@class moonglass.callbacks
local callbacks = {}

for _, name in ipairs{"checkpoint", "csv_logger", "early_stopping", "progress", "schedules", "warm_up"} do
  for constructor, f in pairs(require("moonglass.net.callbacks." .. name)) do callbacks[constructor] = f end
end

---Write a picture after each epoch: epoch_001.png, epoch_002.png and so on. It shows rows above their reconstructions.
---@param dir string a folder that exists
---@param x moonglass.Tensor [rows x in], where rows are images
---@return moonglass.Callback callback
function callbacks.reconstructions(dir, x)
  paths.check("reconstructions", dir)
  if dir == "" then errors.raise("reconstructions: path is '', expected a folder: '.' is the current one") end
  if not native.is_tensor(x) then errors.raise("reconstructions: x is %s, expected a tensor", options.show(x)) end
  local self = {writes = true}

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

---Show rows above their reconstructions on a terminal, redrawn in place after epochs. Elsewhere it does nothing.
---@param x moonglass.Tensor [rows x h*w], or [rows x h x w]
---@param options moonglass.LiveOptions?
---@return moonglass.Callback callback
function callbacks.show(x, given) return require("moonglass.pictures.live")(x, given) end

return callbacks
