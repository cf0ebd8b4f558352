-- Ctrl-C at random moments of training, in a session of the program in a separate terminal (util-linux's script). For
-- interrupts_spec.lua and spec/stress: dofile "spec/support/interrupts.lua".
local files = dofile "spec/support/files.lua"

local interrupts = {}

local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

--- Is there a `script` that runs a command in a terminal?
function interrupts.can_run()
  local output = files.run("script -qfec 'test -t 0 && echo terminal' /dev/null")
  return output:find("terminal", 1, true) ~= nil
end

-- What the session has. Every other training has a layer of Lua: there an interrupt may come between any two
-- instructions. After it the net is compared with one that was given as many whole steps.
local definitions = [[
moon = require "moonglass"
moon.set_threads(2)
local rows = 4096
moon.seed(1)
local x = moon.rand(rows, 100)

local function make(i)
  moon.seed(i)
  local layers = {moon.dense(100, 64, {activation = "relu"}), moon.dense(64, 100, {activation = "sigmoid"})}
  if i % 2 == 0 then
    table.insert(layers, 2, {forward = function(_, t) return t end, backward = function(_, t) return t end})
  end
  return moon.sequential(layers)
end

local function fit(net, i, given)
  given.loss, given.batch_size, given.seed, given.verbose = "mse", 32, i, 0
  return net:fit(x, given)
end

function run(i)
  net = make(i)
  print("training " .. i)
  fit(net, i, {epochs = 1000000, optimizer = moon.adam()})
end

local function same(a, b)
  local of_b = b:parameters()
  for k, parameter in ipairs(a:parameters()) do
    if parameter.value ~= of_b[k].value then return false end
  end
  return true
end

function check(i)
  local steps, again = net.optimizer and net.optimizer:steps() or 0, make(i)
  local left = steps
  local function count(_, state)
    left = left - 1
    state.stop = left == 0
  end
  if steps > 0 then fit(again, i, {epochs = 1000000, optimizer = moon.adam(), callbacks = {{on_batch_end = count}}}) end
  local whole = same(net, again)
  local worked = pcall(fit, net, i, {epochs = 1, optimizer = net.optimizer})
  print(("checked %d: steps %d, whole %s, trains %s."):format(i, steps, whole, worked))
end
]]

-- Wait until the log contains the pattern after position `at`, and return that part; nil after `seconds`.
local function wait_for(log, at, part, seconds, clock)
  local start = clock()
  while clock() - start < seconds do
    local file = io.open(log, "rb")
    file:seek("set", at)
    local text = file:read("a")
    file:close()
    if text:find(part) then return text end
    os.execute("sleep 0.002")
  end
end

--- n interrupts: {steps =, failures =, slowest =, late =}: the whole steps until then, texts, the longest time from
-- Ctrl-C to the prompt in seconds, and how many took longer than 200 ms.
function interrupts.run(clock, n)
  local log, source = os.tmpname(), os.tmpname()
  files.write(source, definitions)
  local session = assert(io.popen(
    ("TERM=dumb exec script -qfec %s /dev/null >%s 2>&1"):format(
      files.quote("env -u LUA_INIT -u LUA_INIT_5_4 HOME=/nonexistent " .. files.quote(program)), log), "w"))
  session:setvbuf("no")
  local result = {steps = 0, slowest = 0, late = 0, failures = {}}
  local function size() return #files.read(log) end
  wait_for(log, 0, "> ", 20, clock)
  session:write(("dofile '%s'\n"):format(source))
  for i = 1, n do
    local at = size()
    session:write(("run(%d)\n"):format(i))
    local text = wait_for(log, at, "training " .. i, 20, clock)
    os.execute(("sleep %.4f"):format((i * 7919 % 97) / 97 * 0.15))
    at = size()
    local start = clock()
    session:write("\3")
    text = text and wait_for(log, at, "interrupted", 20, clock) and wait_for(log, at, "> ", 20, clock)
    local seconds = clock() - start
    result.slowest = math.max(result.slowest, seconds)
    if seconds > 0.2 then result.late = result.late + 1 end
    at = size()
    session:write(("check(%d)\n"):format(i))
    text = text and wait_for(log, at, ("checked %d: steps .-trains %%a+%%."):format(i), 60, clock)
    local steps = text and text:match("steps (%d+), whole true, trains true%.")
    if steps then
      result.steps = result.steps + math.tointeger(tonumber(steps))
    else
      result.failures[#result.failures + 1] = ("interrupt %d: %s"):format(i, files.read(log):sub(at + 1))
    end
  end
  session:write("os.exit()\n")
  session:close()
  os.remove(log)
  os.remove(source)
  return result
end

return interrupts
