-- A training set larger than memory: it is made, trained on without being in memory, and the memory that this takes is
-- printed. It is an IDX file of images or an NPY file of numbers, which are mapped, or a CSV file, which is read in
-- blocks. With --distributed each rank makes and reads a file of its own, with its share of the rows.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local argparse = require "argparse"
local lfs = require "lfs"
local ranks = require "experiment.ranks"

local name = "large"
local sources, most_shift, rows_a_write = 10000, 3, 4096

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
  local parser = argparse(name, "Make a large set of images or of numbers, and train the deep autoencoder on it.")
    :help_max_width(100)
  local function option(key, default, help, convert)
    parser:option("--" .. key):default(default):description(help):convert(convert)
  end
  parser:option("--format"):default("idx"):choices{"idx", "npy", "csv"}
    :description("idx: shifted images, in bytes; npy: rows of numbers, float32; csv: the same as text, read in blocks")
  option("width", "100", "numbers in a row of npy and csv", number(1, 1e5, true))
  option("window", "1", "npy: rows that a net sees together, as one window of the series", number(1, 1e5, true))
  option("gigabytes", "6", "size of the set, in 10^9 bytes", number(1e-4, 3000))
  option("epochs", "1", "passes over the set", number(1, 1e6, true))
  option("steps", nil, "training steps after which to stop (default: those of the epochs)", number(1, 1e15, true))
  option("batch", "128", "rows in a training step", number(1, 1e6, true))
  option("lr", "0.001", "learning rate", number(1e-9, 1e3))
  option("seed", "42", "decides the set, the first weights and the order", number(-2 ^ 53, 2 ^ 53, true))
  option("threads", nil, "worker threads (default: as many as the program has set)", number(1, 256, true))
  option("every", "5", "seconds from one line of output to the next", number(0, 1e6))
  option("timeout", "30", "with --distributed: seconds after which a rank that is silent, or lets others wait, ends "
    .. "the run", number(2, 1e6))
  option("data", nil, "folder of the set whose images are shifted (see data/README.md)", function(v) return v end)
  option("file", nil, "where to make it (default: out/large-images-idx3-ubyte, out/large.npy or out/large.csv); a file "
    .. "that is there is used as it is", function(v) return v end)
  parser:flag("--in-order"):description("train in the file's order, not in a shuffled one")
  parser:flag("--keep"):description("do not delete the file that was made")
  parser:flag("--distributed"):description("train one net with all processes that mpirun started: each makes a file "
    .. "with its share of the set; --batch counts the rows of all, --threads the threads of each")
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

-- ---- formats ----
-- Of each: where the file is by default; what a row is called; pool() gives some rows as they are in a file, and what
-- header needs; header(count, ...) begins a file of so many rows; row(pool, ...) draws one; load(path) gives the rows.

