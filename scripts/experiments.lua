-- All experiments one after the other, each as a program of its own with its output in out/<name>/log.txt, and then
-- out/index.html, a page with the figures and pictures of all of them. Options behind the names go to every script that
-- has them:
--   scripts/experiments.lua plain deep --epochs 2
local moon = require "moonglass"
local files = require "moonglass.experiment.files"

local all = {
  "plain", "deep", "denoising", "sparse", "sparse_coding", "spirals", "activations", "by_hand", "features", "memorise",
  "compression", "anomaly", "demo",
}
local scripts = arg[0]:match("^(.*)/[^/]*$") or "."

-- ---- the command line ----

local usage = [[
Usage: experiments [names] [--out <folder>] [options]

Run the named scripts, or else all of the lecture's, one after the other, and make <folder>/index.html of what they
leave. Each script gets those of the options that it has: --epochs 2, --rows 1000, --data <folder>, ...

   names        %s; also stacked
   --out <folder>   default: out, or MOONGLASS_OUT]]

local function fail(format, ...)
  io.stderr:write("experiments: ", format:format(...), "\n")
  os.exit(2)
end

-- The value of an option at place i of the words, and the place of the next one; "--out x" and "--out=x" are the same.
local function option_value(words, i)
  local value = words[i]:match("^%-%-[%w-]+=(.*)$")
  if value then return value, i + 1 end
  if not words[i + 1] then fail("option '%s' requires an argument", words[i]) end
  return words[i + 1], i + 2
end

-- Names of scripts, words for the scripts, the folder.
local function parse(words)
  local names, options, out, i = {}, {}, os.getenv("MOONGLASS_OUT") or "out", 1
  while i <= #words do
    local word = words[i]
    if word == "--help" or word == "-h" then
      print(usage:format(table.concat(all, ", ")))
      os.exit(true)
    elseif word:find("^%-%-out$") or word:find("^%-%-out=") then
      out, i = option_value(words, i)
    else
      local list = (#options > 0 or word:find("^%-")) and options or names
      list[#list + 1] = word
      i = i + 1
    end
  end
  for _, name in ipairs(names) do
    if not name:find("^[%w_]+$") or not files.exists(("%s/%s.lua"):format(scripts, name)) or name == "experiments" then
      fail("there is no script '%s' (known: %s, stacked)", name, table.concat(all, ", "))
    end
  end
  return #names > 0 and names or all, options, out
end

local names, options, out = parse(arg)

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

local function command_of(name) return interpreter() .. " " .. quoted(("%s/%s.lua"):format(scripts, name)) end

-- By name of a script the words that it gets: the options that it knows, with their values.
local function hand_out()
  local given, unknown = {}, {}
  for _, name in ipairs(names) do given[name] = {} end
  if #options == 0 then return given end
  for _, word in ipairs(options) do
    local option = word:match("^(%-%-[%w-]+)")
    if option then unknown[#unknown + 1], unknown[option] = option, true end
  end
  for _, name in ipairs(names) do
    local pipe = assert(io.popen(command_of(name) .. " --help"))
    local help, known = pipe:read("a"), false
    pipe:close()
    for _, word in ipairs(options) do
      local option = word:match("^(%-%-[%w-]+)")
      if option then known = help:find("\n%s*" .. option:gsub("%-", "%%-") .. "[ \n]") end
      if known then table.insert(given[name], quoted(word)) end
      if known and option then unknown[option] = nil end
    end
  end
  for _, option in ipairs(unknown) do
    if unknown[option] then fail("none of the scripts has an option '%s'", option) end
  end
  return given
end

-- ---- running ----

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

-- Its summary and the names of the files that it left; or nil and what went wrong.
local function run(name, words)
  local folder = ("%s/%s"):format(out, name)
  assert(files.make_folder(folder))
  local log = folder .. "/log.txt"
  local ok = os.execute(("%s --out %s %s >%s 2>&1 </dev/null"):format(command_of(name), quoted(folder),
    table.concat(words, " "), quoted(log)))
  local lines = lines_of(log)
  if not ok then return nil, lines[#lines] or "it printed nothing" end
  local made = {}
  for file in lines[#lines]:match("^in .*: (.*)$"):gmatch("[^,%s]+") do made[#made + 1] = file end
  return lines[#lines - 1], made
end

-- ---- the page ----

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

local longest_table = 30

-- Tables but the losses of each epoch, pictures, and pages.
local function add_file(page, folder, file)
  local path = ("%s/%s"):format(folder, file)
  if file:find("%.png$") then
    page:picture(path, file)
  elseif file:find("%.html$") then
    page:link(path, file)
  elseif file:find("%.csv$") and not file:find("history%.csv$") then
    local rows = read_csv(("%s/%s"):format(out, path))
    if #rows <= longest_table then page:table(rows) end
  end
end

local function make_index(results)
  local page = moon.page("Experiments with autoencoders")
  for _, r in ipairs(results) do
    page:heading(("%s (%.0f s)"):format(r.name, r.seconds)):text(about(r.name))
    if not r.made then page:code("failed: " .. r.message) end
    for _, file in ipairs(r.made or {}) do
      if file == "figures.csv" then add_file(page, r.name, file) end -- made last, but it belongs to the top
    end
    for _, file in ipairs(r.made or {}) do
      if file ~= "figures.csv" then add_file(page, r.name, file) end
    end
    page:link(r.name .. "/log.txt", "what it printed")
  end
  assert(files.write(out .. "/index.html", page:html()))
end

local given, results, failed, all_seconds = hand_out(), {}, 0, 0
for _, name in ipairs(names) do
  local start = moon.clock()
  local summary, made = run(name, given[name])
  local r = {name = name, seconds = moon.clock() - start}
  if summary then r.made = made else r.message, failed = made, failed + 1 end
  results[#results + 1], all_seconds = r, all_seconds + r.seconds
  print(("%6.1f s  %s"):format(r.seconds, summary or ("%s FAILED: %s"):format(name, r.message)))
end
make_index(results)
print(("%d experiments in %.0f s, %d failed: %s/index.html"):format(#results, all_seconds, failed, out))
os.exit(failed == 0)
