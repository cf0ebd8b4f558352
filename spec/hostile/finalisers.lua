-- Finalisers that run inside the core's functions. Each function, method, metamethod and field is called while the
-- collector does a full cycle at each allocation. In one of these cycles a finaliser closes an operand, or removes it
-- from the table that holds it. The result must be the same as without, or a message that something is closed; the
-- address sanitizer sees uses of freed memory. It is a separate program, because a cycle visits everything in a state:
-- finalisers_spec.lua runs it in the program under test. It prints the name of each call before making it.
local core = require "moonglass.core"
require "moonglass"
local samples = dofile "spec/support/samples.lua"

local calls = samples.all()

local folder = os.tmpname()
os.remove(folder)
folder = folder .. "-"

-- ---- values as texts ----

local function numbers_of(list)
  if type(list) == "number" then return ("%a"):format(list) end
  local texts = {}
  for i, v in ipairs(list) do texts[i] = numbers_of(v) end
  return "{" .. table.concat(texts, " ") .. "}"
end

local digest

local function digest_table(v)
  local texts = {}
  for key, value in pairs(v) do texts[#texts + 1] = tostring(key) .. "=" .. digest(value) end
  table.sort(texts)
  return "{" .. table.concat(texts, ";") .. "}"
end

-- Error messages without their positions.
function digest(v)
  if type(v) == "string" then return (v:gsub("[%w_/.]+%.lua:%d+: ", "")) end
  if type(v) == "number" then return ("%a"):format(v) end
  if type(v) == "table" then return digest_table(v) end
  local name = type(v) == "userdata" and getmetatable(v).__name
  local closed = name and tostring(v) == name .. " (closed)"
  if name == "moonglass.tensor" and not closed then return v.dtype .. numbers_of(v:totable()) end
  return type(v) == "function" and "f" or tostring(v)
end

-- ---- operands ----

local function is_object(v) return type(v) == "userdata" and core.methods[getmetatable(v).__name] ~= nil end

local function close(v) getmetatable(v).__gc(v) end

-- Everything that the arguments reach: {close = object} or {owner =, key =}.
local function victims_of(arguments)
  local found = {}
  local function visit(t)
    for key, v in pairs(t) do
      if is_object(v) then found[#found + 1] = {object = v} end
      if t ~= arguments and key ~= "n" then found[#found + 1] = {owner = t, key = key} end
      if type(v) == "table" then visit(v) end
    end
  end
  visit(arguments)
  return found
end

-- The number of victims, and the k-th. An element of a table is then referenced only by the table.
local function count_victims(arguments, k)
  local victims = victims_of(arguments)
  return #victims, victims[k]
end

local function strike(victim)
  if victim.object then close(victim.object) else victim.owner[victim.key] = nil end
end

-- Fill freed blocks with new strings, so that a use after free sees no tensor.
local rubbish = {}

local function litter()
  for n = 24, 200, 8 do rubbish[n] = ("\5\0\0\0AAAA"):rep(n // 8 + 1):sub(1, n) .. n .. #rubbish end
end

-- ---- the walk ----

local ways = {
  function(f) return f() end,
  function(f) return coroutine.wrap(f)() end, -- code in a coroutine cannot see its callers
}

-- Make a finaliser that runs in every cycle and acts in the n-th. Return a function that stops it and returns how often
-- it ran.
local function arm(n, act)
  local runs, meta = 0, {}
  local function again() setmetatable({}, meta) end
  function meta.__gc()
    if not runs then return end
    runs = runs + 1
    if runs == n then act() end
    again()
  end
  again()
  return function()
    local count = runs
    runs = nil
    return count
  end
end

-- Make the call while its k-th victim is closed or removed in the n-th cycle; no victim if k is 0. Return {count =
-- number of victims, runs = number of cycles, removed = whether it was removed from a table, result = pcall's result}.
local function run(call, k, n, inner, outer)
  collectgarbage("stop")
  local arguments = table.pack(call.take(samples.objects(folder)))
  local count, victim = count_victims(arguments, k)
  local came = {count = count, removed = victim and victim.owner ~= nil}
  collectgarbage()
  local stop = arm(n, function()
    ways[inner](function()
      if victim then strike(victim) end
      litter()
    end)
  end)
  core.seed(1)
  collectgarbage("incremental", 1, 1000, 40) -- no pause (0 would leave it unchanged), and steps of a whole cycle
  collectgarbage("restart")
  came.result = table.pack(pcall(ways[outer], function() return call.f(table.unpack(arguments, 1, arguments.n)) end))
  came.runs = stop()
  collectgarbage("incremental", 200, 100, 13)
  return came
end

-- Results that vary: times, memory, and the identity of layers that a fit makes anew.
local varies = {["core.clock"] = true, ["core.info"] = true, ["moonglass.net:fit"] = true}

-- With a closed operand the result is the same or says that it is closed. Without an operand it is another call.
local function is_right(call, want, came)
  local got = digest(came.result)
  return came.removed or varies[call.name] or got == want or got:find("closed", 1, true) ~= nil, got
end

local most = 24 -- cycles tried for one victim

local function walk(call)
  local undisturbed, strikes = run(call, 0, 0, 1, 1), 0
  local want = digest(undisturbed.result)
  for k = 1, undisturbed.count do
    local n, runs = 0, 1
    while n < math.min(runs, most) do
      n = n + 1
      local came = run(call, k, n, n % 2 + 1, n // 2 % 2 + 1)
      local right, got = is_right(call, want, came)
      if not right then
        print(("wrong: %s, victim %d, cycle %d: %s, expected %s"):format(call.name, k, n, got, want))
      end
      runs, strikes = came.runs, strikes + 1
    end
  end
  return strikes
end

local total = 0
for _, call in ipairs(calls) do
  if not arg[1] or call.name:find(arg[1]) then -- an argument selects the calls whose names match it
    print(call.name)
    io.stdout:flush()
    total = total + walk(call)
  end
  local data = samples.objects().data
  if call.name == "core.interrupt" then pcall(data.batch, data, 1, 1) end -- batch ends the interrupt
end
for _, name in ipairs{"written", "there", "there.1"} do os.remove(folder .. name) end
print(("%d calls, %d strikes"):format(#calls, total))
