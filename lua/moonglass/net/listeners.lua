--- The functions that fit calls: those of its callbacks, by event.
local callbacks = require "moonglass.net.callbacks"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local listeners = {}

local events = {
  "on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_checkpoint", "on_train_end", "on_abort",
}
local is_event = {}
for _, name in ipairs(events) do is_event[name] = true end

local function check_events(callback)
  for name in pairs(callback) do
    if type(name) == "string" and name:find("^on_") and not is_event[name] then
      errors.raise("fit: a callback has no event '%s'%s (known: %s)", name, options.question(name, events),
        table.concat(events, ", "))
    end
  end
end

local function add_methods(lists, callback)
  local hears = callback.snapshot ~= nil
  for name, list in pairs(lists) do
    if callback[name] then
      if type(callback[name]) ~= "function" then
        errors.raise("fit: a callback's %s is %s, expected a function", name, options.show(callback[name]))
      end
      list[#list + 1] = function(state) return callback[name](callback, state) end
      hears = true
    end
  end
  if not hears then
    errors.raise("fit: a callback has no function that fit calls, expected at least one of %s",
      table.concat(events, ", "))
  end
end

local function add(lists, callback)
  if type(callback) == "function" then
    table.insert(lists.on_epoch_end, callback)
    return
  end
  if type(callback) ~= "table" then
    errors.raise("fit: a callback is %s, expected a function or a table of %s", options.show(callback),
      table.concat(events, ", "))
  end
  check_events(callback)
  add_methods(lists, callback)
end

-- The caller wrote moon.callbacks.progress instead of moon.callbacks.progress().
local function refuse_constructor(callback)
  for name, constructor in pairs(callbacks) do
    if rawequal(callback, constructor) then
      errors.raise("fit: a callback is the function %s itself, expected what it makes: moon.callbacks.%s()", name, name)
    end
  end
end

--- The option callbacks is a list. A single callback is a table too, and would pass for an empty list.
function listeners.check(list)
  for key, callback in pairs(list) do
    if type(key) == "string" then
      errors.raise("fit: callbacks is a table with names in it, expected a list of callbacks: {callback, ...}")
    end
    refuse_constructor(callback)
  end
end

--- For each event, and for `check`, the list of functions to call, in the callbacks' order; progress comes first.
function listeners.new(list, verbose)
  local lists = {check = {}}
  for _, name in ipairs(events) do lists[name] = {} end
  if verbose > 0 then add(lists, callbacks.progress{bar = verbose == 1}) end
  for _, callback in ipairs(list) do add(lists, callback) end
  return lists
end

--- Calls every function of a list.
function listeners.fire(list, state)
  for i = 1, #list do list[i](state) end
end

-- Calls the i-th function and all after it, even if one raises. That error is dropped; other errors come out.
local function tell(list, i, state)
  if not list[i] then return end
  local rest <close> = setmetatable({}, { -- luacheck: ignore rest
    __close = function() tell(list, i + 1, state) end,
  })
  errors.caught(list[i], state)
end

--- Tells all callbacks that the training did not reach its end: they close an open line or file.
function listeners.abort(lists, state) tell(lists.on_abort, 1, state) end

return listeners
