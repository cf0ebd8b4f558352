-- The reference pages: every public name has its entry, and each entry of the headers says how it fails (make docs has
-- Doxygen check them too). lua/REFERENCE.md is compared with the documentation that it is made from; interface_spec.lua
-- compares that with the library.
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

-- ---- C ----

-- The paragraphs of a header that declare something: comment and entries.
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

  it("each entry has a comment above it", function()
    for _, p in ipairs(all) do assert.is_string(p.comment, p.entries[1]) end
  end)

  it("each that can fail says how", function()
    for _, p in ipairs(all) do
      for _, entry in ipairs(p.entries) do
        if entry:find("^moon_status ") then
          local elsewhere = p.comment:find("fail as both steps do") or p.comment:find("what %l+ gives")
          assert.is_truthy(elsewhere or p.comment:find("MOON_E%u"), entry)
        end
      end
    end
  end)

  it("each that makes an object is marked CONSTRUCTOR", function()
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

-- Does the reference have this name as a whole word?
-- A pattern of a call of that function, with its object before it; functions of the session are globals.
local function has(name) return reference:find("[.:`]" .. name .. "%(") ~= nil end

local prefixes = {
  ["moonglass.tensor"] = "t:", ["moonglass.layer"] = "layer:", ["moonglass.loss"] = "loss:",
  ["moonglass.optimizer"] = "opt:", ["moonglass.net"] = "net:", ["moonglass.dataset"] = "data:",
  ["moonglass.scaler"] = "scaler:",
}

-- ---- maps of folders ----

-- The paths in the tree that a find command prints.
local function found(command)
  local list = {}
  for path in files.run(command):gmatch("[^\n]+") do list[#list + 1] = path end
  assert.is_true(#list > 5, command)
  return list
end

describe("the maps of folders", function()
  -- A page has each file, or its folder, as `name`, as [name](...) or as (name).
  local function check(page, command, strip)
    it(page .. " has a row for each", function()
      local text, missing = files.read(page), {}
      for _, path in ipairs(found(command)) do
        local name = path:gsub("^" .. strip, "")
        local folder = name:match("^([^/]*/)")
        local listed = text:find("[`(/]" .. name:gsub("%p", "%%%0") .. "[`)]")
          or (folder and text:find("[`%[]" .. folder:gsub("%p", "%%%0") .. "[`%]]"))
        if not listed then missing[#missing + 1] = name end
      end
      assert.same({}, missing)
    end)
  end

  check("spec/README.md",
    "find spec -mindepth 2 -name '*.lua' -o -name '*.sh' -o -name '*.[ch]' -o -name '*.py'", "spec/")
  check("lua/README.md", "find lua/moonglass -name '*.lua'", "lua/moonglass/")
  check("scripts/README.md", "find scripts -maxdepth 1 -name '*.lua'", "scripts/")
  check("csrc/README.md", "find csrc/lua csrc/cli -name '*.c'", "csrc/%l+/")

  it("name files whose first line describes them", function()
    local silent = {}
    for _, path in ipairs(found("find spec lua scripts -name '*.lua' -o -name '*.sh' -o -name '*.[ch]'")) do
      local first = files.read(path):gsub("^#![^\n]*\n", "")
      if not first:find("^%-%-+ *[%w@]") and not first:find("^# *%w") and not first:find("^/%* *%w") then
        silent[#silent + 1] = path
      end
    end
    assert.same({}, silent)
  end)
end)

-- ---- spec/RELIABILITY.md ----

describe("spec/RELIABILITY.md", function()
  local text = files.read("spec/RELIABILITY.md")

  it("names tests that exist: in specs by their names, in C by their functions", function()
    local missing, seen = {}, 0
    for spec, list in text:gmatch('([%w_]+_spec) ("[^|;]*)') do
      local path = files.run(("find spec -name %s.lua"):format(spec)):match("[^\n]+")
      for name in list:gmatch('"([^"]+)"') do
        seen = seen + 1
        local there = path and files.read(path):find(name, 1, true)
        if not there then missing[#missing + 1] = ("%s: %s"):format(spec, name) end
      end
    end
    local code = files.run("cat spec/engine/*_test.c")
    for name in text:gmatch("`([%l_]+_[%l_]+)`") do
      seen = seen + 1
      if not code:find("%f[%w_]" .. name .. "%f[^%w_]") and not name:find("^lua_") then missing[#missing + 1] = name end
    end
    assert.same({}, missing)
    assert.is_true(seen > 30)
  end)
end)

-- ---- HTML ----

describe("a page as HTML", function()
  local markdown = dofile "lua/doc/tools/markdown.lua"

  local function html(text) return markdown.html(text, function(target) return "to/" .. target end) end

  it("has headings with anchors, different ones for equal headings", function()
    assert.equal('<h1 id="one-two">One <code>two</code></h1>\n<p>x</p>\n<h2 id="one-two-1">One, two</h2>',
      html("# One `two`\nx\n\n## One, two\n"))
  end)

  it("has paragraphs, lists, quotations, blocks of code", function()
    assert.equal("<p>a\nb</p>\n<p>c</p>", html("a\nb\n\nc\n"))
    assert.equal("<ul>\n<li>a\nb</li>\n<li>c</li>\n</ul>", html("* a\n  b\n* c\n"))
    assert.equal("<ol>\n<li>a</li>\n<li>b</li>\n</ol>", html("1. a\n2. b\n"))
    assert.equal("<blockquote>a\nb</blockquote>", html("> a\n> b\n"))
    assert.equal("<p>a</p>\n<pre><code># x &lt; y\n\n  z</code></pre>\n<p>b</p>",
      html("a\n```lua\n# x < y\n\n  z\n```\nb\n"))
  end)

  it("has tables", function()
    assert.equal("<table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td>1 | 2</td><td></td></tr>\n</table>",
      html("| a | b |\n| --- | --- |\n| 1 \\| 2 | |\n"))
  end)

  it("has emphasis, links and pictures, but not in code; HTML markup is escaped", function()
    assert.equal("<p><strong>a</strong> <em>b</em> 2 * 3 * 4</p>", html("**a** *b* 2 * 3 * 4"))
    assert.equal('<p><a href="to/x.md#y">a <code>b</code></a> <img alt="c" src="to/d.png"></p>',
      html("[a `b`](x.md#y) ![c](d.png)"))
    assert.equal("<p><code>*a* [b](c) &lt;d&gt;</code> &lt;e&gt; &amp;</p>", html("`*a* [b](c) <d>` <e> &"))
    assert.equal("<p>[n x m] and t[i]</p>", html("[n x m] and t[i]"))
  end)
end)

describe("lua/REFERENCE.md", function()
  local interface = dofile("lua/moonglass/help/annotations.lua").parse(files.read("lua/moonglass/help/meta.lua"))

  it("is up to date with help's file (make reference)", function()
    assert.equal(dofile("lua/doc/tools/reference.lua").write(interface), reference)
  end)

  it("has every documented function; methods in place share the entry of the plain ones", function()
    local missing = {}
    for _, f in ipairs(interface.functions) do
      if not has(f.name) then missing[#missing + 1] = f.path end
    end
    assert.same({}, missing)
    assert.is_true(#interface.functions > 240)
  end)

  it("has only names that exist", function()
    for path in reference:gmatch("moon%.([%w_.]*[%w_])") do
      local value = moon
      for part in path:gmatch("[%w_]+") do
        value = type(value) == "table" and value[part] or nil
      end
      if path ~= "interactive" then assert.is_not_nil(value, "moon." .. path) end -- only in a session
    end
    for class, prefix in pairs(prefixes) do
      for name in reference:gmatch("%f[%w]" .. prefix .. "([%w_]+)%(") do
        assert.is_not_nil(core.methods[class][name], prefix .. name)
      end
    end
  end)
end)