local function draw(pool) return pool[math.random(#pool)] end

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
local function shifted(list, _, width)
  local image = draw(list)
  local at = (math.random(-most_shift, most_shift) * width + math.random(-most_shift, most_shift)) % #image
  return image:sub(at + 1) .. image:sub(1, at)
end

local function load_images(path)
  local images = must(moon.data.idx(path))
  return images:reshape(#images, images:numel() // #images)
end

-- Rows of numbers from 0 to 1 that depend on a few hidden ones, each as write(list) makes it; and their width.
local function drawn_rows(write)
  moon.seed(o.seed + joined.rank)
  local x = moon.randn(2000, 5):matmul(moon.randn(5, o.width)):sigmoid()
  local list = {}
  for i = 1, #x do list[i] = write(x[i]:totable()) end
  return list, o.width
end

local function packed(list) return string.pack("<" .. ("f"):rep(#list), table.unpack(list)) end

local function npy_header(count, width)
  local text = ("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }"):format(count, width)
  text = text .. (" "):rep(-(#text + 11) % 64) .. "\n"
  return "\x93NUMPY\1\0" .. string.pack("<s2", text)
end

local function line(list)
  for i, v in ipairs(list) do list[i] = ("%.5f"):format(v) end
  return table.concat(list, ",") .. "\n"
end

local function csv_header(_, width)
  local names = {}
  for i = 1, width do names[i] = "sensor" .. i end
  return table.concat(names, ",") .. "\n"
end

local function load_numbers(path)
  local x = must(moon.data.npy(path))
  return o.window == 1 and x or x:windows(o.window, o.window)
end

local format = ({
  idx = {
    file = "out/large-images-idx3-ubyte", rows = "images", pool = source_images, row = shifted, load = load_images,
    header = function(count, height, width) return string.pack(">I4I4I4I4", 0x803, count, height, width) end,
  },
  npy = {
    file = "out/large.npy", rows = "rows", pool = function() return drawn_rows(packed) end, row = draw,
    header = npy_header, load = load_numbers,
  },
  csv = {
    file = "out/large.csv", rows = "rows", pool = function() return drawn_rows(line) end, row = draw,
    header = csv_header, load = function(path) return must(moon.data.csv(path, {stream = true})) end,
  },
})[o.format]

-- ---- making the set ----

local function is_folder(path) return lfs.attributes(path, "mode") == "directory" end

local function make_folder_of(path)
  local folder = path:match("^(.*)/[^/]*$")
  if not folder or is_folder(folder) then return end
  local made, why = lfs.mkdir(folder)
  must(made or is_folder(folder), why) -- another rank may have made it
end

-- Writes this rank's rows, and yields true after each part of them. Returns false at the end.
local function write_rows(path)
  math.randomseed(o.seed + joined.rank)
  local pool = table.pack(format.pool())
  local bytes = #table.concat(pool[1]) / #pool[1]
  local all = math.floor(o.gigabytes * 1e9 / bytes)
  local count = math.max(1, all * (joined.rank + 1) // joined.size - all * joined.rank // joined.size)
  make_folder_of(path)
  local file <close> = must(io.open(path, "wb"))
  must(file:write(format.header(count, table.unpack(pool, 2, pool.n))))
  for done = 0, count - 1, rows_a_write do
    local part = {}
    for i = 1, math.min(rows_a_write, count - done) do part[i] = format.row(table.unpack(pool, 1, pool.n)) end
    must(file:write(table.concat(part)))
    coroutine.yield(true)
  end
  must(file:close())
  return false
end

-- Makes the file of each rank that has none. A rank that is done waits for the others part by part: then none of them
-- is outside of MPI for longer than a part takes.
local function make_files(path, missing)
  local start, more, part = moon.clock(), missing, coroutine.wrap(write_rows)
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
  local rows = format.load(path)
  local words = "%d %s of %d " .. (format.rows == "images" and "pixels" or "numbers")
  say((words .. "; memory held by Moonglass: %.1f MB"):format(#rows, format.rows, rows:size(2),
    moon.info().memory / 1e6))
  local threads = joined:set_threads(o.threads)
  if threads then say(threads) end
  moon.seed(o.seed)
  local ae = moon.autoencoder.deep{input = rows:size(2), hidden = {128}, code = 32}
  local start = moon.clock()
  local history = ae:fit(rows, {
    loss = moon.bce(), optimizer = moon.adam{lr = o.lr}, epochs = o.epochs, batch_size = o.batch, seed = o.seed,
    shuffle = not o.in_order, callbacks = {watcher()}, verbose = 0,
    distributed = joined.mpi, sharded = joined.size > 1 or nil, -- sharded: these rows are this rank's own
  })
  local now, most = resident()
  say(("loss %.4f after %.1f s; resident %.0f MB, at most %.0f MB, for a file of %.0f MB"):format(
    history.loss[#history.loss], moon.clock() - start, now, most, lfs.attributes(path, "size") / 1e6))
end

-- ---- the program ----

o.file = o.file or format.file
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
