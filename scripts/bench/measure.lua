--- Runs bench and the peers, and adds what they print to the results.
local json = require "json"

local measure = {}

local Measure = {}
Measure.__index = Measure

-- The packages that each engine of peer.py needs; the first one gives the version.
measure.packages = {
  jax = {"jax", "jaxlib", "optax", "numpy"}, torch = {"torch", "numpy"}, ["torch-compile"] = {"torch", "numpy"},
  keras = {"keras", "tensorflow", "numpy"}, ["keras-jit"] = {"keras", "tensorflow", "numpy"},
  ["keras-jax"] = {"keras", "jax", "numpy"}, ["keras-torch"] = {"keras", "torch", "numpy"},
  sklearn = {"scikit-learn", "threadpoolctl", "numpy"},
}

-- The peers that run by default: each package as its users run it.
measure.usual = {"jax", "torch", "keras", "sklearn"}

-- Of these peer.py has other nets than the plain one.
local other_nets = {torch = true, ["torch-compile"] = true}

-- scikit-learn has no cross-entropy for pixels: it minimises the squared error, so it does not run the whole job.
local epochs_only = {sklearn = true}

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function shell(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  return table.concat(quoted, " ")
end

local function read_all(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text
end

--- The last line of a command's output, as a table; or nil and the last line of its errors.
function measure.run_json(words)
  local errors = os.tmpname()
  local pipe = assert(io.popen(("%s 2>%s </dev/null"):format(shell(words), quote(errors))))
  local output = pipe:read("a")
  local ok = pipe:close()
  local complaint = read_all(errors):match("([^\n]+)%s*$")
  os.remove(errors)
  if not ok then return nil, complaint or "ended without a message" end
  local value, message = json.decode(output:match("([^\n]+)%s*$") or "")
  return value, message
end

--- config: bench, program, lua (programs), python (or nil), folder (of this file), scratch (for files), data,
-- rounds, peer_epochs; log: called with a line about progress.
function measure.new(results, config, log)
  return setmetatable({results = results, config = config, log = log, broken = {}}, Measure)
end

-- ---- this engine ----

function Measure:bench(mode, options)
  local words = {self.config.bench, mode}
  for name, v in pairs(options) do
    words[#words + 1] = "--" .. name
    words[#words + 1] = v
  end
  local got, message = measure.run_json(words)
  if not got then error(("bench %s: %s"):format(mode, message), 0) end
  return got
end

local function add(results, test, engine, case, unit, v)
  if v then
    results:add{test = test, engine = engine, sizes = case.sizes, batch = case.batch, threads = case.threads,
                unit = unit, value = v}
  end
end

-- "epoch", or "epoch variational" for a net of that kind.
local function test_of(case) return case.net and "epoch " .. case.net or "epoch" end

--- An epoch and its floor, as many times as a peer runs warm epochs. The floor is of plain nets only.
function Measure:epoch(case)
  local got = self:bench("epoch", {sizes = case.sizes, batch = case.batch, threads = case.threads,
                                   net = case.net or "plain", floor = case.net and 0 or 1,
                                   rounds = math.max(self.config.peer_epochs - 1, 1), data = self.config.data})
  add(self.results, test_of(case), "moonglass", case, "s", got.epoch_s)
  add(self.results, test_of(case), "floor", case, "s", got.floor_s)
  add(self.results, case.net and "loss " .. case.net or "loss", "moonglass", case, "bce", got.loss)
  return ("%.3f s%s"):format(got.epoch_s, got.floor_s and (", floor %.3f s"):format(got.floor_s) or "")
end

--- The time with all threads divided by that with one, while other processes use the cores. The rows are random, and so
-- many that every process gets its turn several times.
function Measure:busy(case)
  local got = self:bench("busy", {sizes = case.sizes, batch = case.batch, threads = case.threads, busy = case.busy,
                                  rows = 12800, rounds = 8})
  add(self.results, "busy " .. case.busy, "moonglass", case, "x", got.ratio)
  return ("%.3f s, one thread %.3f s, beside %d busy"):format(got.epoch_s, got.one_s, case.busy)
end

-- Enough rows for a tenth of a second and more, so that small batches do not take minutes.
function Measure:scale(case)
  local rows = math.min(60000, math.max(6000, case.batch * 100))
  local got = self:bench("epoch", {sizes = case.sizes, batch = case.batch, threads = case.threads, rows = rows,
                                   rounds = 3, floor = 0, data = self.config.data})
  add(self.results, "scale", "moonglass", case, "rows/s", got.rows / got.epoch_s)
  return ("%.0f rows/s"):format(got.rows / got.epoch_s)
end

function Measure:row(case)
  local got = self:bench("row", {sizes = case.sizes})
  add(self.results, "row", "moonglass", {sizes = case.sizes}, "us", got.row_us)
  return ("%.1f us"):format(got.row_us)
end

-- Wall milliseconds and peak megabytes of a command.
function Measure:command(repeats, words)
  local got, message = measure.run_json{self.config.bench, "run", repeats, table.unpack(words)}
  if not got then error(("%s: %s"):format(words[1], message), 0) end
  return got
end

function Measure:start()
  local program = self:command(20, {self.config.program, "-e", ""})
  local required = self:command(20, {self.config.program, "-e", 'require "moonglass"'})
  add(self.results, "program", "moonglass", {}, "ms", program.wall_ms)
  add(self.results, "require", "moonglass", {}, "ms", required.wall_ms)
  return ("%.2f ms, with require %.2f ms"):format(program.wall_ms, required.wall_ms)
end

function Measure:job(case)
  local got = self:command(1, {self.config.program, "scripts/deep.lua", "--epochs", 5, "--batch", case.batch,
                               "--threads", case.threads, "--data", self.config.data,
                               "--out", self.config.scratch .. "/deep"})
  add(self.results, "job", "moonglass", case, "s", got.wall_ms / 1000)
  add(self.results, "job_peak", "moonglass", case, "MB", got.peak_mb)
  return ("%.2f s, %.0f MB"):format(got.wall_ms / 1000, got.peak_mb)
end

-- ---- peers ----

local finder = [[
import json, sys
from importlib.metadata import version, PackageNotFoundError
found = {}
for name in sys.argv[1:]:
  for package in (name, name + "-cpu"):
    try: found[name] = version(package)
    except PackageNotFoundError: pass
print(json.dumps(found))
]]

--- The peers in `names` whose packages are installed, and why the others are not used. Adds versions to the results.
function Measure:find_peers(names)
  local there, reasons, asked = {}, {}, {}
  for _, name in ipairs(names) do
    for _, package in ipairs(measure.packages[name]) do asked[#asked + 1] = package end
  end
  local python = self.config.python
  local found = python and measure.run_json{python, "-c", finder, table.unpack(asked)} or {}
  for _, name in ipairs(names) do
    local lacking
    for _, package in ipairs(measure.packages[name]) do
      if not found[package] then lacking = lacking or package end
    end
    if lacking then
      reasons[#reasons + 1] = ("%s is left out: no %s (make bench-peers)"):format(name, lacking)
    else
      there[#there + 1] = name
      self.results.versions[name] = found[measure.packages[name][1]]
    end
  end
  return there, reasons
end

-- A peer that failed once is not run again: it would fail again, as slowly.
function Measure:peer(engine, case, epochs)
  if self.broken[engine] then return nil, "left out" end
  local got, message = measure.run_json{self.config.python, self.config.folder .. "peer.py", engine,
    "--batch", case.batch, "--threads", case.threads, "--epochs", epochs, "--sizes", case.sizes,
    "--net", case.net or "plain", "--data", self.config.data}
  if not got then
    self.broken[engine] = true
    return nil, ("%s failed and is left out from here on: %s"):format(engine, message)
  end
  return got
end

function Measure:peer_epoch(engine, case)
  local got, message = self:peer(engine, case, self.config.peer_epochs)
  if not got then return message end
  add(self.results, test_of(case), engine, case, "s", got.epoch_s)
  add(self.results, case.net and "loss " .. case.net or "loss", engine, case, "bce", got.loss[#got.loss])
  add(self.results, "cores", engine, case, "cores", got.cores)
  if case.row then add(self.results, "row", engine, {sizes = case.sizes}, "us", got.row_us) end
  local busy = got.cores and got.cores > case.threads + 0.2
  return ("%.3f s%s"):format(got.epoch_s, busy and (" on %.1f cores, which is more than asked"):format(got.cores) or "")
end

function Measure:peer_job(engine, case)
  local got, message = self:peer(engine, case, 5)
  if not got then return message end
  add(self.results, "job", engine, case, "s", got.wall_s)
  add(self.results, "job_peak", engine, case, "MB", got.peak_mb)
  if case.row then add(self.results, "row", engine, {sizes = case.sizes}, "us", got.row_us) end
  return ("%.2f s, %.0f MB"):format(got.wall_s, got.peak_mb)
end

-- ---- in turns ----

local kinds = {epoch = {"epoch", "peer_epoch"}, job = {"job", "peer_job"}, row = {"row"}, scale = {"scale"},
               start = {"start"}, busy = {"busy"}}

local function describe(case)
  local parts = {case.net or case.sizes}
  if case.batch then parts[#parts + 1] = "batch " .. case.batch end
  if case.threads then parts[#parts + 1] = "threads " .. case.threads end
  return table.concat(parts, " ")
end

--- Every case once: this engine, then each peer.
function Measure:round(cases, peers)
  for _, case in ipairs(cases) do
    local ours, theirs = table.unpack(kinds[case.kind])
    local title = ("%-5s %s"):format(case.kind, describe(case))
    self.log(("%s  moonglass  %s"):format(title, self[ours](self, case)))
    for _, engine in ipairs(theirs and peers or {}) do
      local takes_part = case.kind == "epoch" or not epochs_only[engine]
      if not self.broken[engine] and takes_part and (not case.net or other_nets[engine]) then
        self.log(("%s  %s  %s"):format(title, engine, self[theirs](self, engine, case)))
      end
    end
  end
end

return measure
