-- Report which lines the tests ran: lua5.4 spec/coverage/report.lua build/coverage. `make coverage` calls it. The
-- counts of C come from gcov, those of Lua from the files of lines.c. It prints lines and branches of each file, totals
-- and bars, and writes missed lines to <folder>/missed.txt. The exit status is 1 below a bar.
--
-- The kernels are compiled once for each instruction set. A line counts as run if it ran in one of them; its branches
-- are counted in the set in which most were taken. Lines with a comment "never reached: <why>" do not count; their
-- number is printed.
local json = require "dkjson"

local build = assert(arg[1], "usage: report.lua <build folder>")
local marker = "never reached: %S"

local bars = {lines = 95, branches = 85, lua = 95, parser = 100}
local parsers = {}
local parser_files = {"core/option", "formats/archive", "formats/safetensors", "formats/weights", "formats/idx",
  "formats/npy", "formats/png", "formats/file", "formats/json", "formats/json_write", "formats/gunzip",
  "formats/number", "formats/texts", "formats/csv", "formats/csv_buffer", "formats/csv_cells", "formats/csv_choose",
  "formats/csv_open", "formats/csv_row"}
for _, name in ipairs(parser_files) do
  parsers["csrc/engine/" .. name .. ".c"] = true
end

local function lines_of(command)
  local pipe, list = assert(io.popen(command)), {}
  for line in pipe:lines() do list[#list + 1] = line end
  assert(pipe:close(), command)
  return list
end

-- The line numbers of a file's marked lines, and their count.
local function marked(path)
  local set, n, number = {}, 0, 0
  for line in io.lines(path) do
    number = number + 1
    if line:find(marker) then set[number], n = true, n + 1 end
  end
  return set, n
end

-- ---- C ----

local function count_taken(branches)
  local n = 0
  for _, branch in ipairs(branches) do n = n + (branch.count > 0 and 1 or 0) end
  return n
end

-- Merge one object's record of a line with the records of other objects.
local function add_line(lines, record)
  local line = lines[record.line_number] or {count = 0, branches = 0, taken = 0}
  line.count = line.count + record.count
  local all, taken = #record.branches, count_taken(record.branches)
  if line.branches == 0 or taken * line.branches > line.taken * all then line.branches, line.taken = all, taken end
  lines[record.line_number] = line
end

-- For the sources below csrc: path -> line number -> {count, branches, taken}.
local function read_c()
  local sources = {}
  for _, object in ipairs(lines_of(("find '%s/obj' -name '*.gcno' | sort"):format(build))) do
    local command = "gcov --json-format --stdout --branch-probabilities '%s' 2>/dev/null"
    for _, text in ipairs(lines_of(command:format(object))) do
      local document = assert(json.decode(text))
      for _, file in ipairs(document.files) do
        local path = file.file:match("(csrc/.*)$")
        if path then
          sources[path] = sources[path] or {}
          for _, record in ipairs(file.lines) do add_line(sources[path], record) end
        end
      end
    end
  end
  return sources
end

local function sum_c(path, lines)
  local skip, skipped = marked(path)
  local sum = {path = path, lines = 0, run = 0, branches = 0, taken = 0, skipped = skipped, missed = {}}
  for number, line in pairs(lines) do
    if not skip[number] then
      sum.lines, sum.run = sum.lines + 1, sum.run + (line.count > 0 and 1 or 0)
      sum.branches, sum.taken = sum.branches + line.branches, sum.taken + line.taken
      if line.count == 0 then sum.missed[#sum.missed + 1] = number end
    end
  end
  return sum
end

-- ---- Lua ----

-- The lines with code: those of all instructions, except each function's last, an implicit return that is often not
-- reached, and a chunk's first, which has no line.
local function code_lines(path)
  local set, last = {}, nil
  for _, text in ipairs(lines_of(("luac5.4 -l -p '%s'"):format(path))) do
    local line, name = text:match("^%s+%d+%s+%[(%d+)%]%s+(%S+)")
    if name == "VARARGPREP" then line = nil end
    if last then set[last] = true end
    last = line and tonumber(line)
  end
  return set
end

local function read_lua()
  local run = {}
  for _, text in ipairs(lines_of(("cat '%s'/*.lines | sort -u"):format(build))) do
    local path, line = text:match("^(%S+) (%d+)$") -- nil: cut off, because the process was killed while it wrote
    if path then
      run[path] = run[path] or {}
      run[path][tonumber(line)] = true
    end
  end
  return run
end

local function sum_lua(path, run)
  local skip, skipped = marked(path)
  local sum = {path = path, lines = 0, run = 0, branches = 0, taken = 0, skipped = skipped, missed = {}}
  for number in pairs(code_lines(path)) do
    if not skip[number] then
      sum.lines = sum.lines + 1
      if run[number] then sum.run = sum.run + 1 else sum.missed[#sum.missed + 1] = number end
    end
  end
  return sum
end

-- ---- printing ----

local function percent(part, whole) return whole > 0 and 100 * part / whole or 100 end

local function show(sum)
  print(("%-40s %5d of %5d  %6.2f %%%s"):format(sum.path, sum.run, sum.lines, percent(sum.run, sum.lines),
    sum.branches > 0 and ("  %5d of %5d  %6.2f %%"):format(sum.taken, sum.branches, percent(sum.taken, sum.branches))
    or ""))
end

local function total(name, list)
  local all = {path = name, lines = 0, run = 0, branches = 0, taken = 0, skipped = 0}
  for _, sum in ipairs(list) do
    for _, key in ipairs{"lines", "run", "branches", "taken", "skipped"} do all[key] = all[key] + sum[key] end
  end
  show(all)
  return all
end

local function write_missed(lists)
  local out = assert(io.open(build .. "/missed.txt", "w"))
  for _, list in ipairs(lists) do
    for _, sum in ipairs(list) do
      table.sort(sum.missed)
      if #sum.missed > 0 then out:write(sum.path, ": ", table.concat(sum.missed, " "), "\n") end
    end
  end
  out:close()
end

local failed = false

local function hold(what, part, whole, bar)
  local value = percent(part, whole)
  if value >= bar then return end
  failed = true
  print(("below the bar: %s %.2f %%, expected %g %%"):format(what, value, bar))
end

local c, lua = {}, {}
for path, lines in pairs(read_c()) do c[#c + 1] = sum_c(path, lines) end
local run = read_lua()
-- meta.lua declares the interface for editors and never runs.
for _, path in ipairs(lines_of("find lua/moonglass -name '*.lua' ! -name meta.lua")) do
  lua[#lua + 1] = sum_lua(path, run[path] or {})
end
for _, list in ipairs{c, lua} do table.sort(list, function(a, b) return a.path < b.path end) end

print(("%-40s %-24s %s"):format("file", "lines", "branches"))
for _, sum in ipairs(c) do show(sum) end
for _, sum in ipairs(lua) do show(sum) end
local all_c, all_lua = total("C", c), total("Lua", lua)
write_missed{c, lua}
print("a kernel's line counts if any instruction set ran it")
print(("marked as never reached: %d lines; missed ones: %s"):format(all_c.skipped + all_lua.skipped,
  build .. "/missed.txt"))

hold("C lines", all_c.run, all_c.lines, bars.lines)
hold("C branches", all_c.taken, all_c.branches, bars.branches)
for _, sum in ipairs(c) do
  if parsers[sum.path] then hold(sum.path, sum.run, sum.lines, bars.parser) end
end
hold("Lua lines", all_lua.run, all_lua.lines, bars.lua)
os.exit(not failed)
