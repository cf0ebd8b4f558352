-- A training set larger than memory: it is made, mapped and trained on, and the memory that this takes is printed.
local moon = require "moonglass"
local argparse = require "argparse"
local lfs = require "lfs"

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
  option("data", nil, "folder of the set whose images are shifted (see data/README.md)", function(v) return v end)
  option("file", "out/large-images-idx3-ubyte", "where to make it; a file that is there is used as it is",
    function(v) return v end)
  parser:flag("--in-order"):description("train in the file's order, not in a shuffled one")
  parser:flag("--keep"):description("do not delete the file that was made")
  local ok, result = parser:pparse(arg)
  if ok then return result end
  io.stderr:write(("%s: %s (--help lists the options)\n"):format(name, (result:gsub("%s*\n%s*", " "))))
  os.exit(2)
end

local o = options()

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

local function write_images(file)
  local list, height, width = source_images()
  local count = math.max(1, math.floor(o.gigabytes * 1e9) // #list[1])
  must(file:write(string.pack(">I4I4I4I4", 0x803, count, height, width)))
  for done = 0, count - 1, images_a_write do
    local part = {}
    for i = 1, math.min(images_a_write, count - done) do part[i] = shifted(list, width) end
    must(file:write(table.concat(part)))
  end
end

local function make_file(path)
  math.randomseed(o.seed)
  local folder = path:match("^(.*)/[^/]*$")
  if folder and not lfs.attributes(folder, "mode") then must(lfs.mkdir(folder)) end
  local start, file = moon.clock(), must(io.open(path, "wb"))
  local ok, problem = pcall(write_images, file)
  local closed, close_problem = file:close()
  if not (ok and closed) then
    os.remove(path)
    error(ok and close_problem or problem, 0)
  end
  print(("made %s, %.2f GB, in %.1f s"):format(path, lfs.attributes(path, "size") / 1e9, moon.clock() - start))
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
    print(("step %d  loss %.4f  %.0f rows/s  resident %.0f MB, at most %.0f MB"):format(steps, state.loss,
      (rows - shown_rows) / (now - shown), resident()))
    io.stdout:flush()
    shown, shown_rows = now, rows
  end
  return self
end

local function train(path)
  local images = must(moon.data.idx(path))
  local rows = #images
  images = images:reshape(rows, images:numel() // rows)
  print(("%d images of %d pixels; memory held by Moonglass: %.1f MB"):format(rows, images:size(2),
    moon.info().memory / 1e6))
  moon.seed(o.seed)
  local ae = moon.autoencoder.deep{input = images:size(2), hidden = {128}, code = 32}
  local start = moon.clock()
  local history = ae:fit(images, {
    loss = moon.bce(), optimizer = moon.adam{lr = o.lr}, epochs = o.epochs, batch_size = o.batch, seed = o.seed,
    threads = o.threads, shuffle = not o.in_order, callbacks = {watcher()}, verbose = 0,
  })
  local now, most = resident()
  print(("loss %.4f after %.1f s; resident %.0f MB, at most %.0f MB, for a file of %.0f MB"):format(
    history.loss[#history.loss], moon.clock() - start, now, most, lfs.attributes(path, "size") / 1e6))
end

-- ---- the program ----

local made = not lfs.attributes(o.file, "mode")
local ok, problem = pcall(function()
  if made then make_file(o.file) else print("using " .. o.file) end
  collectgarbage()
  train(o.file)
end)
if made and not o.keep then os.remove(o.file) end
if not ok then
  io.stdout:flush()
  io.stderr:write(("%s: %s\n"):format(name, (tostring(problem):match("^[^\n]*"))))
  os.exit(1)
end
