-- A training set larger than memory: it is made, mapped and trained on, and the memory that this takes is printed. With
-- --distributed each rank makes and reads a file of its own, with its share of the images.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local argparse = require "argparse"
local lfs = require "lfs"
local ranks = require "experiment.ranks"

local name = "large"
local sources, most_shift, images_a_write = 10000, 3, 4096

-- ---- options ----

local function number(low, high, whole)
  return function(text)
    local v = tonumber(text)
    if whole then v = math.tointeger(v) end
    if v and v >= low and v <= high then return v end
    return nil, ("'%s' is not a %s of %g to %g"):format(text, whole and "whole number" or "number", low, high)
  end
end

local function options()
  local parser = argparse(name, "Make a large set of shifted images, map it, and train the deep autoencoder on it.")
    :help_max_width(100)
  local function option(key, default, help, convert)
    parser:option("--" .. key):default(default):description(help):convert(convert)
  end
  option("gigabytes", "6", "size of the set, in 10^9 bytes", number(1e-4, 3000))
  option("epochs", "1", "passes over the set", number(1, 1e6, true))
  option("steps", nil, "training steps after which to stop (default: those of the epochs)", number(1, 1e15, true))
  option("batch", "128", "images in a training step", number(1, 1e6, true))
  option("lr", "0.001", "learning rate", number(1e-9, 1e3))
  option("seed", "42", "decides the set, the first weights and the order", number(-2 ^ 53, 2 ^ 53, true))
  option("threads", nil, "worker threads (default: as many as the program has set)", number(1, 256, true))
  option("every", "5", "seconds from one line of output to the next", number(0, 1e6))
  option("timeout", "30", "with --distributed: seconds after which a rank that is silent, or lets others wait, ends "
    .. "the run", number(2, 1e6))
  option("data", nil, "folder of the set whose images are shifted (see data/README.md)", function(v) return v end)
  option("file", "out/large-images-idx3-ubyte", "where to make it; a file that is there is used as it is",
    function(v) return v end)
  parser:flag("--in-order"):description("train in the file's order, not in a shuffled one")
  parser:flag("--keep"):description("do not delete the file that was made")
  parser:flag("--distributed"):description("train one net with all processes that mpirun started: each makes a file "
    .. "with its share of the set; --batch counts the images of all, --threads the threads of each")
  local ok, result = parser:pparse(arg)
  if ok then return result end
  error(result:gsub("%s*\n%s*", " ") .. " (--help lists the options)", 0)
end

local joined = ranks.join(name, arg)
local parsed, o = pcall(joined.agree, joined, options)
if not parsed then joined:fail(o, 2, true) end
if joined.mpi then joined.mpi.timeout = o.timeout end

-- Only rank 0 prints.
local function say(...)
  if not joined.first then return end
  print(...)
  io.stdout:flush()
end

local function must(value, message)
  if value then return value end
  error(message, 0)
end

-- ---- memory ----

-- The resident size now and at its largest, in MB; nil where the system has no such file.
local function resident()
  local file = io.open("/proc/self/status")
  local status = file and file:read("a") or ""
  if file then file:close() end
  local function field(key) return (tonumber(status:match(key .. ":%s*(%d+) kB")) or 0 / 0) * 1024 / 1e6 end
  return field("VmRSS"), field("VmHWM")
end

-- ---- making the set ----

