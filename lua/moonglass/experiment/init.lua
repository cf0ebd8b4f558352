--- What the scripts share: their options, the data, the output folder and the files that they leave in it.
--   local run <close> = experiment.start{name = "plain", about = "...", options = {{"hidden", 32, "width"}}}
--   run.options, run.train, run.test        run:save(net, history)
-- Whatever fails ends the program with one line on stderr: status 2 for the command line, 1 for anything else.
local moon = require "moonglass"
local argparse = require "argparse"
local lfs = require "lfs"

local experiment = {}

local Run = {}
Run.__index = Run

-- ---- failing ----

local function fail(name, message, status)
  io.stdout:flush()
  io.stderr:write(("%s: %s\n"):format(name, message))
  os.exit(status)
end

-- A message's first line: what the program that runs the script has put below is for programmers.
local function first_line(err) return (tostring(err):match("^[^\n]*")) end

-- `local run <close>`: an error anywhere in the script comes here.
function Run.__close(run, err)
  if err ~= nil then fail(run.name, first_line(err), 1) end
end

-- ---- options ----

local function count(text)
  local v = math.tointeger(tonumber(text))
  if v and v >= 1 then return v end
  return nil, ("'%s' is not a whole number of at least 1"):format(text)
end

local function whole(text)
  local v = math.tointeger(tonumber(text))
  if v then return v end
  return nil, ("'%s' is not a whole number"):format(text)
end

local function positive(text)
  local v = tonumber(text)
  if v and v > 0 and v < math.huge then return v end
  return nil, ("'%s' is not a number above 0"):format(text)
end

local function threads(text)
  local v = math.tointeger(tonumber(text))
  if v and v >= 1 and v <= 256 then return v end
  return nil, ("'%s' is not a whole number of 1 to 256"):format(text)
end

local most_layers = 64

