-- The tests cover everything that is registered, bound or exported. Each kind of thing has one check here, with one
-- message that lists what is missing and where to add it.
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local formulas = dofile "spec/support/formulas.lua"
local paths = dofile("spec/support/paths.lua")(moon)
local samples = dofile "spec/support/samples.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"
local annotations = require "moonglass.help.annotations"

-- Fails with every line of the list.
local function assert_none(what, missing)
  assert(#missing == 0, ("%s:\n  %s"):format(what, table.concat(missing, "\n  ")))
end

describe("a test meets", function()
  it("every layer: it has a sample and an export to ONNX", function()
    local missing, path = {}, os.tmpname()
    for _, kind in ipairs(core.registered("layers")) do
      local layer, what = samples.layer(kind, 4)
      missing[#missing + 1] = what
      local exported, message = true, nil
      if layer then exported, message = moon.onnx.export(path, moon.sequential{layer}) end
      if not exported then
        missing[#missing + 1] = ("layer %s: to lua/moonglass/formats/onnx_graph.lua (%s)"):format(kind, message)
      end
    end
    os.remove(path)
    assert_none("missing", missing)
  end)

  it("every activation, loss, optimiser and initialiser: it has a formula; activations are exported to ONNX", function()
    local missing = {}
    for _, family in ipairs{"activations", "losses", "optimizers", "inits"} do
      for _, name in ipairs(core.registered(family)) do
        if not formulas[family][name] then
          missing[#missing + 1] = ("%s: formulas.%s.%s, to spec/support/formulas.lua"):format(name, family, name)
        end
      end
    end
    for _, name in ipairs(core.registered("optimizers")) do
      if formulas.optimizers[name] and not formulas.options[name] then
        missing[#missing + 1] = ("%s: formulas.options.%s, to spec/support/formulas.lua"):format(name, name)
      end
    end
    local path = os.tmpname()
    for _, name in ipairs(core.registered("activations")) do
      local ok, message = moon.onnx.export(path, moon.sequential{moon.activation(name)})
      if not ok then
        missing[#missing + 1] = ("%s: to lua/moonglass/formats/onnx_graph.lua (%s)"):format(name, message)
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

  it("every function that takes a path: hostile paths, a host without files, refused memory, fuzzing", function()
    local missing = {}
    for _, f in ipairs(annotations.parse(files.read("lua/moonglass/help/meta.lua")).functions) do
      if paths.taken_by(f) and not paths.entries[f.path] then
        missing[#missing + 1] = f.path .. ": an entry, with `read` or `write`, to spec/support/paths.lua"
      end
    end
    for _, name in ipairs(paths.names) do
      local entry = paths.entries[name]
      if entry.read and not entry.folder then
        local seed = "spec/fuzz/seeds/readers/" .. name:gsub("%W", "_")
        if not (entry.sample or entry.bytes) then
          missing[#missing + 1] = name .. ": `sample` or `bytes`, to its entry in spec/support/paths.lua"
        elseif not files.read_if_there(seed) then
          missing[#missing + 1] = ("%s: %s, by build/moonglass spec/fuzz/make_seeds.lua"):format(name, seed)
        end
      end
    end
    assert_none("missing", missing)
  end)

  -- The binding's calls count: samples.lua, refused memory and finalisers go through all that is bound.
  it("every exported C function: a C test, a fuzz target or the binding calls it", function()
    local code, missing = {}, {}
    local command = "find spec/engine spec/fuzz csrc/lua -name '*.[ch]'"
    for path in files.run(command):gmatch("[^\n]+") do code[#code + 1] = files.read(path) end
    code = table.concat(code, "\n")
    for name in files.read("csrc/exports.txt"):gmatch("[%w_]+") do
      if not code:find("%f[%w_]" .. name .. "%f[^%w_]") then
        missing[#missing + 1] = name .. ": a call, to spec/engine/refusal_test.c or spec/fuzz/calls.c"
      end
    end
    assert_none("missing", missing)
  end)

  it("every option of fit: a test sets it", function()
    local text, missing = "", {}
    for _, name in ipairs{"train", "resume", "callbacks", "distributed", "mask", "row_weights", "fit_metrics"} do
      text = text .. files.read(("spec/api/%s_spec.lua"):format(name))
    end
    local interface = annotations.parse(files.read("lua/moonglass/help/meta.lua"))
    for _, field in ipairs(interface.classes["moonglass.FitOptions"].fields) do
      if not text:find("%f[%w_]" .. field.name .. " = ") then
        missing[#missing + 1] = ("fit: option %s: a test, to spec/api/train_spec.lua"):format(field.name)
      end
    end
    assert_none("missing", missing)
  end)

  -- Callbacks that only show something have no state to resume.
  local shows = {progress = true, reconstructions = true, show = true}

  it("every callback: through stop, kill and resume", function()
    local text, missing = files.read("spec/api/resume_spec.lua"), {}
    for _, name in ipairs(sorted_keys(moon.callbacks)) do
      if not shows[name] and not text:find("callbacks%." .. name .. "%f[^%w_]") then
        missing[#missing + 1] = ("moon.callbacks.%s: a line, to `cases` in spec/api/resume_spec.lua"):format(name)
      end
    end
    assert_none("missing", missing)
  end)
end)
