--- Checkpoints: all that a training needs to go on bit for bit, in one safetensors file: the saved net, the optimiser's
-- moments as "opt.<parameter>.<moment>", and as text entries its kind, options and steps, epoch, seed and history; and
-- what the callbacks remember, tensors and text entries both, as "callback.<name>.<number>.<what>".
--   local c = assert(moon.checkpoint.load(path))
--   c.net:fit(x, y, {loss = "mse", epochs = 10, resume = c})       -- loss, batch size and callbacks as they were
local autoencoder = require "moonglass.models.autoencoder"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local native = require "moonglass.support.native"
local new_history = require "moonglass.net.history"
local numeral = require "moonglass.support.numeral"
local options = require "moonglass.support.options"
local snapshots = require "moonglass.net.snapshots"

local checkpoint = {}

local version = "1"

-- ---- numbers as texts, exactly ----

local nan = string.unpack("<d", "\0\0\0\0\0\0\xf8\x7f") -- 0 / 0 would end a host that traps it
local special = {nan = nan, inf = math.huge, ["-inf"] = -math.huge}

local function number_text(v)
  if v ~= v then return "nan" end
  if v == math.huge then return "inf" end
  if v == -math.huge then return "-inf" end
  return math.type(v) == "integer" and ("%d"):format(v) or numeral("%a", v)
end

local function text_number(text) return special[text] or tonumber(text) end

-- The elements 1 to n, "-" where there is none.
local function list_text(list, n)
  local texts = {}
  for i = 1, n do texts[i] = list[i] and number_text(list[i]) or "-" end
  return table.concat(texts, " ")
end

-- nil and the first word that is neither a number nor "-".
local function text_list(text)
  local list, i = {}, 0
  for word in (text or ""):gmatch("%S+") do
    i = i + 1
    list[i] = text_number(word)
    if not list[i] and word ~= "-" then return nil, word end
  end
  return list, i
end

-- A number, a boolean or a text, which has ' before it.
local function value_text(v)
  if type(v) == "string" then return "'" .. v end
  return type(v) == "number" and number_text(v) or tostring(v)
end

local function text_value(text)
  if text:find("^'") then return text:sub(2) end
  if text == "true" or text == "false" then return text == "true" end
  return text_number(text)
end

-- ---- save ----

local function add_optimizer(opt, net, tensors, metadata)
  local state = opt:state()
  metadata["opt.kind"], metadata["opt.steps"] = state.kind, number_text(state.steps)
  state.kind, state.steps = nil, nil
  for name, v in pairs(state) do -- what is left is options
    metadata["opt.option." .. name] = type(v) == "number" and number_text(v) or tostring(v)
  end
  local parameters = net:parameters()
  for i, moments in ipairs(opt:moments(parameters)) do
    for slot, t in pairs(moments) do tensors[("opt.%s.%s"):format(parameters[i].name, slot)] = t end
  end
end

-- state.callbacks: fit's list of callbacks, or what load has made of one.
local function add_callbacks(state, tensors, metadata)
  local list = state.callbacks or {}
  for key, saved in pairs(list[1] and snapshots.take(list) or list) do
    if type(saved) ~= "table" or type(saved.values) ~= "table" or type(saved.tensors) ~= "table" then
      errors.raise("checkpoint.save: callbacks.%s is %s, expected {values =, tensors =}", tostring(key),
        options.show(saved))
    end
    local prefix = "callback." .. key .. "."
    for name, v in pairs(saved.values) do metadata[prefix .. name] = value_text(v) end
    for name, t in pairs(saved.tensors) do tensors[prefix .. name] = t end
  end
end

-- The tensors and the text entries of a file.
local function contents(state)
  local tensors, metadata = state.net:archive()
  if state.opt then add_optimizer(state.opt, state.net, tensors, metadata) end
  add_callbacks(state, tensors, metadata)
  metadata["checkpoint"] = version
  metadata["epoch"] = number_text(state.epoch or 0)
  if state.seed then metadata["seed"] = number_text(state.seed) end
  local history = state.history
  if history then
    local n = #(history.loss or {})
    metadata["history.epochs"] = number_text(history.epochs or n)
    for _, name in ipairs{"loss", "val_loss", "epoch_seconds"} do
      metadata["history." .. name] = list_text(history[name] or {}, n)
    end
  end
  return tensors, metadata
end

