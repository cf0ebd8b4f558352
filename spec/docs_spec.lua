-- The references: every public name has its entry. Of the headers, what each entry says (make docs has Doxygen look at
-- them too); of the Lua library, what is reachable from `moon` against lua/REFERENCE.md, and that against the
-- annotations that it is made from.
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/files.lua"

-- ---- C ----

-- The paragraphs of a header that declare something: its comment, and its entries.
local function paragraphs(header)
  local list = {}
  for text in (files.read(header) .. "\n\n"):gmatch("(.-)\n\n+") do
    local code = ("\n" .. text):gsub("/%*.-%*/", "")
    local entries = {}
    for entry in code:gmatch("\nMOON_API ([^;]+);") do entries[#entries + 1] = entry end
    if #entries > 0 then list[#list + 1] = {comment = text:match("^/%*(.-)%*/"), entries = entries} end
  end
  return list
end

describe("the C headers:", function()
  local all, functions = {}, 0
  for _, header in ipairs{"csrc/moonglass.h", "csrc/moonglass_lua.h"} do
    for _, p in ipairs(paragraphs(header)) do
      all[#all + 1] = p
      functions = functions + #p.entries
    end
  end

  it("all entries were found", function()
    local _, recorded = files.read("csrc/exports.txt"):gsub("\n", "")
    assert.equal(recorded, functions)
  end)

  it("each entry stands under a comment", function()
    for _, p in ipairs(all) do assert.is_string(p.comment, p.entries[1]) end
  end)

  it("each that can fail says how", function()
    for _, p in ipairs(all) do
      for _, entry in ipairs(p.entries) do
        if entry:find("^moon_status ") then
          local elsewhere = p.comment:find("statuses of both") or p.comment:find("what %l+ gives")
          assert.is_truthy(elsewhere or p.comment:find("MOON_E%u"), entry)
        end
      end
    end
  end)

  it("each that makes or changes an object says what kind of entry it is", function()
    for _, p in ipairs(all) do
      for _, entry in ipairs(p.entries) do
        if entry:find("_new%(") or entry:find("_load%(") then
          assert.is_truthy(p.comment:find("CONSTRUCTOR") or entry:find("ctx_new"), entry)
        end
      end
    end
  end)
end)

-- ---- Lua ----

local reference = files.read("lua/REFERENCE.md")

-- Does the reference have this name, as a whole one?
local function has(name) return reference:find(name:gsub("%p", "%%%0") .. "%f[^%w_]") ~= nil end

local prefixes = {
  ["moonglass.tensor"] = "t:", ["moonglass.layer"] = "layer:", ["moonglass.loss"] = "loss:",
  ["moonglass.optimizer"] = "opt:", ["moonglass.net"] = "net:", ["moonglass.dataset"] = "data:",
}

describe("lua/REFERENCE.md", function()
  it("is what the annotations give (make reference)", function()
    local interface = dofile("lua/doc/annotations.lua").parse(files.read("lua/moonglass/meta.lua"))
    assert.equal(dofile("lua/doc/reference.lua").write(interface), reference)
  end)

  it("has every function of the library", function()
    local missing, seen = {}, 0
    local function see(name)
      seen = seen + 1
      if not has(name) then missing[#missing + 1] = name end
    end
    for name, value in pairs(moon) do
      see("moon." .. name)
      for part in pairs(type(value) == "table" and value or {}) do
        if type(part) == "string" then see("moon." .. name .. "." .. part) end
      end
    end
    table.sort(missing)
    assert.same({}, missing)
    assert.is_true(seen > 90)
  end)

  it("has every method; those in place by their rule", function()
    local missing, seen = {}, 0
    for class, methods in pairs(core.methods) do
      for name, method in pairs(methods) do
        local plain = name:match("^(.*)_$")
        seen = seen + 1
        -- Fields that may be missing are false among the methods.
        local prefix = method and prefixes[class] or prefixes[class]:gsub(":", ".")
        if not (plain and methods[plain]) and not has(prefix .. name) then missing[#missing + 1] = prefix .. name end
      end
    end
    table.sort(missing)
    assert.same({}, missing)
    assert.is_true(seen > 120)
  end)

  it("has no name that is not there", function()
    for path in reference:gmatch("moon%.([%w_.]*[%w_])") do
      local value = moon
      for part in path:gmatch("[%w_]+") do
        value = type(value) == "table" and value[part] or nil
      end
      if path ~= "interactive" then assert.is_not_nil(value, "moon." .. path) end -- a session's
    end
    for class, prefix in pairs(prefixes) do
      for name in reference:gmatch("%f[%w]" .. prefix .. "([%w_]+)%(") do
        assert.is_not_nil(core.methods[class][name], prefix .. name)
      end
    end
  end)
end)
