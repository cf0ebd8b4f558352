-- What is registered, bound or exported is met by the tests: each kind of thing has one check here, with one message
-- that lists what is missing, and where to add it.
local core = require "moonglass.core"
local moon = require "moonglass"
local samples = dofile "spec/support/samples.lua"

-- Fails with every line of the list.
local function assert_none(what, missing)
  assert(#missing == 0, ("%s:\n  %s"):format(what, table.concat(missing, "\n  ")))
end

describe("a test meets", function()
  it("every layer: it has a sample, and a counterpart in ONNX", function()
    local missing, path = {}, os.tmpname()
    for _, kind in ipairs(core.registered("layers")) do
      local layer, what = samples.layer(kind, 4)
      missing[#missing + 1] = what
      local exported, message = true, nil
      if layer then exported, message = moon.onnx.export(path, moon.sequential{layer}) end
      if not exported then
        missing[#missing + 1] = ("layer %s: to lua/moonglass/formats/onnx.lua (%s)"):format(kind, message)
      end
    end
    os.remove(path)
    assert_none("missing", missing)
  end)

  it("every function, method and metamethod of the core: it has a call that works", function()
    local calls, missing = samples.all()
    local folder = os.tmpname() .. "-"
    for _, call in ipairs(calls) do
      local ok, message = pcall(function() return call.f(call.take(samples.objects(folder))) end)
      -- A metamethod's calls may be mistakes.
      if not ok and not call.name:find("__", 1, true) and not tostring(message):find("interrupted", 1, true) then
        missing[#missing + 1] = ("%s: what it takes, to spec/support/samples.lua (%s)"):format(call.name, message)
      end
    end
    for _, name in ipairs{"written", "there", "there.1"} do os.remove(folder .. name) end
    assert_none("missing", missing)
    assert.is_true(#calls > 200)
  end)
end)
