-- Rows a second that moonglass-anomaly scores, and how soon it answers to a row that is appended to a file:
--   build/moonglass scripts/anomaly/bench.lua [rows [answers]]
-- The rows are 30 drawn columns of seven digits. The time of a score is that of the whole program, with its output in
-- /dev/null; the best of five runs, since other programs disturb.
local moon = require "moonglass"

local rows, answers = math.tointeger(tonumber(arg[1] or 500000)), math.tointeger(tonumber(arg[2] or 1000))
local columns, runs = 30, 5
local program = arg[-1]:gsub("moonglass$", "moonglass-anomaly")
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
local csv, followed, detector = folder .. "/rows.csv", folder .. "/grows.csv", folder .. "/detector.safetensors"

-- The first names the columns. Rows hang together, so that there is something to learn.
local function write_rows(path, count)
  local file <close> = assert(io.open(path, "w"))
  local names = {}
  for k = 1, columns do names[k] = "c" .. k end
  file:write(table.concat(names, ","), "\n")
  moon.seed(1)
  local mix = moon.randn(4, columns)
  for first = 1, count, 10000 do
    local n = math.min(10000, count - first + 1)
    for _, row in ipairs((moon.randn(n, 4):matmul(mix) + moon.randn(n, columns) * 0.1):totable()) do
      for k, v in ipairs(row) do row[k] = ("%.7g"):format(v) end
      file:write(table.concat(row, ","), "\n")
    end
  end
end

-- Run a command: seconds that passed, seconds of processors.
local function run(command)
  local start = moon.clock()
  local pipe <close> = assert(io.popen(command .. " >/dev/null && times"))
  local own, children = pipe:read("l", "l")
  assert(own and children, command)
  local user, system = children:match("m([%d.]+)s %d+m([%d.]+)s")
  return moon.clock() - start, user + system
end

local function measure_speed()
  write_rows(csv, rows)
  local best, least = math.huge, math.huge
  for _ = 1, runs do
    local passed, used = run(("%s score %s %s"):format(program, detector, csv))
    best, least = math.min(best, passed), math.min(least, used)
  end
  print(("score: %d rows of %d columns in %.2f s: %.0f rows a second; %.2f s of processors (best of %d)"):format(rows,
    columns, best, rows / best, least, runs))
end

-- From before a row is appended until its answer is read.
local function measure_answers()
  local file <close> = assert(io.open(followed, "a"))
  local pipe = assert(io.popen(("echo $$; exec %s score %s %s --follow"):format(program, detector, followed)))
  local line = ("0.5,"):rep(columns - 1) .. "0.5\n"
  local process = assert(math.tointeger(pipe:read("n", "l")))
  assert(pipe:read("l"))
  local times = {}
  for i = 1, answers do
    local start = moon.clock()
    file:write(line)
    file:flush()
    assert(pipe:read("l"))
    times[i] = (moon.clock() - start) * 1000
  end
  table.sort(times)
  print(("follow: %d answers after ms: first %.2f, median %.2f, 99 %% %.2f, last %.2f"):format(answers, times[1],
    times[(answers + 1) // 2], times[math.ceil(answers * 0.99)], times[answers]))
  os.execute("kill " .. process)
  pipe:close()
end

write_rows(csv, 20000)
run(("%s fit %s -o %s --quiet"):format(program, csv, detector))
write_rows(followed, 1)
measure_speed()
measure_answers()
os.execute("rm -r " .. folder)
