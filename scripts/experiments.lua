-- All experiments one after the other, each as a separate program with its output in out/<name>/log.txt, and then
-- out/index.html, a page with all figures and pictures. Options after the names go to every script that has them:
--   scripts/experiments.lua plain deep --epochs 2
-- --launcher starts each script on several machines: scripts/experiments.lua --launcher "mpirun -n 4"
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local files = require "experiment.files"
local ranks = require "experiment.ranks"
local terminal = require "moonglass.support.terminal"

local all = {
  "plain", "deep", "denoising", "sparse", "sparse_coding", "spirals", "activations", "by_hand", "features",
  "variational", "memorise", "compression", "anomaly", "demo",
}
local more = "adversarial, anomaly_table, categorical, series, stacked, winner_take_all" -- only if they are named
local scripts = arg[0]:match("^(.*)/[^/]*$") or "."

-- ---- the command line ----

local usage = [[
Usage: experiments [names] [--out <folder>] [--launcher <words>] [options]

Run the named scripts, or else all of the lecture's, one after the other, and make <folder>/index.html of what they
leave. Each script gets those of the options that it has: --epochs 2, --rows 1000, --data <folder>, ...

   names        %s; also %s
   --out <folder>   default: out, or MOONGLASS_OUT
   --launcher <words>   "mpirun -n 4": these words start each script that has --distributed, which it then gets]]

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

