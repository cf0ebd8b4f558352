--- moon.checkpoint.load: the reverse of save.lua. A file may hold anything, so every entry is checked.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local damage = require "moonglass.support.damage"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local fill = require "moonglass.net.fill"
local halves = require "moonglass.net.halves"
local native = require "moonglass.support.native"
local new_history = require "moonglass.net.history"
local options = require "moonglass.support.options"
local texts = require "moonglass.net.checkpoint.texts"

---@class moonglass.checkpoint
local checkpoint = {}

local bad = damage.raise

-- A whole number of at least 0, or of any size where `signed` is true.
local function whole(metadata, key, signed)
  local v = metadata[key] and math.tointeger(tonumber(metadata[key]))
  if not v or (v < 0 and not signed) then
    bad("%s is '%s', expected a whole number%s", key, tostring(metadata[key]), v and " of at least 0" or "")
  end
  return v
end

local function option_value(text)
  if text == "true" or text == "false" then return text == "true" end
  return texts.to_number(text) or text
end

-- Checks the kind, and the names and types of the options, first. The constructor then can only refuse a number out of
-- range.
local function make_optimizer(kind, given)
  local known = false
  for _, name in ipairs(core.registered("optimizers")) do known = known or name == kind end
  if not known then bad("opt.kind is '%s' (known: %s)", kind, table.concat(core.registered("optimizers"), ", ")) end
  local defaults = core.optimizer(kind):state()
  defaults.kind, defaults.steps = nil, nil
  for name, v in pairs(given) do
    local default = defaults[name]
    if default == nil then bad("%s: unknown option '%s'", kind, name) end
    if type(v) ~= type(default) then
      bad("%s: %s is %s, expected a %s", kind, name, options.show(v), type(default))
    end
  end
  local ok, opt = errors.caught(core.optimizer, kind, given)
  if ok then return opt end
  local refused = type(opt) == "string" and opt:find(kind .. ": ", 1, true) == 1
  if not refused then error(opt, 0) end
  bad("%s", opt)
end

local function has_moments(tensors, parameter)
  local prefix = ("opt.%s."):format(parameter)
  for name in pairs(tensors) do
    if name:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local function read_optimizer(metadata, tensors, net)
  local given = {}
  for key, text in pairs(metadata) do
    local name = key:match("^opt%.option%.(.+)$")
    if name then given[name] = option_value(text) end
  end
  local opt = make_optimizer(metadata["opt.kind"], given)
  opt:set_steps(whole(metadata, "opt.steps"))
  local parameters = net:parameters()
  for _, parameter in ipairs(parameters) do
    if has_moments(tensors, parameter.name) then parameter.trainable = nil end -- frozen after it had been trained
  end
  for i, moments in ipairs(opt:moments(parameters)) do
    for slot, moment in pairs(moments) do
      local name = ("opt.%s.%s"):format(parameters[i].name, slot)
      local saved = tensors[name]
      if not saved then bad("tensor '%s' is missing", name) end
      local expected, got = native.shape_text(moment), native.shape_text(saved)
      if got ~= expected then bad("tensor '%s' is %s, expected %s", name, got, expected) end
      moment:copy_(saved)
    end
  end
  return opt
end

-- For each entry "callback.<key>.<name>": f(remembered[key], name, value).
local function each_remembered(remembered, entries, f)
  for entry, v in pairs(entries) do
    local key, name = entry:match("^callback%.([%w_]+%.%d+)%.(.+)$")
    if key then
      remembered[key] = remembered[key] or {values = {}, tensors = {}}
      f(remembered[key], name, v)
    end
  end
end

local function read_callbacks(metadata, tensors)
  local remembered = {}
  each_remembered(remembered, metadata, function(of, name, text)
    local v = texts.to_value(text)
    if v == nil then bad("%s of a callback is %s, expected a number, true, false or a text after '", name, text) end
    of.values[name] = v
  end)
  each_remembered(remembered, tensors, function(of, name, t) of.tensors[name] = t end)
  return remembered
end

