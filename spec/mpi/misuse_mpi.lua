-- Wrong values, on all ranks or on one, in the calls of moonglass.mpi: the same clear error on all ranks, and the next
-- call works. Errors of any type in a callback; a coroutine that ends within fit.
-- ranks: 1 2 3
-- mpi: openmpi mpich
-- seconds: 120
local moon = require "moonglass"
local core = require "moonglass.core"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"

moon.set_threads(1)

local last = mpi.size - 1

-- Is the value that of the last rank? Then the error names it, unless it is alone.
local function only_last(words) return mpi.size == 1 and words or ("rank %d: %s"):format(last, words) end

local function refused(words, f, ...)
  local ok, raised = pcall(f, ...)
  assert(not ok, "expected an error")
  check.equal((tostring(raised):gsub("^[^ ]+%.lua:%d+: ", "")), words)
  check.equal(mpi.reduce(1), mpi.size, "the next sum")
end

check("broadcast: a root that is no rank", function()
  for _, value in ipairs{-1, mpi.size, 1.5, "0", true, 1 << 32, math.mininteger} do
    local words = value == "0" and "'0'" or tostring(value)
    local expected = ("broadcast: root is %s, expected a rank, from 0 to %d"):format(words, last)
    refused(expected, mpi.broadcast, 1, value)
    refused(only_last(expected), mpi.broadcast, 1, mpi.rank == last and value or 0)
  end
end)

check("reduce: a value that has no sum", function()
  for _, case in ipairs{{"3", "'3'"}, {{}, "a table"}, {true, "true"},
    {moon.rand(2, 3):byte(), "a tensor [2 x 3] uint8"}} do
    local expected = ("reduce: got %s, expected a number or a float32 tensor"):format(case[2])
    refused(expected, mpi.reduce, case[1])
    if mpi.size > 1 then refused(only_last(expected), mpi.reduce, mpi.rank == last and case[1] or 1) end
  end
  refused('reduce: expected "sum", got \'max\'', mpi.reduce, 1, "max")
end)

check("reduce: sums of integers are exact, and an integer may meet a float", function()
  check.equal(mpi.reduce((1 << 53) + 1), ((1 << 53) + 1) * mpi.size)
  check.equal(mpi.reduce(math.maxinteger), math.maxinteger * mpi.size, "it wraps around as in Lua")
  check.equal(math.type(mpi.reduce(mpi.rank == last and 0.5 or 2)), "float")
  check.equal(mpi.reduce(mpi.rank == last and 0.5 or 2), 0.5 + 2 * last)
end)

check("broadcast: values keep all their bits, and a table its depth", function()
  local deep, text = {}, ("x"):rep(5000000)
  for _ = 1, 90 do deep = {deep} end
  local got = mpi.broadcast({0 / 0, -0.0, 1 / 0, math.mininteger, (1 << 60) + 1, text, "\0", [false] = deep}, last)
  assert(got[1] ~= got[1] and 1 / got[2] == -1 / 0 and got[3] == 1 / 0)
  check.equal(got[4], math.mininteger)
  check.equal(got[5], (1 << 60) + 1)
  assert(got[6] == text and got[7] == "\0")
  local depth, t = 0, got[false]
  while t[1] do depth, t = depth + 1, t[1] end
  check.equal(depth, 90)
end)

check("an adder that is none is refused", function()
  local net, x = moon.autoencoder.plain{input = 4, hidden = 2}, moon.rand(3, 4)
  for _, value in ipairs{{}, 1, "x", true, print, io.stdout, x, net, moon.adam{}, coroutine.create(print)} do
    for _, f in ipairs{net.set_reducer, core.reduce} do
      local ok, text = pcall(f, f == core.reduce and value or net, f == core.reduce and x or value)
      assert(not ok and text:find("moonglass.reducer expected", 1, true), text)
    end
  end
end)

