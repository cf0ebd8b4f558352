-- Gates: print sizes of the libraries and counts of instructions, each beside its limit in limits.txt. A figure above
-- its limit fails. lua5.4 spec/gates/gates.lua check|record FOLDER CC CFLAGS: `make gates` and `make gates-record`.
--
-- callgrind counts the same instructions in every run of the same code. Other compilers, libraries and kernels have
-- other counts, so limits.txt names the system of its limits. On other systems the figures are only printed.
local files = dofile "spec/support/files.lua"

local action, folder, cc, cflags = table.unpack(arg)
local list = "spec/gates/limits.txt"
local quote = files.quote
local program, lua, require_it = quote(folder .. "/moonglass"), quote(arg[-1]), quote('require "moonglass"')

local function stop(...)
  io.stderr:write("gates: ", string.format(...), "\n")
  os.exit(1)
end

-- Run a command. Return its standard output and its standard error.
local function output(command)
  local text, errors, status = files.run(command)
  if status ~= 0 then stop("%s ended with status %d: %s", command, status, errors) end
  return text, errors
end

local function size(name) return tonumber((output("stat -c %s " .. quote(folder .. "/" .. name)))) end

-- Count the instructions of a program from start to end. Return the count and its output. The environment has only
-- relative paths to this tree, because a longer path takes more instructions.
local function instructions(command)
  local paths = ("LUA_PATH_5_4='lua/?.lua;lua/?/init.lua' LUA_CPATH_5_4=%s"):format(quote(folder .. "/lib/?.so"))
  local callgrind = "valgrind --tool=callgrind --callgrind-out-file=/dev/null"
  local text, errors = output(('env -i PATH="$PATH" %s %s %s'):format(paths, callgrind, command))
  local count = errors:match("==%d+== Collected : (%d+)")
  return tonumber(count) or stop("valgrind prints no count: %s", errors), text
end

local kernels -- instruction set and BLIS, as work.c prints them

-- The instructions of one unit of work: a difference of two runs, so start and end do not count.
local function work(what, few, many)
  local worker = quote(folder .. "/spec/gates_work")
  local less = instructions(("%s %s %d"):format(worker, what, few))
  local more, text = instructions(("%s %s %d"):format(worker, what, many))
  kernels = text
  return (more - less) // (many - few)
end

-- For each gate: its name, how it is measured, and the margin of its limit above the recorded figure in percent. A
-- start varies a little, because Lua seeds its hashes randomly. Sizes and work do not vary; their margin allows small
-- changes.
local gates = {
  {"libmoonglass.so, stripped, bytes", function() return size("libmoonglass.so") end, 0.5},
  {"core.so, stripped, bytes", function() return size("lib/moonglass/core.so") end, 0.5},
  {"moonglass, stripped, bytes", function() return size("moonglass") end, 0.5},
  {"start of moonglass, instructions", function() return instructions(program .. " -e ''") end, 2},
  {'require "moonglass", instructions', function() return instructions(lua .. " -e " .. require_it) end, 2},
  {"a training step, instructions", function() return work("step", 2, 4) end, 1},
  {"a predicted row, instructions", function() return work("row", 10, 20) end, 1},
}

-- The system that the figures depend on, as written in limits.txt.
local function surroundings()
  local compiler = output(cc .. " --version"):find("clang") and "clang" or "gcc"
  local major = output(cc .. " -dumpversion"):match("%d+")
  local system = output(". /etc/os-release 2>/dev/null; echo \"${ID:-unknown} ${VERSION_ID:-}\"")
  local text = ("%s %s %s, %s, %s, %s"):format(compiler, major, cflags, output(cc .. " -dumpmachine"), system, kernels)
  return (text:gsub("%s+", " "):gsub(" ,", ","):gsub(" $", ""))
end

-- The limits by name, and the system that they are for.
local function read_limits()
  if not files.read_if_there(list) then stop("%s is missing: make gates-record writes it", list) end
  local limits = {}
  local text = files.read(list)
  for name, limit in text:gmatch("\n([^#\n][^\n]*): (%d+)") do limits[name] = tonumber(limit) end
  local there = text:match("\nfor: ([^\n]+)")
  if not there then stop("%s has no line 'for: ...', expected what its limits are for: make gates-record", list) end
  return limits, there
end

local function record(figures, here)
  local lines = {"# What make gates holds figures to; make gates-record writes it.", "for: " .. here}
  for i, gate in ipairs(gates) do
    lines[#lines + 1] = ("%s: %d"):format(gate[1], math.ceil(figures[i] * (1 + gate[3] / 100)))
  end
  files.write(list, table.concat(lines, "\n") .. "\n")
end

-- Print the figures beside their limits. Return how many passed, failed and were skipped.
local function check(figures, here)
  local limits, there = read_limits()
  local passed, failed, skipped = 0, 0, 0
  for i, gate in ipairs(gates) do
    local limit, word = limits[gate[1]], ""
    if here ~= there then
      skipped = skipped + 1
    elseif figures[i] <= (limit or 0) then
      passed = passed + 1
    else
      failed, word = failed + 1, limit and "  above its limit" or "  has no limit: make gates-record"
    end
    print(("%-34s %11d %11s%s"):format(gate[1], figures[i], limit or "-", word))
  end
  if skipped > 0 then
    print(("gates: not checked: the limits are for %s; this is %s"):format(there, here))
  elseif failed > 0 then
    print("gates: look for the cause; if the growth is worth it, make gates-record writes the limits anew")
  end
  print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
  return failed == 0
end

local figures = {}
for i, gate in ipairs(gates) do figures[i] = (gate[2]()) end
local here = surroundings()
if action == "record" then record(figures, here) end
os.exit(check(figures, here))