-- A list with n entries, one for each epoch; the list of losses itself has no empty entry.
local function read_list(metadata, name, n)
  local key = "history." .. name
  local list, count = texts.to_list(metadata[key])
  if not list then bad("%s: '%s' is not a number", key, count) end
  if name == "loss" and #list ~= count then bad("%s: an epoch has no loss", key) end
  if n and count ~= n then bad("%s has %d numbers, expected %d", key, count, n) end
  return list, count
end

local function read_metrics(metadata, n)
  local metrics = {}
  for key in pairs(metadata) do
    local name = key:match("^history%.metrics%.(.+)$")
    if name then metrics[name] = read_list(metadata, "metrics." .. name, n) end
  end
  return metrics
end

local function read_history(metadata)
  if not metadata["history.epochs"] then return nil end
  local loss, n = read_list(metadata, "loss")
  return new_history{
    loss = loss, val_loss = read_list(metadata, "val_loss", n), epoch_seconds = read_list(metadata, "epoch_seconds", n),
    metrics = read_metrics(metadata, n), epochs = whole(metadata, "history.epochs"),
  }
end

-- The net of a checkpoint, or what is to be done to fill the given one.
local function read_net(what, net, tensors, metadata)
  if net then return net, fill.plan(what, net, tensors, metadata) end
  if metadata.mixed then
    bad("its net has layers written in Lua: make it by the same code, and give it: moon.%s(path, net)", what)
  end
  local made, message = core.net_from(tensors, metadata)
  if not made then bad("%s", message) end
  return halves.restore(made)
end

local function check_version(metadata)
  if not metadata["checkpoint"] then bad("not a checkpoint: there is no entry 'checkpoint'") end
  if metadata["checkpoint"] ~= texts.version then
    bad("a checkpoint of version '%s', expected '%s'", metadata["checkpoint"], texts.version)
  end
end

-- The net is filled at last, when all else has proved to be sound.
local function read(what, net, tensors, metadata)
  check_version(metadata)
  local of_net, plan = {}
  for name, t in pairs(tensors) do
    if not (name:find("^opt%.") or name:find("^callback%.")) then of_net[name] = t end
  end
  net, plan = read_net(what, net, of_net, metadata)
  local result = {
    net = net, opt = metadata["opt.kind"] and read_optimizer(metadata, tensors, net) or nil,
    epoch = whole(metadata, "epoch"), seed = metadata["seed"] and whole(metadata, "seed", true) or nil,
    history = read_history(metadata), callbacks = read_callbacks(metadata, tensors),
  }
  if plan then fill.carry_out(plan) end
  return result
end

-- The checkpoint of a file's contents, or what decoding them gave instead. where: what begins a message, or "".
local function checked(what, where, net, tensors, metadata, code)
  if not tensors then return nil, metadata, code end
  return damage.caught(where, read, what, net, tensors, metadata)
end

local function check_net(what, net)
  if net ~= nil then checks.is_net(what, net) end
end

---Load a checkpoint. A net that is given is filled, and becomes the checkpoint's; on failure it is as it was. It must
---have been made by the same code. A net with layers written in Lua must be given, because files hold no code.
---@param path string
---@param net moonglass.Net?
---@return moonglass.Checkpoint? checkpoint nil if the file cannot be read or is not a checkpoint
---@return string? message
---@return moonglass.Code? code
function checkpoint.load(path, net)
  local what = "checkpoint.load"
  checks.path(what, path)
  check_net(what, net)
  return checked(what, path .. ": ", net, errors.guard(files.safetensors_load, path))
end

---Load a checkpoint from the bytes of its file, which another process may have read.
---@param bytes string
---@param net moonglass.Net? as for `load`
---@return moonglass.Checkpoint? checkpoint nil if the bytes are not a checkpoint
---@return string? message
---@return moonglass.Code? code
function checkpoint.load_bytes(bytes, net)
  local what = "checkpoint.load_bytes"
  if type(bytes) ~= "string" then errors.raise("%s: bytes is %s, expected a string", what, options.show(bytes)) end
  check_net(what, net)
  return checked(what, "", net, errors.guard_as(what, "safetensors_decode", core.safetensors_decode, bytes))
end

return checkpoint