-- Names of scripts, words for the scripts, the folder, the launcher.
local function parse(words)
  local names, options, out, launcher, i = {}, {}, os.getenv("MOONGLASS_OUT") or "out", nil, 1
  while i <= #words do
    local word = words[i]
    if word == "--help" or word == "-h" then
      print(usage:format(table.concat(all, ", "), more))
      os.exit(true)
    elseif word:find("^%-%-out$") or word:find("^%-%-out=") then
      out, i = option_value(words, i)
    elseif word:find("^%-%-launcher$") or word:find("^%-%-launcher=") then
      launcher, i = option_value(words, i)
    else
      local list = (#options > 0 or word:find("^%-")) and options or names
      list[#list + 1] = word
      i = i + 1
    end
  end
  for _, name in ipairs(names) do
    if not name:find("^[%w_]+$") or not files.exists(("%s/%s.lua"):format(scripts, name)) or name == "experiments" then
      fail("there is no script '%s' (known: %s, %s)", name, table.concat(all, ", "), more)
    end
  end
  return #names > 0 and names or all, options, out, launcher
end

-- A launcher may not start this program several times: each would start every script.
local launched, rank = ranks.launched()
if rank > 0 then os.exit(2) end
if launched > 1 then
  fail("it was started %d times, expected once, with --launcher: it starts each script on several machines", launched)
end

local names, options, out, launcher = parse(arg)
if launcher then table.insert(options, "--distributed") end

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

-- The arguments for each script, by its name: the options that it has, with their values.
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

local clock_text = require("moonglass.net.callbacks.progress_text").time
local on_terminal = terminal.is_terminal()

-- "[3/13] sparse" while it runs: a line when it begins, and on a terminal its latest line, redrawn in place.
local function announce(place, name, start)
  local head = ("[%d/%d] %s"):format(place, #names, name)
  if not on_terminal then
    terminal.write(head .. " ...\n")
    return function() end
  end
  local function show(line)
    local text = ("%s  %s  %s"):format(head, clock_text(moon.clock() - start), line)
    terminal.write("\r" .. text:sub(1, 78) .. "\27[K")
  end
  show("")
  return show
end

-- true if it succeeded, and the last line that it printed. Its output goes to the log at once.
local function run(name, words, show)
  local folder = ("%s/%s"):format(out, name)
  assert(files.make_folder(folder))
  os.remove(folder .. "/contents.txt") -- an older run's
  local log = assert(io.open(folder .. "/log.txt", "wb"))
  local given = table.concat(words, " ")
  local first = launcher and given:find("'--distributed'", 1, true) and launcher .. " " or ""
  local pipe = assert(io.popen(("%s%s --out %s %s 2>&1 </dev/null"):format(first, command_of(name), quoted(folder),
    given)))
  local last = "it printed nothing"
  for line in pipe:lines() do
    log:write(line, "\n")
    log:flush()
    last = line
    show(line)
  end
  log:close()
  return pipe:close(), last
end

-- ---- the page ----

-- The fields of a line of CSV. Within quotes a comma is text, and two quotes are one.
local function fields_of(line)
  local fields, field, inside, before = {}, "", false, nil
  for c in (line .. ","):gmatch(".") do
    if c == '"' then
      if before == c and not inside then field = field .. c end
      inside = not inside
    elseif c == "," and not inside then
      fields[#fields + 1], field = field, ""
    else
      field = field .. c
    end
    before = c
  end
  return fields
end

local function read_csv(path)
  local rows = {}
  for line in io.lines(path) do
    local row = fields_of(line)
    for k, field in ipairs(row) do
      row[k] = math.tointeger(tonumber(field)) or tonumber(field) and ("%.5g"):format(field) or field
    end
    rows[#rows + 1] = row
  end
  return rows
end

-- The comment at the beginning of a script.
local function about(name)
  local lines = {}
  for line in io.lines(("%s/%s.lua"):format(scripts, name)) do
    local text = line:match("^%-%-+ ?(.*)")
    if not text then break end
    lines[#lines + 1] = text
  end
  return table.concat(lines, " ")
end

-- contents.txt: {set =, seen = {sentences}, {name =, caption =}, ...}.
local function read_contents(folder)
  local contents = {seen = {}}
  for line in io.lines(("%s/%s/contents.txt"):format(out, folder)) do
    local kind, text, caption = line:match("^(%a+)\t([^\t]*)\t?(.*)$")
    if kind == "set" then
      contents.set = text
    elseif kind == "seen" then
      table.insert(contents.seen, text)
    else
      contents[#contents + 1] = {name = text, caption = caption}
    end
  end
  return contents
end

local longest_table = 30

-- Tables, pictures and pages, with captions.
local function add_files(page, folder, contents)
  for _, file in ipairs(contents) do
    local path = ("%s/%s"):format(folder, file.name)
    if file.name:find("%.csv$") and file.caption ~= "" then
      local rows = read_csv(("%s/%s"):format(out, path))
      if #rows <= longest_table then page:text(file.caption .. ":"):table(rows) end
    end
  end
  for _, file in ipairs(contents) do
    local path = ("%s/%s"):format(folder, file.name)
    if file.name:find("%.png$") and file.caption ~= "" then page:picture(path, file.caption) end
    if file.name:find("%.html$") then page:link(path, file.caption) end
  end
end

local function add_experiment(page, r)
  page:heading(r.name):text(about(r.name))
  if not r.ok then return page:code("failed: " .. r.last):link(r.name .. "/log.txt", "what it printed") end
  local contents = read_contents(r.name)
  if contents.set then page:text("On " .. contents.set .. ".") end
  if #contents.seen > 0 then page:text("What is to be seen: " .. table.concat(contents.seen, " ")) end
  add_files(page, r.name, contents)
  page:link(r.name .. "/log.txt", ("what it printed in %s"):format(clock_text(r.seconds)))
end

local function make_index(results)
  local page = moon.page("Experiments with autoencoders")
  page:text(("%d of the lecture's experiments: the figures of each, the published ones where there are any, and its "
    .. "pictures. Options that were given: %s."):format(#results,
      #options > 0 and table.concat(options, " ") or "none, these are the defaults")):contents()
  for _, r in ipairs(results) do add_experiment(page, r) end
  assert(files.write(out .. "/index.html", page:html()))
end

local given, results, failed, begin = hand_out(), {}, 0, moon.clock()
for i, name in ipairs(names) do
  local start = moon.clock()
  local show = announce(i, name, begin)
  local ok, last = run(name, given[name], show)
  local r = {name = name, ok = ok, last = last, seconds = moon.clock() - start}
  results[i], failed = r, failed + (ok and 0 or 1)
  terminal.write(("%s[%d/%d] %s %s; %s since the beginning\n"):format(on_terminal and "\r\27[K" or "", i, #names, name,
    ok and "took " .. clock_text(r.seconds) or "FAILED: " .. last, clock_text(moon.clock() - begin)))
  if ok and read_contents(name).seen[1] then print("  " .. read_contents(name).seen[1]) end
end
make_index(results)
print(("%d experiment%s in %.0f s, %d failed: %s/index.html"):format(#results, #results == 1 and "" or "s",
  moon.clock() - begin, failed, out))
os.exit(failed == 0)