--- state: net, and if wanted opt, epoch, history, seed, callbacks; what fit hands to callbacks will do, best in
-- on_checkpoint, when all of them have seen the epoch.
-- true | nil, message, code
function checkpoint.save(path, state)
  checks.path("checkpoint.save", path)
  checks.state("checkpoint.save", state)
  if files.lacking("checkpoint.save") then return files.refuse("checkpoint.save") end
  return errors.guard(files.safetensors_save, path, errors.guard(contents, state))
end

-- ---- load ----

-- What is wrong with the file. Raised inside load, which gives it back as nil, message, "format", and nothing else.
local Damage = {}
local function bad(message, ...) error(setmetatable({message:format(...)}, Damage), 0) end

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
  return text_number(text) or text
end

-- The kind, and the names and types of its options, are looked at first; what is refused then is a number out of range.
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

local function read_optimizer(metadata, tensors, net)
  local given = {}
  for key, text in pairs(metadata) do
    local name = key:match("^opt%.option%.(.+)$")
    if name then given[name] = option_value(text) end
  end
  local opt = make_optimizer(metadata["opt.kind"], given)
  opt:set_steps(whole(metadata, "opt.steps"))
  local parameters = net:parameters()
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

-- Of each "callback.<key>.<name>" in a table: f(what is remembered under that key, name, the entry).
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
    local v = text_value(text)
    if v == nil then bad("%s of a callback is %s, expected a number, true, false or a text after '", name, text) end
    of.values[name] = v
  end)
  each_remembered(remembered, tensors, function(of, name, t) of.tensors[name] = t end)
  return remembered
end

-- A list as long as the losses, of which there is one for each epoch.
local function read_list(metadata, name, n)
  local key = "history." .. name
  local list, count = text_list(metadata[key])
  if not list then bad("%s: '%s' is no number", key, count) end
  if name == "loss" and #list ~= count then bad("%s: an epoch has no loss", key) end
  if n and count ~= n then bad("%s has %d numbers, expected %d", key, count, n) end
  return list, count
end

local function read_history(metadata)
  if not metadata["history.epochs"] then return nil end
  local loss, n = read_list(metadata, "loss")
  return new_history{
    loss = loss, val_loss = read_list(metadata, "val_loss", n), epoch_seconds = read_list(metadata, "epoch_seconds", n),
    epochs = whole(metadata, "history.epochs"),
  }
end

local function read(tensors, metadata)
  if not metadata["checkpoint"] then bad("not a checkpoint: there is no entry 'checkpoint'") end
  if metadata["checkpoint"] ~= version then
    bad("a checkpoint of version '%s', expected '%s'", metadata["checkpoint"], version)
  end
  local of_net = {}
  for name, t in pairs(tensors) do
    if not (name:find("^opt%.") or name:find("^callback%.")) then of_net[name] = t end
  end
  local net, message = core.net_from(of_net, metadata)
  if not net then bad("%s", message) end
  net = autoencoder.restore(net)
  return {
    net = net, opt = metadata["opt.kind"] and read_optimizer(metadata, tensors, net) or nil,
    epoch = whole(metadata, "epoch"), seed = metadata["seed"] and whole(metadata, "seed", true) or nil,
    history = read_history(metadata), callbacks = read_callbacks(metadata, tensors),
  }
end

--- {net=, opt=, epoch=, history=, seed=, callbacks=} | nil, message, code. fit's option resume takes it as it is.
function checkpoint.load(path)
  checks.path("checkpoint.load", path)
  local tensors, metadata, code = errors.guard(files.safetensors_load, path)
  if not tensors then return nil, metadata, code end
  local ok, result = pcall(errors.guard, read, tensors, metadata)
  if ok then return result end
  if getmetatable(result) ~= Damage then error(result, 0) end
  return nil, ("%s: %s"):format(path, result[1]), "format"
end

local most_kept = 10 -- by callbacks.checkpoint

local function is_missing(message) return message:find("No such file or directory", 1, true) ~= nil end

--- The newest whole one of path, path.1, path.2 ..., as callbacks.checkpoint(path, {keep=}) leaves them; and a list of
-- messages on those that were newer and could not be loaded, {} as a rule. nil, message, code if there is none.
function checkpoint.latest(path)
  local skipped, failure = {}, nil
  for i = 0, most_kept - 1 do
    local found, message, code = checkpoint.load(i == 0 and path or ("%s.%d"):format(path, i))
    if found then return found, skipped end
    local missing = is_missing(message)
    if i == 0 or not missing then skipped[#skipped + 1] = message end
    if not failure or (failure.missing and not missing) then
      failure = {message = message, code = code, missing = missing}
    end
  end
  return nil, failure.message, failure.code
end

return checkpoint
