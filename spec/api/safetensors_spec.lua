-- Which safetensors files are read and which are refused: the list in support/safetensors_cases.lua. `make
-- test-interop` gives the same list to Python's package.
local files = dofile "spec/support/files.lua"
local moon = require "moonglass"

local cases = dofile "spec/support/safetensors_cases.lua"

local path = os.tmpname()

local function load(case)
  files.write(path, type(case.bytes) == "function" and case.bytes() or case.bytes)
  local before = moon.info().memory
  local tensors, message, code = moon.safetensors.load(path)
  return tensors, message, code, moon.info().memory - before
end

describe("a safetensors file is read: #safetensors", function()
  teardown(function() os.remove(path) end)
  for _, case in ipairs(cases) do
    if case.ok then
      it(case.name, function()
        local tensors, metadata = load(case)
        assert.is_table(tensors, metadata)
        assert.is_table(metadata)
        assert.is_nil(getmetatable(tensors))
        assert.is_nil(getmetatable(metadata))
        assert.is_true(moon.safetensors.save(path, tensors, metadata))
        local again = assert(moon.safetensors.load(path))
        for name, t in pairs(tensors) do assert.same(t.shape, again[name].shape) end
      end)
    end
  end
end)

describe("a safetensors file is refused: #safetensors", function()
  teardown(function() os.remove(path) end)
  for _, case in ipairs(cases) do
    if not case.ok then
      it(case.name, function()
        collectgarbage()
        local tensors, message, code, held = load(case)
        assert.is_nil(tensors)
        assert.equal("format", code)
        assert.truthy(message:find("'" .. path .. "': ", 1, true) == 1, message)
        assert.is_true(held <= 0, ("%d bytes are held"):format(held))
      end)
    end
  end
end)