local function widths(text)
  local list = {}
  for part in (text .. ","):gmatch("([^,]*),") do
    local width = count(part)
    if not width or #list == most_layers then
      return nil, ("'%s' is not a list of widths like 256,128"):format(text)
    end
    list[#list + 1] = width
  end
  return list
end

local function text(v) return v end

-- {name, default, help, how to read it}
local common = {
  {"epochs", 5, "passes over the training images", count},
  {"batch", 32, "images in a training step", count},
  {"lr", 0.001, "learning rate", positive},
  {"seed", 42, "decides the first weights and the order of the images", whole},
  {"threads", nil, "worker threads (default: as many as the program has set)", threads},
  {"data", nil, "folder of the four IDX files (else MOONGLASS_DATA, data/mnist, Fashion-MNIST)", text},
}

-- How to read an option that has a default only.
local function reader_for(default)
  if type(default) == "table" then return widths end
  return math.type(default) == "integer" and count or text
end

local function add_option(parser, name, default, help, reader)
  local option = parser:option("--" .. name):description(help)
  if type(default) == "table" then default = table.concat(default, ",") end
  if default ~= nil then option:default(tostring(default)) end
  if type(reader) == "table" then
    option:choices(reader)
    return
  end
  option:convert(function(given)
    local v, message = reader(given)
    if v == nil then message = ("--%s: %s"):format(name, message) end
    return v, message
  end)
end

local function make_parser(spec)
  local parser = argparse(spec.name, spec.about):help_max_width(100)
  for _, o in ipairs(spec.options or {}) do
    add_option(parser, o[1], o[2], o[3], o[4] or reader_for(o[2]))
  end
  for _, o in ipairs(common) do add_option(parser, table.unpack(o, 1, 4)) end
  add_option(parser, "out", "out/" .. spec.name, "folder for the pictures, the history and the net", text)
  return parser
end

-- "--lr -1" as "--lr=-1": argparse would take the number for an option.
local function join_negatives(given)
  local list = {}
  for _, word in ipairs(given) do
    local option = list[#list]
    if tonumber(word) and word:find("^%-") and option and option:find("^%-%-[^=]+$") then
      list[#list] = option .. "=" .. word
    else
      list[#list + 1] = word
    end
  end
  return list
end

local function parse(spec)
  local ok, result = make_parser(spec):pparse(join_negatives(arg or {}))
  local problem = not ok and result:gsub("%s*\n%s*", " ") or spec.check and spec.check(result)
  if problem then fail(spec.name, problem .. " (--help lists the options)", 2) end
  return result
end

-- ---- the output folder ----

local function is_folder(path) return lfs.attributes(path, "mode") == "directory" end

-- Make the folder and those above it. true | nil, message
local function make_folder(path)
  if is_folder(path) then return true end
  local above = path:match("^(.*[^/])/+[^/]+/*$")
  if above then
    local ok, message = make_folder(above)
    if not ok then return nil, message end
  end
  local ok, message = lfs.mkdir(path)
  if ok or is_folder(path) then return true end
  return nil, ("cannot make the folder %s: %s"):format(path, message)
end

-- Before the training: afterwards would be too late to find out.
local function check_writable(folder)
  local path = folder .. "/.moonglass-probe"
  local file, message = io.open(path, "wb")
  if not file then error(("cannot write in the folder %s: %s"):format(folder, message), 0) end
  file:close()
  os.remove(path)
end

-- The file appears whole or not at all.
local function write_file(path, content)
  local temporary = path .. ".tmp"
  local file, message = io.open(temporary, "wb")
  if not file then return nil, message end
  local ok
  ok, message = file:write(content)
  local closed, close_message = file:close()
  if ok and closed then ok, message = os.rename(temporary, path) else ok, message = nil, message or close_message end
  if not ok then os.remove(temporary) end
  return ok, message
end

-- ---- start ----

-- Raises a text without a place: it is for the person who called the script.
local function must(value, message, ...)
  if not value then error(message, 0) end
  return value, message, ...
end

local function load(run)
  local o = run.options
  local folder, description = must(moon.data.find(o.data))
  run.train, run.test = must(moon.data.mnist(folder, "train")), must(moon.data.mnist(folder, "test"))
  if run.train:size(2) ~= run.test:size(2) then
    error(("%s: training images have %d pixels, test images %d"):format(description, run.train:size(2),
      run.test:size(2)), 0)
  end
  if o.batch > #run.train then
    error(("--batch is %d, but there are only %d training images"):format(o.batch, #run.train), 0)
  end
  print(("%s: %d training images and %d test images of %d pixels"):format(description, #run.train, #run.test,
    run.train:size(2)))
end

--- spec: name (of the script; out/<name> is the default folder), about, and options = {{name, default, help, choices}},
-- whose values are whole numbers, lists of them ("256,128") or texts, as their defaults are; choices may be missing.
-- check(options), if there is one, gives a text when they do not go together.
function experiment.start(spec)
  local run = setmetatable({name = spec.name, options = parse(spec)}, Run)
  local ok, err = pcall(function()
    load(run)
    must(make_folder(run.options.out))
    check_writable(run.options.out)
  end)
  if not ok then fail(run.name, first_line(err), 1) end
  return run
end

-- ---- save ----

local shown = 20

local function csv(history)
  local lines = {"epoch,loss,val_loss,seconds"}
  for i, loss in ipairs(history.loss) do
    local val_loss = history.val_loss[i]
    lines[#lines + 1] = ("%d,%.9g,%s,%.3f"):format(i, loss, val_loss and ("%.9g"):format(val_loss) or "",
      history.epoch_seconds[i])
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Write model.safetensors, history.csv, reconstructions.png (the first test images over what the net makes of them)
-- and filters.png (the weights of each unit of the first layer, from the smallest, black, to the largest, white).
function Run:save(net, history)
  local function path(name) return self.options.out .. "/" .. name end
  local images = self.test:rows(1, math.min(shown, #self.test))
  must(net:save(path "model.safetensors"))
  must(write_file(path "history.csv", csv(history)))
  must(moon.png.write(path "reconstructions.png", moon.image.rows({images, net:predict(images)}, {scale = 2})))
  must(moon.png.write(path "filters.png", moon.image.grid(net:layer(1).weight:t(), {normalize = "each", scale = 2})))
  print(("in %s: reconstructions.png, filters.png, history.csv, model.safetensors"):format(self.options.out))
end

return experiment
