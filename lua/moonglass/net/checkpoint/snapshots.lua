--- Snapshots: what callbacks remember between two epochs, for a checkpoint. A callback that remembers something has two
-- methods: snapshot(self) -> values, tensors, where values are numbers, texts and booleans by name, and tensors are
-- tensors by name, or nil; and restore(self, values, tensors, state), which is called after all on_train_begin.
-- A snapshot belongs to a name and a place among the callbacks of that name. So other callbacks may come, go and change
-- places between two runs.
local errors = require "moonglass.support.errors"
local monitor = require "moonglass.net.callbacks.monitor"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local snapshots = {}

-- The callbacks with snapshots: a list of {key =, callback =}. The key "early_stopping.1" is the first of that name.
local function keyed(callbacks)
  local list, seen = {}, {}
  for _, callback in ipairs(callbacks) do
    if type(callback) == "table" and callback.snapshot then
      local name = callback.name or "callback"
      if type(name) ~= "string" or not name:find("^[%w_]+$") then
        errors.raise("a callback's name is %s, expected letters, digits and _", options.show(name))
      end
      if not callback.restore then errors.raise("callback %s has snapshot, but no restore: expected both", name) end
      seen[name] = (seen[name] or 0) + 1
      list[#list + 1] = {key = ("%s.%d"):format(name, seen[name]), callback = callback}
    end
  end
  return list
end

--- Before a training with checkpoints: are the names valid, and does each callback have both methods?
function snapshots.check(callbacks) keyed(callbacks) end

local plain = {number = true, string = true, boolean = true}

local function check(key, values, tensors)
  for name, v in pairs(values) do
    if not plain[type(v)] then
      errors.raise("snapshot of %s: %s is %s, expected a number, a text or a boolean", key, name, options.show(v))
    end
  end
  for name, t in pairs(tensors) do
    if not native.is_tensor(t) then
      errors.raise("snapshot of %s: %s is %s, expected a tensor", key, name, options.show(t))
    end
  end
end

--- The snapshots of a list of callbacks: {[key] = {values =, tensors =}}. The tensors are not copied.
function snapshots.take(callbacks)
  local taken = {}
  for _, entry in ipairs(keyed(callbacks)) do
    local values, tensors = entry.callback:snapshot()
    values, tensors = values or {}, tensors or {}
    check(entry.key, values, tensors)
    taken[entry.key] = {values = values, tensors = tensors}
  end
  return taken
end

-- A file may hold anything. Every value of the callback's present snapshot must be in the saved one, with the same
-- type.
local function check_saved(entry, saved)
  for name, v in pairs(entry.callback:snapshot() or {}) do
    local kept = saved.values[name]
    if type(kept) ~= type(v) and (kept ~= nil or monitor.is_built_in(entry.callback)) then
      errors.raise("resume: %s of callback %s is %s in the checkpoint, expected a %s", name, entry.key,
        options.show(kept), type(v))
    end
  end
end

--- Restores each callback from its snapshot. A callback without a snapshot starts afresh.
function snapshots.give(callbacks, taken, state)
  for _, entry in ipairs(keyed(callbacks)) do
    local saved = taken[entry.key]
    if saved then
      check_saved(entry, saved)
      entry.callback:restore(saved.values, saved.tensors, state)
    end
  end
end

return snapshots
