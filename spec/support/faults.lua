-- Runs the program under strace: lists its system calls, makes one fail, or kills the process at one. For
-- durability_spec.lua and spec/stress: dofile "spec/support/faults.lua".
local lfs = require "lfs"
local files = dofile "spec/support/files.lua"

local faults = {}

local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

local quote = files.quote

-- The leak sanitizer does not work under ptrace.
local environment = "env -u LUA_INIT -u LUA_INIT_5_4 -u LD_PRELOAD ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"

--- Is strace installed and allowed to trace?
function faults.can_trace()
  return (select(3, files.run("strace -o /dev/null true"))) == 0
end

-- ---- folders ----

--- The names in a folder, sorted, joined by blanks.
function faults.names(folder)
  local list = {}
  for name in lfs.dir(folder) do
    if name ~= "." and name ~= ".." then list[#list + 1] = name end
  end
  table.sort(list)
  return table.concat(list, " ")
end

faults.read, faults.write = files.read_if_there, files.write

-- ---- savers and loaders ----

local a_net = [[local net = moon.autoencoder.plain{input = 30, hidden = 20}]]

--- Each: the code before the act, and an expression that gives true, or nil and a message. `path` is the file.
faults.savers = {
  net = {a_net, "net:save(path)"},
  safetensors = {"local t, u = moon.rand(50, 60), moon.zeros(9, {dtype = 'uint8'})",
    "moon.safetensors.save(path, {t = t, u = u}, {text = 'x'})"},
  checkpoint = {a_net .. " local opt = moon.adam() opt:moments(net:parameters())",
    "moon.checkpoint.save(path, {net = net, opt = opt, epoch = 3, seed = 4})"},
  png = {"local t = moon.rand(50, 60)", "moon.png.write(path, t)"},
  onnx = {a_net, "moon.onnx.export(path, net)"},
  script = {"local write = require('moonglass.support.files').write", "write(path, ('a,b\\n'):rep(999))"},
  csv_logger = {
    [[local history = {loss = {}, val_loss = {}, val_epochs = {}, epoch_seconds = {}, metrics = {}, epochs = 500}
      for i = 1, 500 do history.loss[i], history.epoch_seconds[i] = 1 / i, 0.5 end
      local function rewrite()
        local logger = moon.callbacks.csv_logger(path)
        logger:on_train_begin{resumed = true, initial_epoch = 500, history = history, figures = {"loss"}}
        logger:on_train_end{}
        return true
      end
      local function result(ok, ...) if ok then return ... end return nil, ... end]],
    "result(pcall(rewrite))", goes_on = true, -- opens the new file again, to add to it
  },
}

faults.loaders = {
  net = {"", "moon.load(path)", saver = "net"},
  safetensors = {"", "moon.safetensors.load(path)", saver = "safetensors"},
  checkpoint = {"", "moon.checkpoint.load(path)", saver = "checkpoint"},
  png = {"", "moon.png.read(path)", saver = "png"},
  idx = {"", "moon.data.idx(path)", file = "spec/fixtures/shapes/t10k-images-idx3-ubyte"},
  gzip = {"", "moon.data.idx(path)", file = "spec/fixtures/shapes/train-images-idx3-ubyte.gz"},
}

-- The act is the part of a trace between two marks.
local script = [[
local moon, path = require "moonglass", ...
moon.seed(7)
%s
io.open "/none/begin"
local result = table.pack(%s)
io.open "/none/end"
print(result[1] and "done" or "refused", result[1] and "" or result[2])
]]

--- Write the program of an act to a file.
function faults.program_of(act)
  local path = os.tmpname()
  files.write(path, script:format(act[1], act[2]))
  return path
end

--- Run it. Return "done" or "refused" (nil if it ended before), the message, standard error. before: shell code before
-- it; variable: an additional environment variable.
function faults.act(source, path, before, variable)
  local output, err = files.run(("%s %s %s %s %s %s"):format(before or "", environment, variable or "", quote(program),
    source, quote(path)))
  local result, message = output:match("^(%l+)\t([^\n]*)\n$")
  return result, message, err
end

-- ---- traces ----

--- Run it under strace with the given options.
function faults.traced(source, path, options)
  local log = os.tmpname()
  local result, message, err = faults.act(source, path, ("strace -qq -o %s %s"):format(log, options or ""))
  local text = files.read(log)
  os.remove(log)
  return text, result, message, err
end

--- The calls of the act in order: {name, arguments, result, number among the process's calls of that name}.
function faults.calls(source, path)
  local text, result, message, err = faults.traced(source, path, "-s 0")
  assert(result == "done", ("not done: %s %s"):format(message, err))
  local calls, number, inside = {}, {}, false
  for line in text:gmatch("[^\n]+") do
    local name, arguments, value = line:match("^([%w_]+)%((.*)%)%s+= (%S+)")
    if name then
      number[name] = (number[name] or 0) + 1
      if arguments:find('"/none/end"', 1, true) then inside = false end
      if inside then
        calls[#calls + 1] = {name = name, arguments = arguments, result = value, number = number[name]}
      end
      if arguments:find('"/none/begin"', 1, true) then inside = true end
    end
  end
  assert(#calls > 0, "the trace is empty")
  return calls
end

--- Run the act while `call` fails with this error. Return "done" or "refused", and the message.
function faults.refuse(source, path, call, name)
  local _, result, message, err =
    faults.traced(source, path, ("-e inject=%s:error=%s:when=%d"):format(call.name, name, call.number))
  return result, message, err
end

--- Run the act and kill it at `call`.
function faults.kill_at(source, path, call)
  return select(2, faults.traced(source, path, ("-e inject=%s:signal=KILL:when=%d"):format(call.name, call.number)))
end

--- The first call at or after index `from` with that name and with the part in its arguments; and its index.
function faults.find(calls, from, name, part)
  for i = from, #calls do
    if calls[i].name == name and calls[i].arguments:find(part, 1, true) then return calls[i], i end
  end
  error(("no %s(...%s...) after call %d"):format(name, part, from), 2)
end

-- ---- campaigns: {points = number, failures = list of texts} ----

local function campaign() return {points = 0, failures = {}} end

local function note(c, ok, format, ...)
  c.points = c.points + 1
  if not ok then c.failures[#c.failures + 1] = format:format(...) end
end

-- The result of a saver in an empty folder.
local function new_content(source, folder, path)
  local result, message, err = faults.act(source, path)
  assert(result == "done", ("not done: %s %s"):format(message, err))
  local new = faults.read(path)
  os.remove(path)
  assert(faults.names(folder) == "", faults.names(folder))
  return new
end

local old = "the old file"

-- Mark the calls that the new file needs: a failure of these must be reported. The last fsync is the folder's, after
-- the new file is in place.
local function mark_needed(calls)
  local fd
  for _, call in ipairs(calls) do
    if call.name == "openat" and call.arguments:find("O_EXCL", 1, true) then
      call.needed, fd = true, call.result
    elseif fd and (call.name == "write" or call.name == "fsync") then
      call.needed = call.arguments:match("^%d+") == fd
    elseif fd and call.name == "close" and call.arguments == fd then
      call.needed, fd = true, nil
    elseif call.name == "rename" then
      call.needed = true
    end
  end
end

-- Prepare a saver's program, folder, path, old and new content, calls. Call each(c, call, ...) for the selected calls.
local function with_saver(saver, wanted, each)
  local c, source = campaign(), faults.program_of(saver)
  local folder, remove = files.folder()
  local path = folder .. "/target"
  local new = new_content(source, folder, path)
  for _, start in ipairs{"nothing", old} do
    local before = start == old and old or nil
    local function reset()
      os.remove(path)
      if before then files.write(path, before) end
    end
    reset()
    local calls = faults.calls(source, path)
    mark_needed(calls)
    for _, call in ipairs(calls) do
      if wanted(call) then
        reset()
        each(c, {
          source = source, folder = folder, path = path, old = before, new = new, call = call, goes_on = saver.goes_on,
        })
      end
    end
  end
  os.remove(source)
  remove()
  return c
end

local function text_of(call) return ("%s(%s) number %d"):format(call.name, call.arguments, call.number) end

-- The number of these calls differs between runs, because the heap has another address: the last one may be missing.
local memory_calls = {brk = true, mmap = true, munmap = true, mremap = true, madvise = true}

--- Kill a saver at each of its calls: the file is the old one or the new one, and the next undisturbed save removes
-- the temporary.
function faults.kill_everywhere(saver)
  return with_saver(saver, function() return true end, function(c, p)
    local result = faults.kill_at(p.source, p.path, p.call)
    local content = faults.read(p.path)
    note(c, result == nil or memory_calls[p.call.name] and content == p.new, "%s did not end it", text_of(p.call))
    note(c, content == p.old or content == p.new, "killed at %s: neither old nor new", text_of(p.call))
    faults.act(p.source, p.path)
    note(c, faults.read(p.path) == p.new and faults.names(p.folder) == "target", "after %s: %s", text_of(p.call),
      faults.names(p.folder))
  end)
end

local io_calls = {}
for name in ([[open openat read pread64 readv write pwrite64 writev fsync fdatasync close rename renameat renameat2
    link linkat unlink unlinkat stat fstat lstat newfstatat statx fcntl flock getdents64]]):gmatch("%S+") do
  io_calls[name] = true
end

local reasons = {
  EIO = "Input/output error", ENOSPC = "No space left on device", EFBIG = "File too large",
  EINTR = "Interrupted system call", EROFS = "Read-only file system", EDQUOT = "Disk quota exceeded",
}

-- EINTR is not a failure. A descriptor is closed even so.
local outlives = {openat = true, write = true, fsync = true, close = true}

--- Let each call of a saver fail for each reason. If the saver reports success the file is new; else it is old, and the
-- message has path and reason. No temporary is left.
function faults.refuse_everywhere(saver, names)
  return with_saver(saver, function(call) return io_calls[call.name] end, function(c, p)
    for _, name in ipairs(names) do
      os.remove(p.path)
      if p.old then files.write(p.path, p.old) end
      local result, message, err = faults.refuse(p.source, p.path, p.call, name)
      local what = ("%s at %s: %s %s %s"):format(name, text_of(p.call), result, message, err)
      local content = faults.read(p.path)
      local stays = content == p.old or (p.goes_on and content == p.new)
      note(c, result == "done" and content == p.new or result ~= "done" and stays, "%s: the file", what)
      local left = faults.names(p.folder):gsub("target$", "")
      note(c, left == "" or p.call.name:find("^unlink"), "%s: left %s", what, left)
      if result ~= "done" then
        note(c, message and message:find(p.path, 1, true) and message:find(reasons[name], 1, true), "%s: why", what)
      end
      if p.call.needed then
        note(c, (result == "done") == (name == "EINTR" and outlives[p.call.name] or false), "%s: told", what)
      end
      for left_over in left:gmatch("%S+") do os.remove(p.folder .. "/" .. left_over) end
    end
  end)
end

--- Let each call of a loader fail. It says why, or its result is complete. EINTR is not a failure.
function faults.refuse_reading(loader, names)
  local c, source = campaign(), faults.program_of(loader)
  local folder, remove = files.folder()
  local path = folder .. "/target"
  if loader.file then
    files.write(path, faults.read(loader.file))
  else
    local saving = faults.program_of(faults.savers[loader.saver])
    new_content(saving, folder, path)
    faults.act(saving, path)
    os.remove(saving)
  end
  for _, call in ipairs(faults.calls(source, path)) do
    local of_file = call.name == "pread64" or call.name == "openat" and call.arguments:find(path, 1, true)
    for _, name in ipairs(io_calls[call.name] and names or {}) do
      local result, message, err = faults.refuse(source, path, call, name)
      local what = ("%s at %s: %s %s %s"):format(name, text_of(call), result, message, err)
      note(c, result ~= nil, "%s", what)
      if of_file then note(c, (result == "done") == (name == "EINTR"), "%s: told", what) end
      if result == "refused" then
        note(c, message:find(path, 1, true) and message:find(reasons[name], 1, true), "%s: why", what)
      end
    end
  end
  os.remove(source)
  remove()
  return c
end

-- ---- kill -9 at random ----

local saving_loop = [[
local moon, path, k = require "moonglass", ...
local net = moon.autoencoder.plain{input = 196, hidden = 64}
k = tonumber(k)
while true do
  for _, parameter in ipairs(net:parameters()) do parameter.value:fill_(k) end
  assert(net:save(path))
  k = k + 1
end
]]

-- All weights of a saved net have the same value: return it, or nil and why the file is not such a net.
local function number_of(moon, path)
  local net, message = moon.load(path)
  if not net then return nil, message end
  local k = net:parameters()[1].value[1][1]
  for _, parameter in ipairs(net:parameters()) do
    if parameter.value:min() ~= k or parameter.value:max() ~= k then return nil, "weights of two saves" end
  end
  return math.tointeger(k)
end

--- Kill a loop of saves n times: after each kill the file is whole, and not older than after the previous one. Also
-- returns saves, the number of saves; caught, the kills in the middle of one; most, the largest number of temporaries.
function faults.kill_at_random(moon, n)
  local c, source = campaign(), os.tmpname()
  local folder, remove = files.folder()
  local path, last = folder .. "/target", 1
  c.caught, c.most = 0, 0
  files.write(source, saving_loop)
  local generator = 12345 -- for the moments: the state's random numbers are not used
  for _ = 1, n do
    generator = (generator * 1103515245 + 12345) % 2147483648
    local seconds = 0.03 + 0.12 * generator / 2147483648
    -- Wait for its end: a process killed in fsync keeps the lock of its temporary until it has ended.
    files.run(("{ %s %s %s %s %d & sleep %.4f; kill -KILL $!; wait $!; }"):format(environment, quote(program), source,
      path, last, seconds))
    local there = faults.read(path) ~= nil
    local k, message = number_of(moon, path)
    note(c, not there or (k and k >= last - 1), "killed after save %d: %s", last, message or k)
    last = k and k + 1 or last
    local temporaries = select(2, faults.names(folder):gsub("%.moonglass", ""))
    if temporaries > 0 then c.caught = c.caught + 1 end
    c.most = math.max(c.most, temporaries)
  end
  c.saves = last - 1
  note(c, moon.autoencoder.plain{input = 2, hidden = 2}:save(path) and faults.names(folder) == "target", "left: %s",
    faults.names(folder))
  os.remove(source)
  remove()
  return c
end

return faults
