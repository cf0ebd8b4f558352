--- moon.checkpoint.save: the saved net, the optimizer's moments as "opt.<parameter>.<moment>", and as text entries the
-- optimizer's kind, options and steps, epoch, seed and history. What the callbacks remember, tensors and text entries,
-- is "callback.<name>.<number>.<what>".
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local options = require "moonglass.support.options"
local snapshots = require "moonglass.net.checkpoint.snapshots"
local texts = require "moonglass.net.checkpoint.texts"

---@class moonglass.checkpoint
local checkpoint = {}

-- Options that the first files do not have: only those that are on are saved, so that earlier versions read the file.
local added = {clip_value = true, clip_norm = true, global_clip_norm = true}

local function add_optimizer(opt, net, tensors, metadata)
  local state = opt:state()
  metadata["opt.kind"], metadata["opt.steps"] = state.kind, texts.of_number(state.steps)
  state.kind, state.steps = nil, nil
  for name, v in pairs(state) do -- the rest are options
    if not (added[name] and v == 0) then
      metadata["opt.option." .. name] = type(v) == "number" and texts.of_number(v) or tostring(v)
    end
  end
  local parameters = net:parameters()
  for i, moments in ipairs(opt:moments(parameters)) do
    for slot, t in pairs(moments) do tensors[("opt.%s.%s"):format(parameters[i].name, slot)] = t end
  end
end

-- state.callbacks: fit's list of callbacks, or the table that load returned.
local function add_callbacks(state, tensors, metadata)
  local list = state.callbacks or {}
  for key, saved in pairs(list[1] and snapshots.take(list) or list) do
    if type(saved) ~= "table" or type(saved.values) ~= "table" or type(saved.tensors) ~= "table" then
      errors.raise("checkpoint.save: callbacks.%s is %s, expected {values =, tensors =}", tostring(key),
        options.show(saved))
    end
    local prefix = "callback." .. key .. "."
    for name, v in pairs(saved.values) do metadata[prefix .. name] = texts.of_value(v) end
    for name, t in pairs(saved.tensors) do tensors[prefix .. name] = t end
  end
end

-- A list of validations as one of epochs, nil where there was none.
local function by_epoch(history, list)
  if not history.val_epochs then return list end
  local all, before = {}, (history.epochs or #history.loss) - #history.loss
  for k, epoch in ipairs(history.val_epochs) do all[epoch - before] = list[k] end
  return all
end

local function add_history(history, metadata)
  local n = #(history.loss or {})
  metadata["history.epochs"] = texts.of_number(history.epochs or n)
  for _, name in ipairs{"loss", "epoch_seconds"} do
    metadata["history." .. name] = texts.of_list(history[name] or {}, n)
  end
  metadata["history.val_loss"] = texts.of_list(by_epoch(history, history.val_loss or {}), n)
  for name, list in pairs(history.metrics or {}) do
    metadata["history.metrics." .. name] = texts.of_list(name:find("^val_") and by_epoch(history, list) or list, n)
  end
end

-- The tensors and the text entries of a file.
local function contents(state)
  local tensors, metadata = errors.guard_as("checkpoint.save", "archive", state.net.archive, state.net)
  if state.opt then add_optimizer(state.opt, state.net, tensors, metadata) end
  add_callbacks(state, tensors, metadata)
  metadata["checkpoint"] = texts.version
  metadata["epoch"] = texts.of_number(state.epoch or 0)
  if state.seed then metadata["seed"] = texts.of_number(state.seed) end
  if state.history then add_history(state.history, metadata) end
  return tensors, metadata
end

---Save a checkpoint. Writing is atomic: the file is complete, or as it was.
---@param path string
---@param state moonglass.Checkpoint|moonglass.State net, and optionally opt, epoch, seed, history, callbacks
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function checkpoint.save(path, state)
  checks.path("checkpoint.save", path)
  checks.state("checkpoint.save", state)
  if files.lacking("checkpoint.save") then return files.refuse("checkpoint.save") end
  return errors.guard(files.safetensors_save, path, errors.guard(contents, state))
end

return checkpoint.save