-- A hook raises on the last rank after the n-th instruction. A call that had begun by then has ended on all ranks.
check("Ctrl-C within a call: it is not left half done", function()
  local module = require(mpi.library:find("MPICH", 1, true) and "moonglass.mpich" or "moonglass.openmpi")
  local lowest, entered = module.lowest, false
  function module.lowest(n)
    entered = true
    return lowest(n)
  end
  local function limited(n, f, ...)
    debug.sethook(function()
      debug.sethook()
      error("interrupted!", 0)
    end, "", n)
    f(...)
    debug.sethook()
  end
  local function interrupted(n, f, ...)
    entered = false
    local ok = pcall(limited, n, f, ...)
    if not entered then f(...) end
    return not ok
  end
  local raised = 0
  for n = 1, 200 do
    local call = mpi.rank == last and interrupted or function(_, f, ...) return f(...) and false end
    if call(n, mpi.broadcast, {n, "x"}, 0) then raised = raised + 1 end
    if call(n, mpi.agree, true) then raised = raised + 1 end
    check.equal(mpi.broadcast(n + mpi.rank, 0), n)
  end
  module.lowest = lowest
  assert(raised > 20 or mpi.rank ~= last, "no call was interrupted")
end)

if mpi.size > 1 then
  check("broadcast: roots that differ", function()
    refused(("rank %d: broadcast: root is 1, but 0 on another rank"):format(last), mpi.broadcast, 1,
      mpi.rank == last and 1 or 0)
  end)

  check("reduce: values of which each rank has another kind or shape", function()
    local big = moon.rand(300, 400) -- another number of messages than for the small one
    for _, case in ipairs{
      {moon.rand(2, 3), moon.rand(3, 2), "a tensor [2 x 3], but rank 0 a tensor [3 x 2]"},
      {big, moon.rand(3), "a tensor [300 x 400], but rank 0 a tensor [3]"},
      {1, moon.rand(3), "a number, but rank 0 a tensor [3]"}, {big, 1, "a tensor [300 x 400], but rank 0 a number"},
    } do
      refused(only_last("reduce: got " .. case[3]), mpi.reduce, mpi.rank == last and case[1] or case[2])
    end
  end)

  local function fit(callback)
    moon.seed(1)
    local net, x = moon.autoencoder.plain{input = 6, hidden = 3}, moon.rand(40, 6)
    return net, function()
      net:fit(x, {loss = "mse", distributed = mpi, epochs = 2, batch_size = 20, seed = 1, callbacks = {callback}})
    end
  end

  local errors = {
    {{}, "(error object is a table value)"}, {nil, "(error object is a nil value)"},
    {setmetatable({}, {__tostring = function() return "own words" end}), "own words"},
    {setmetatable({}, {__tostring = function() error("none") end}), "(error object is a table value)"},
    {setmetatable({}, {__tostring = function() return 1 < 2 end}), "(error object is a table value)"},
  }

  check("an error of any type in a callback of one rank, or of all", function()
    for i = 1, 5 do
      local value, words = errors[i][1], errors[i][2]
      local _, one = fit{on_epoch_end = function() if mpi.rank == last then error(value) end end}
      refused(only_last(words), one)
      local _, all = fit{on_batch_end = function() error(value) end}
      refused(words, all)
    end
  end)

  check("a fit in a coroutine that is closed on all ranks; the net trains on", function()
    local net, train = fit{on_batch_end = function() if coroutine.isyieldable() then coroutine.yield() end end}
    local thread = coroutine.create(train)
    assert(coroutine.resume(thread))
    assert(coroutine.close(thread))
    train()
    check.equal(mpi.broadcast(net:bytes(), 0) == net:bytes(), true, "the same weights")
  end)
end

check("an argument too many is refused, on this rank alone", function()
  for name, most in pairs{
    barrier = "none", finalize = "none", agree = "at most 2 (ok, message)", broadcast = "at most 2 (value, root)",
    reduce = "at most 2 (value, how)", fail = "at most 1 (message)", abort = "at most 1 (message)",
  } do
    local ok, message = pcall(mpi[name], 1, 2, 3)
    local words = ("%s: got 3 arguments, expected %s"):format(name, most)
    assert(not ok and message:sub(-#words) == words, message)
  end
end)

mpi.barrier()
mpi.finalize()
mpi.finalize()
for name, f in pairs{
  reduce = function() mpi.reduce(1) end, broadcast = function() mpi.broadcast(1) end, barrier = mpi.barrier,
  agree = function() mpi.agree(true) end,
} do
  local ok, text = pcall(f)
  local words = name .. ": MPI is finalised: this call must come before mpi.finalize()"
  if ok or not text:find(words, 1, true) then error(("after finalize: %s: %s"):format(name, text)) end
end

check.done()
