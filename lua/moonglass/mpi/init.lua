--- Several processes that run one script: `local mpi = require "moonglass.mpi"`, which initialises MPI.
local choose = require "moonglass.mpi.choose"
local core = require "moonglass.core"
local distributed = require "moonglass.net.distributed"
local native = require "moonglass.support.native"
local values = require "moonglass.mpi.values"

local module, library, launched = choose.module()
local own = module.init()

if own.size == 1 and launched > 1 then
  error(("moonglass.mpi: the launcher started %d processes, but %s sees one: another MPI's launcher was used")
    :format(launched, library), 0)
end

local mpi = {
  rank = own.rank, size = own.size, host = own.host, library = library, first = own.rank == 0,
  reducer = module.adder(), finalize = module.finalize, barrier = module.barrier,
}

local settings = {}
function settings.__index(_, key) return key == "timeout" and module.timeout() or nil end
function settings.__newindex(_, key, v)
  if key ~= "timeout" then error(("mpi.%s cannot be set, only mpi.timeout"):format(tostring(key)), 2) end
  if type(v) ~= "number" or not (v >= 2 and v < math.huge) then
    error(("mpi.timeout is %s, expected seconds, 2 or more"):format(tostring(v)), 2)
  end
  module.timeout(v)
end

function mpi.agree(ok, message)
  local failed = module.lowest(ok and mpi.size or mpi.rank)
  if failed == mpi.size then return end
  local text = module.broadcast(tostring(message), failed)
  local same = not ok and tostring(message) == text
  if module.sum(same and 1 or 0) == mpi.size then error(text, 0) end
  error(("rank %d: %s"):format(failed, text), 0)
end

local function broadcast(value, root)
  local fine, bytes = true, ""
  if mpi.rank == root then fine, bytes = pcall(values.pack, value) end
  mpi.agree(fine, "broadcast: " .. tostring(bytes))
  return values.unpack(module.broadcast(bytes, root))
end

local function shape_of(t) return native.is_tensor(t) and native.shape_text(t) or type(t) end

local function cast_tensor(t, root, shape)
  local mine = shape_of(t)
  mpi.agree(mine == shape, ("broadcast: got %s, expected a tensor %s as on rank %d"):format(mine, shape, root))
  if t.dtype == "float32" then return core.reduce(module.caster(root), t) end
  local copy = t:float()
  core.reduce(module.caster(root), copy)
  return t:copy_(copy)
end

function mpi.broadcast(value, root)
  root = root or 0
  local tensor = broadcast(mpi.rank == root and native.is_tensor(value) and native.shape_text(value) or nil, root)
  if not tensor then return broadcast(value, root) end
  cast_tensor(value, root, tensor)
  return value
end

function mpi.reduce(value, how)
  if how ~= nil and how ~= "sum" then error("reduce: expected \"sum\", got " .. tostring(how), 2) end
  if native.is_tensor(value) then
    core.reduce(mpi.reducer, value)
    return value
  end
  local sum = module.sum(value)
  return math.type(value) == "integer" and math.tointeger(sum) or sum
end

function mpi.fail(message) module.fail(tostring(message)) end
mpi.abort = mpi.fail

-- For fit and evaluate with the option distributed: the ranks as a group (net/join.lua).
function mpi.join(what) return distributed.join(mpi, what) end

local why = module.watch()
mpi.agree(not why, why)

return setmetatable(mpi, settings)
