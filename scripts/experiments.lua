-- All experiments one after the other, each as a program of its own with its output in out/<name>/log.txt, and then
-- out/index.html, a page with the figures and pictures of all of them. Options behind the names go to every script that
-- has them:
--   scripts/experiments.lua plain deep --epochs 2
local moon = require "moonglass"
local files = require "moonglass.experiment.files"
local lfs = require "lfs"

local all = {
  "plain", "deep", "denoising", "sparse", "sparse_coding", "spirals", "activations", "by_hand", "features", "memorise",
  "compression", "anomaly", "demo",
}
local out = os.getenv("MOONGLASS_OUT") or "out"
local scripts = arg[0]:match("^(.*)/[^/]*$") or "."

local names, options = {}, {}
for _, word in ipairs(arg) do
  local list = (#options > 0 or word:find("^%-")) and options or names
  list[#list + 1] = word
end
if #names == 0 then names = all end

-- One word of a shell command.
local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- The interpreter that runs this script: the arguments before the script's name.
local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  local words = {}
  for i = first, -1 do words[#words + 1] = quoted(arg[i]) end
  return table.concat(words, " ")
end

local function last_lines(path, n)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return table.concat(lines, "\n", math.max(1, #lines - n + 1))
end

-- The options that the script knows, with their values.
local function known_options(command, log)
  if #options == 0 then return "" end
  os.execute(("%s --help >%s 2>&1"):format(command, quoted(log)))
  local file = assert(io.open(log))
  local help = file:read("a")
  file:close()
  local words, known = {}, false
  for _, word in ipairs(options) do
    local option = word:match("^(%-%-[%w-]+)")
    if option then known = help:find("\n%s*" .. option:gsub("%-", "%%-") .. "[ \n]") end
    if known then words[#words + 1] = quoted(word) end
  end
  return table.concat(words, " ")
end

-- Its summary, or nil and what went wrong.
local function run(name)
  local folder = ("%s/%s"):format(out, name)
  assert(files.make_folder(folder))
  local log = folder .. "/log.txt"
  local command = ("%s %s"):format(interpreter(), quoted(scripts .. "/" .. name .. ".lua"))
  local ok = os.execute(("%s --out %s %s >%s 2>&1"):format(command, quoted(folder), known_options(command, log),
    quoted(log)))
  return ok and last_lines(log, 2):match("^[^\n]*"), last_lines(log, 1)
end

-- Rows of a CSV file without quoted fields.
local function read_csv(path)
  local rows = {}
  for line in io.lines(path) do
    local row = {}
    for field in (line .. ","):gmatch("([^,]*),") do
      row[#row + 1] = tonumber(field) and ("%.5g"):format(field) or field
    end
    rows[#rows + 1] = row
  end
  return rows
end

local function pictures(name)
  local list = {}
  for file in lfs.dir(out .. "/" .. name) do
    if file:find("%.png$") then list[#list + 1] = file end
  end
  table.sort(list)
  return list
end

-- What a script says about itself in its first lines.
local function about(name)
  local lines = {}
  for line in io.lines(("%s/%s.lua"):format(scripts, name)) do
    local text = line:match("^%-%-+ ?(.*)")
    if not text then break end
    lines[#lines + 1] = text
  end
  return table.concat(lines, " ")
end

local function make_index(results)
  local page = moon.page("Experiments with autoencoders")
  for _, r in ipairs(results) do
    page:heading(("%s (%.0f s)"):format(r.name, r.seconds)):text(about(r.name))
    if not r.summary then
      page:code("failed: " .. r.message)
    else
      local figures = ("%s/%s/figures.csv"):format(out, r.name)
      if files.exists(figures) then page:table(read_csv(figures)) end
      for _, file in ipairs(pictures(r.name)) do page:picture(r.name .. "/" .. file, file) end
    end
  end
  assert(files.write(out .. "/index.html", page:html()))
end

local results, failed = {}, 0
for _, name in ipairs(names) do
  local start = moon.clock()
  local summary, message = run(name)
  local r = {name = name, summary = summary, message = message, seconds = moon.clock() - start}
  results[#results + 1] = r
  if not summary then failed = failed + 1 end
  print(("%6.1f s  %s"):format(r.seconds, summary or ("%s FAILED: %s"):format(name, message)))
end
make_index(results)
print(("%d experiments, %d failed: %s/index.html"):format(#results, failed, out))
os.exit(failed == 0)
