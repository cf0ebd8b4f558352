--- Several processes that run one script: `local mpi = require "moonglass.mpi"`, which initialises MPI.
local arity = require "moonglass.support.arity"
local choose = require "moonglass.mpi.choose"
local core = require "moonglass.core"
local distributed = require "moonglass.net.distributed"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local values = require "moonglass.mpi.values"

local module, library, launched = choose.module()
local own = module.init()

if own.size == 1 and (launched or 1) > 1 then
  error(("moonglass.mpi: the launcher started %d processes, but %s sees one: it is another MPI's launcher")
    :format(launched, library), 0)
end

--- Several processes, the ranks, that run one script: `local mpi = require "moonglass.mpi"`, which initialises MPI.
--- `net:fit` and `net:evaluate` take it as `distributed`; the functions are for what else ranks say to each other. All
--- ranks make the same calls in the same order.
---@class moonglass.mpi
---@name mpi
---@field rank integer the number of this process, from 0
---@field size integer how many processes there are
---@field first boolean true on rank 0
---@field host string this machine's name
---@field library string the MPI and its version: "Open MPI 4.1.4"
---@field timeout number 30, may be set: seconds until a rank that is silent, or lets others wait, ends the run
---@field reducer moonglass.Reducer for `net:set_reducer`
local mpi = {
  rank = own.rank, size = own.size, host = own.host, library = library, first = own.rank == 0,
  reducer = module.adder(),
}

local settings = {}
function settings.__index(_, key) return key == "timeout" and module.timeout() or nil end
function settings.__newindex(_, key, v)
  if key ~= "timeout" then error(("mpi.%s cannot be set, only mpi.timeout"):format(tostring(key)), 2) end
  if type(v) ~= "number" or not (v >= 2 and v < math.huge) then
    error(("mpi.timeout is %s, expected seconds, 2 or more"):format(options.show(v)), 2)
  end
  module.timeout(v)
end

--- Wait until all ranks are here.
function mpi.barrier() errors.guard(module.barrier) end

--- End MPI, after the last call of this module. The end of the script does it, too.
function mpi.finalize() errors.guard(module.finalize) end

local function finish(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

-- f(...), which Ctrl-C or a limit in time cannot leave half done while the others wait for the rest of it: hooks are of
-- a thread, and come in the script's own one when f has ended. The watch's messages call it `name`.
local function undivided(name, f, ...)
  module.begin(name)
  local thread = coroutine.create(f)
  if host.debug then host.debug.sethook(thread) end -- it has got those of its maker
  return finish(coroutine.resume(thread, ...))
end

local function agree(ok, message)
  local failed = module.lowest(ok and mpi.size or mpi.rank)
  if failed == mpi.size then return end
  local words = message == nil and "agree: ok is false" or errors.text(message)
  local text = module.broadcast(words, failed)
  local same = not ok and words == text
  if module.sum(same and 1 or 0) == mpi.size then error(text, 0) end
  error(("rank %d: %s"):format(failed, text), 0)
end

--- Go on if `ok` is true on all ranks. Otherwise raise one error on all of them: the message of the first rank whose
--- `ok` is not true, with the rank's number before it unless all give the same message.
---@param ok any false or nil: this rank has failed
---@param message string? why
function mpi.agree(ok, message) return undivided("agree", agree, ok, message) end

local function broadcast(value, root)
  local fine, bytes = true, ""
  if mpi.rank == root then fine, bytes = pcall(values.pack, value) end
  agree(fine, "broadcast: " .. tostring(bytes))
  return values.unpack(module.broadcast(bytes, root))
end

local function shape_of(t) return native.is_tensor(t) and native.shape_text(t) or type(t) end

local function cast_tensor(t, root, shape)
  local mine = shape_of(t)
  agree(mine == shape, ("broadcast: got %s, expected a tensor %s as on rank %d"):format(mine, shape, root))
  if t.dtype == "float32" then return core.reduce(module.caster(root), t) end
  local copy = t:float()
  core.reduce(module.caster(root), copy)
  return t:copy_(copy)
end

-- A rank that names another root would wait for ever, or get what belongs to a later call.
local function check_root(given)
  local root = math.type(given) and math.tointeger(given)
  if root and (root < 0 or root >= mpi.size) then root = nil end
  local least = module.lowest(root or -1)
  agree(root, ("broadcast: root is %s, expected a rank, from 0 to %d"):format(options.show(given), mpi.size - 1))
  agree(root == least, ("broadcast: root is %d, but %d on another rank"):format(root, least))
  return root
end

local function broadcast_checked(value, root)
  root = check_root(root or 0)
  local tensor = broadcast(mpi.rank == root and native.is_tensor(value) and native.shape_text(value) or nil, root)
  if not tensor then return broadcast(value, root) end
  cast_tensor(value, root, tensor)
  return value
end

--- Give all ranks the value of one: nil, a boolean, a number, a string, or a table of these. A tensor is written over
--- the other ranks' tensor of the same shape.
---@param value any the other ranks' values do not count, except that they have a tensor for a tensor
---@param root integer? default 0: the rank whose value it is, the same on all ranks
---@return any value the tensor, or a copy of the value
function mpi.broadcast(value, root)
  return errors.guard_as("broadcast", "agree", undivided, "broadcast", broadcast_checked, value, root)
end

local function kind_of(v)
  if type(v) == "number" then return "a number" end
  return native.is_tensor(v) and "a tensor " .. native.shape_text(v) or options.show(v)
end

-- Sums of values that differ in kind or shape would be of elements that do not belong together.
local function check_terms(value)
  local kind = kind_of(value)
  local summable = type(value) == "number" or native.is_tensor(value) and value.dtype == "float32"
  local first = module.broadcast(kind, 0)
  agree(summable and kind == first, not summable and ("reduce: got %s, expected a number or a float32 tensor")
    :format(kind) or ("reduce: got %s, but rank 0 %s"):format(kind, first))
end

local function reduce_checked(value)
  check_terms(value)
  if native.is_tensor(value) then
    core.reduce(mpi.reducer, value)
    return value
  end
  local whole = module.lowest(math.type(value) == "integer" and 1 or 0) == 1
  return (whole and module.sum_whole or module.sum)(value)
end

--- Sum a number, or a tensor element by element, over all ranks. All get the same bits.
---@param value number|moonglass.Tensor a tensor is float32, of the same shape on all ranks, and becomes the sum
---@param how "sum"?
---@return number|moonglass.Tensor sum the tensor itself, or a number: an integer if all have one
function mpi.reduce(value, how)
  if how ~= nil and how ~= "sum" then errors.raise("reduce: expected \"sum\", got %s", options.show(how)) end
  return errors.guard_as("reduce", "broadcast", undivided, "reduce", reduce_checked, value)
end

--- End all ranks with a message, which rank 0 prints. Any rank may call it, alone.
---@param message string
function mpi.fail(message) module.fail(errors.text(message)) end

--- `mpi.fail`.
---@name mpi.abort(message)
---@param message string
mpi.abort = mpi.fail

-- For fit and evaluate with the option distributed: the ranks as a group (net/join.lua).
function mpi.join(what) return distributed.join(mpi, what) end

if mpi.size > 1 or launched then -- a process alone may outlive the shell that started it
  local why = module.watch()
  mpi.agree(not why, why)
end

arity.check_all(mpi)

return setmetatable(mpi, settings)