-- The first test images as strings of bytes, and their height and width.
local function source_images()
  local images = must(moon.data.mnist(must(moon.data.find(o.data)), "test"))
  local pixels = images:size(2)
  local side = math.tointeger(math.sqrt(pixels))
  local list = {}
  for i = 1, math.min(sources, #images) do list[i] = string.char(table.unpack(images[i]:totable())) end
  return list, side or 1, side or pixels
end

-- An image moved by up to three pixels each way. Pixels that leave it come in again on the other side: mostly
-- background.
local function shifted(list, width)
  local image = list[math.random(#list)]
  local at = (math.random(-most_shift, most_shift) * width + math.random(-most_shift, most_shift)) % #image
  return image:sub(at + 1) .. image:sub(1, at)
end

local function is_folder(path) return lfs.attributes(path, "mode") == "directory" end

-- Writes this rank's images, and yields true after each part of them. Returns false at the end.
local function write_images(path)
  math.randomseed(o.seed + joined.rank)
  local list, height, width = source_images()
  local all = math.floor(o.gigabytes * 1e9) // #list[1]
  local count = math.max(1, all * (joined.rank + 1) // joined.size - all * joined.rank // joined.size)
  local folder = path:match("^(.*)/[^/]*$")
  if folder and not is_folder(folder) then
    local made, why = lfs.mkdir(folder)
    must(made or is_folder(folder), why) -- another rank may have made it
  end
  local file <close> = must(io.open(path, "wb"))
  must(file:write(string.pack(">I4I4I4I4", 0x803, count, height, width)))
  for done = 0, count - 1, images_a_write do
    local part = {}
    for i = 1, math.min(images_a_write, count - done) do part[i] = shifted(list, width) end
    must(file:write(table.concat(part)))
    coroutine.yield(true)
  end
  must(file:close())
  return false
end

-- Makes the file of each rank that has none. A rank that is done waits for the others part by part: then none of them
-- is outside of MPI for longer than a part takes.
local function make_files(path, missing)
  local start, more, part = moon.clock(), missing, coroutine.wrap(write_images)
  repeat
    joined:agree(function() more = more and part(path) end)
  until joined:sum(more and 1 or 0) == 0
  if not missing then return say("using " .. path) end
  say(("made %s, %.2f GB, in %.1f s"):format(path, lfs.attributes(path, "size") / 1e9, moon.clock() - start))
end

-- ---- training ----

-- A callback that prints a line every few seconds and stops after --steps.
local function watcher()
  local self, steps, rows, shown, shown_rows = {}, 0, 0, 0, 0
  function self.on_train_begin() shown = moon.clock() end
  function self.on_batch_end(_, state)
    steps, rows = steps + 1, rows + state.batch_size
    state.stop = state.stop or steps == o.steps
    local now = moon.clock()
    if now - shown < o.every and not state.stop then return end
    say(("step %d  loss %.4f  %.0f rows/s  resident %.0f MB, at most %.0f MB"):format(steps, state.loss,
      (rows - shown_rows) / (now - shown), resident()))
    shown, shown_rows = now, rows
  end
  return self
end

local function train(path)
  local images = must(moon.data.idx(path))
  local rows = #images
  images = images:reshape(rows, images:numel() // rows)
  say(("%d images of %d pixels; memory held by Moonglass: %.1f MB"):format(rows, images:size(2),
    moon.info().memory / 1e6))
  local line = joined:set_threads(o.threads)
  if line then say(line) end
  moon.seed(o.seed)
  local ae = moon.autoencoder.deep{input = images:size(2), hidden = {128}, code = 32}
  local start = moon.clock()
  local history = ae:fit(images, {
    loss = moon.bce(), optimizer = moon.adam{lr = o.lr}, epochs = o.epochs, batch_size = o.batch, seed = o.seed,
    shuffle = not o.in_order, callbacks = {watcher()}, verbose = 0,
    distributed = joined.mpi, sharded = joined.size > 1 or nil, -- sharded: these rows are this rank's own
  })
  local now, most = resident()
  say(("loss %.4f after %.1f s; resident %.0f MB, at most %.0f MB, for a file of %.0f MB"):format(
    history.loss[#history.loss], moon.clock() - start, now, most, lfs.attributes(path, "size") / 1e6))
end

-- ---- the program ----

local path = joined.size == 1 and o.file or ("%s.rank-%d-of-%d"):format(o.file, joined.rank, joined.size)
local missing = not lfs.attributes(path, "mode")
local whole, problem = pcall(make_files, path, missing)
local trained = whole
if whole then
  collectgarbage()
  trained, problem = pcall(train, path)
end
if missing and (not whole or not o.keep) then os.remove(path) end
if not trained then joined:fail(ranks.first_line(problem), 1, not whole) end
