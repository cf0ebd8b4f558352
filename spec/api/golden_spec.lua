-- This version reads the files that every released version has saved (spec/golden/<version>, written by
-- spec/golden/make.lua): the same bytes, and the same numbers.
local lfs = require "lfs"
local json = require "dkjson"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

-- The outputs were recorded on one CPU. Kernels of other CPUs add in another order, with or without fused multiply-add,
-- so the last digits differ, and the difference grows in the steps of a resumed fit. Values are at most about 1;
-- between the kernels for AVX-512, AVX2 and neither they differ by at most 3.6e-7.
local tolerance = 2e-6

local function folders()
  local list = {}
  for name in lfs.dir("spec/golden") do
    if name:find("^%d+%.%d+%.%d+$") then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- The names of the nets and checkpoints in a folder, without their ending: of each there are two files.
local function names(folder)
  local list, seen = {}, {}
  for file in lfs.dir(folder) do
    local name = file:match("^([%w_]+)%.safetensors$") or file:match("^([%w_]+)%.expected%.safetensors$")
    if name and not seen[name] then list[#list + 1] = name end
    seen[name or ""] = true
  end
  table.sort(list)
  return list
end

-- Parse a safetensors file: bytes and header entry of each tensor, and the texts.
local function raw(path)
  local bytes = assert(files.read_if_there(path), path .. " is missing")
  local size = #bytes >= 8 and string.unpack("<I8", bytes) or 0
  local header = json.decode(bytes:sub(9, 8 + size))
  assert(header, path .. " has no header in JSON")
  local texts = header.__metadata__ or {}
  header.__metadata__ = nil
  for _, entry in pairs(header) do
    local first, past = table.unpack(entry.data_offsets)
    entry.bytes = bytes:sub(9 + size + first, 8 + size + past)
  end
  return header, texts, bytes
end

local function load(path, is_checkpoint)
  if is_checkpoint then return assert(moon.checkpoint.load(path)) end
  return {net = assert(moon.load(path))}
end

local function save(path, loaded, is_checkpoint)
  if is_checkpoint then return assert(moon.checkpoint.save(path, loaded)) end
  assert(loaded.net:save(path))
end

local function same_tensors(expected, got)
  for name, entry in pairs(expected) do
    assert.same(entry.shape, got[name].shape, name)
    assert.equal(entry.dtype, got[name].dtype, name)
    assert.is_true(entry.bytes == got[name].bytes, name .. " has other bytes")
  end
end

local function same_numbers(expected, got, what)
  assert.same(expected.shape, got.shape, what)
  local apart = (expected - got):abs():max()
  assert.is_true(apart <= tolerance, ("%s: %g apart, expected at most %g"):format(what, apart, tolerance))
end

local function numbers(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = tonumber(word) end
  return list
end

-- The tests of each file in a folder, against its recorded results.
local function check_folder(version)
  local folder = "spec/golden/" .. version
  local all = names(folder)

  it("has nets and checkpoints", function() assert.is_true(#all >= 5, folder) end)

  for _, name in ipairs(all) do
    local path = ("%s/%s.safetensors"):format(folder, name)
    local is_checkpoint = name:find("^checkpoint_") ~= nil

    local function recorded()
      local expected, texts = moon.safetensors.load(("%s/%s.expected.safetensors"):format(folder, name))
      assert.is_table(expected, texts) -- or nil and a message
      return expected, texts
    end

    it(name .. " is read, and saved to the same bytes", function()
      local tensors, texts, bytes = raw(path)
      assert.equal(is_checkpoint, texts.checkpoint ~= nil, path)
      local copy = os.tmpname()
      save(copy, load(path, is_checkpoint), is_checkpoint)
      local again, _, bytes_again = raw(copy)
      os.remove(copy)
      same_tensors(tensors, again)
      if version == moon.info().version then
        assert.is_true(bytes == bytes_again, "a file is written in another way than in " .. version
          .. ": raise MOON_VERSION in csrc/moonglass.h")
      end
    end)

    it(name .. " computes the recorded outputs", function()
      local expected = recorded()
      local net = load(path, is_checkpoint).net
      same_numbers(expected.y, net:predict(expected.x), "y")
      if expected.code then same_numbers(expected.code, net:encode(expected.x), "code") end
    end)

    if is_checkpoint then
      it(name .. " has its epoch, steps and history", function()
        local _, texts = raw(path)
        local c = load(path, is_checkpoint)
        assert.equal(tonumber(texts.epoch), c.epoch)
        assert.equal(tonumber(texts["opt.steps"]), c.opt:state().steps)
        assert.same(numbers(texts["history.loss"]), c.history.loss)
        assert.same(numbers(texts["history.val_loss"]), c.history.val_loss)
      end)

      it(name .. " resumes to the recorded losses and weights", function()
        local expected, options = recorded()
        local c = load(path, is_checkpoint)
        local history = c.net:fit(expected.x, {
          loss = options.loss, epochs = tonumber(options.epochs), batch_size = tonumber(options.batch_size),
          validation_split = tonumber(options.validation_split), threads = tonumber(options.threads), resume = c,
          verbose = 0, callbacks = {moon.callbacks.early_stopping{patience = tonumber(options.patience)}},
        })
        for i, loss in ipairs(numbers(options.losses)) do assert.near(loss, history.loss[i], tolerance) end
        for _, parameter in ipairs(c.net:parameters()) do
          same_numbers(expected["resumed." .. parameter.name], parameter.value, parameter.name)
        end
      end)
    end
  end
end

local all = folders()

describe("the files of every version:", function()
  it("there are some", function() assert.is_true(#all > 0) end)

  for _, version in ipairs(all) do describe(version, function() check_folder(version) end) end
end)

describe("spec/golden/make.lua", function()
  local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

  it("writes such a folder, and overwrites none", function()
    local parent, remove = files.folder()
    local made = ("%s/%s"):format(parent, moon.info().version)
    local command = ("%s spec/golden/make.lua %s"):format(files.quote(program), files.quote(parent))
    local _, errors, status = files.run(command)
    assert.equal(0, status, errors)
    local list = names(made)
    assert.is_true(#list >= 5)
    local before = raw(("%s/%s.safetensors"):format(made, list[1]))
    _, errors, status = files.run(command)
    assert.equal(1, status)
    assert.matches("golden: .* is there, and a golden folder is never changed", errors)
    same_tensors(before, (raw(("%s/%s.safetensors"):format(made, list[1]))))
    remove()
  end)
end)
