-- The tools of `make reference`: blocks of documentation in C and Lua, and the stubs and tables made from them.
-- docs_spec.lua compares the pages with the library.
local sources = dofile "lua/doc/tools/sources.lua"
local stubs = dofile "lua/doc/tools/stubs.lua"
local tables = dofile "lua/doc/tools/tables.lua"
local annotations = require "moonglass.help.annotations"
local files = dofile "spec/support/files.lua"

local lua_code = [[
--- The head of a file.
local checks = require "moonglass.support.checks"

---All.
---@class moonglass
local moon = {}

---Measures.
---@class moonglass.metrics
local metrics = {}

--- Not a method of anything public.
local function helper(x) return x end

---Options of `moon.metrics.psnr`.
---@class moonglass.PsnrOptions
---@field peak number? default 1, above 0: the largest value | any
---@field base integer required: of the logarithm

---The ratio.
---@param a moonglass.Tensor
---@param options moonglass.PsnrOptions?
---@return number decibels
function metrics.psnr(a, given) return helper(a, given) end

function metrics.secret() end

---A class.
---@class moonglass.Knn
local Knn = {}

---Predict.
---@param x moonglass.Tensor
---@return moonglass.Tensor classes
function Knn:predict(x) return x end

function Knn:__tostring() return "knn" end

---Make one.
---@name moon.knn(x)
---@param x moonglass.Tensor
---@return moonglass.Knn knn
return function(x) return x end
]]

local c_code = [[
/* An ordinary comment: Tensor:nothing() */
/*** @class moonglass.Tensor
** Numbers.
** @field dtype moonglass.Dtype the type */

/*** @alias moonglass.Dtype "float32"|"uint8" */

/*** Tensor:lt(other)
** 1 where it is less,
** else 0.
*** Tensor:le(other)
** 1 where it is at most that.
** @param other moonglass.Tensor
** @return moonglass.Tensor tensor
*/
static int compare(lua_State *L) {
]]

local function blocks_of(path, text) return sources.of(path, text) end

local function interface_of(...)
  local list = {}
  for _, file in ipairs{...} do sources.of(file[1], file[2], list) end
  return annotations.parse(stubs.write(list))
end

local both = interface_of({"a.c", c_code}, {"b.lua", lua_code})

describe("a block of documentation", function()
  it("in Lua belongs to the class or function below it; the function's table gives its public name", function()
    local paths = {}
    for _, block in ipairs(blocks_of("b.lua", lua_code)) do paths[#paths + 1] = block.path or block.class end
    assert.same({"moonglass", "moonglass.metrics", "moonglass.PsnrOptions", "moon.metrics.psnr", "moonglass.Knn",
      "Knn:predict", "moon.knn"}, paths)
  end)

  it("in C may describe several functions, which share the tags", function()
    local blocks = blocks_of("a.c", c_code)
    assert.same({"moonglass.Tensor", nil, "Tensor:lt", "Tensor:le"},
      {blocks[1].class, blocks[2].path, blocks[3].path, blocks[4].path})
    assert.equal("moonglass.Dtype", blocks[2].alias)
    assert.same({"1 where it is less,", "else 0."}, blocks[3].doc)
    assert.same({"param other moonglass.Tensor", "return moonglass.Tensor tensor"}, blocks[3].tags)
    assert.same(blocks[3].tags, blocks[4].tags)
  end)

  it("continues a class in another file", function()
    local more = "---@class moonglass.metrics\nlocal more = {}\n\n"
      .. "---Count.\n---@return integer n\nfunction more.count() end\n"
    local interface = interface_of({"b.lua", lua_code}, {"c.lua", more})
    assert.same({"moon.metrics.psnr", "moon.metrics.count"}, {interface.functions[1].path, interface.functions[2].path})
    assert.equal("Measures.", interface.classes["moonglass.metrics"].doc)
  end)

  it("is refused with its place if it describes other arguments than the function has", function()
    local function refuses(path, text, message)
      local ok, got = pcall(blocks_of, path, text)
      assert.is_false(ok)
      assert.equal(message, got)
    end
    refuses("a.c", "\n/*** Tensor:lt(u)\n** Less.\n** @param other any */\n",
      "a.c:2: Tensor:lt takes (u), but (other) are described")
    refuses("b.lua", "---Less.\n---@name moon.lt(u)\n---@param other any\nreturn 1\n",
      "b.lua:1: moon.lt takes (u), but (other) are described")
    refuses("b.lua", "---Less.\n---@name moon.lt\nreturn 1\n",
      "b.lua:1: 'moon.lt' is no name with arguments: moon.load(path)")
    refuses("b.lua", "---@param x any\n---Less.\n", "b.lua:1: words behind a tag: 'Less.'")
  end)

  it("is refused where a tag is unknown or has no type, and where nothing public stands below it", function()
    local function refuses(path, text, message)
      local ok, got = pcall(blocks_of, path, text)
      assert.is_false(ok)
      assert.equal(path .. ":1: " .. message, got)
    end
    local function lua(text, message) refuses("b.lua", text, message) end
    local known = ", expected @name, @class, @alias, @param, @field, @return, @overload or @operator"
    lua("---@parma x any\n", "unknown tag @parma" .. known)
    lua("---@@param x any\n", "unknown tag @@param x any" .. known)
    lua("---@param x\n", "'@param x' has no type")
    lua("---@return\n", "'@return ' has no type")
    lua("---@field [integer]\n", "'@field [integer]' has no type")
    lua("---@param x fun(y: any words\n", "the type of '@param x fun(y: any words' has an open bracket or quote")
    lua("---@param x integer | nil\n", "the type of '@param x integer | nil' has a blank, expected a|b")
    lua("---@param x integer| nil\n", "the type of '@param x integer| nil' has a blank, expected a|b")
    local nothing = "no public function, class or @name stands below '@param x any'"
    lua("---@param x any\n\nfunction f(x) end\n", nothing)
    lua("---@param x any\nlocal function f(x) end\n", nothing)
    lua("---@param x any", nothing)
    refuses("a.c", "/*** Tensor:lt(u)\n** Less.\n", "the block has no end, expected */")
  end)

  it("is refused where it describes too few arguments of the function below", function()
    local ok, got = pcall(sources.of, "b.lua", lua_code .. "\n---@param x any\nfunction Knn:score(x, y) end\n")
    assert.is_false(ok)
    assert.matches("^b.lua:%d+: Knn:score takes %(x, y%), but %(x%) are described$", got)
  end)

  it("is refused where another block describes the same name, and in C where arguments are not described", function()
    local function refuses(text, message)
      local list = sources.of("b.lua", lua_code)
      local ok, got = pcall(sources.check, sources.of("a.c", text, list))
      assert.is_false(ok)
      assert.matches(message, got)
    end
    sources.check(sources.of("a.c", c_code, sources.of("b.lua", lua_code)))
    refuses("/*** moon.knn(x)\n** @param x any */\n", "^a.c:1: moon.knn is described in b.lua:%d+, too$")
    refuses("/*** @class moonglass.Knn\n** Words. */\n", "^a.c:1: moonglass.Knn is described in b.lua:%d+, too$")
    refuses("/*** Tensor:gt(u)\n** More. */\n", "^a.c:1: Tensor:gt takes %(u%), but %(%) are described$")
  end)

  it("has lines that end with LF: others are refused with their place", function()
    local path = os.tmpname()
    files.write(path, "a\nb\r\n")
    local ok, got = pcall(sources.text, path)
    os.remove(path)
    assert.is_false(ok)
    assert.equal(path .. ":2: a carriage return, expected lines that end with LF", got)
  end)
end)

describe("the stubs", function()
  it("are in sections: constructors of a class, then its methods", function()
    local order = {}
    for _, entry in ipairs(both.entries) do
      order[#order + 1] = ("%s %s"):format(entry.section, entry.path or entry.name)
    end
    assert.same({"nil moon", "Tensor Tensor", "Tensor Tensor:lt", "Tensor Tensor:le", "moon.metrics moon.metrics",
      "moon.metrics moonglass.PsnrOptions", "moon.metrics moon.metrics.psnr", "Knn Knn", "Knn moon.knn",
      "Knn Knn:predict"}, order)
    assert.equal('"float32"|"uint8"', both.aliases["moonglass.Dtype"].type)
  end)
end)

describe("a marked part of a page", function()
  local function fill(text) return tables.fill(text, both) end

  it("is a table of options, with their defaults", function()
    local page = "a\n<!-- made by make reference: options PsnrOptions -->\n%s<!-- end -->\nb\n"
    local made = [[
| option | default | meaning |
| --- | --- | --- |
| `peak` | `1` | above 0: the largest value \| any |
| `base` | required | of the logarithm |
]]
    assert.equal(page:format(made), fill(page:format("")))
    assert.equal(page:format(made), fill(page:format("old\n")))
  end)

  it("is a table of functions", function()
    assert.equal([[
<!-- made by make reference: functions moon.metrics -->
| `moon.metrics` | what it does |
| --- | --- |
| `psnr(a, {peak=1, base=})` | The ratio. |
<!-- end -->
]], fill("<!-- made by make reference: functions moon.metrics -->\n<!-- end -->\n"))
  end)

  it("is a list of names in a comment in C", function()
    local header = "/* The types:\n** made by make reference: kinds Dtype\n%s** end */\n"
    assert.equal(header:format("**   float32, uint8\n"), fill(header:format("")))
  end)

  it("is an error if it has no end or no beginning, or is of an unknown kind", function()
    local function refuses(text, message)
      local ok, got = pcall(fill, text)
      assert.is_false(ok)
      assert.equal(message, got)
    end
    local mark = "<!-- made by make reference: options PsnrOptions -->"
    refuses(mark .. "\n", ("the mark '%s' has no end"):format(mark))
    refuses(mark .. "\nwords\n" .. mark .. "\n<!-- end -->\n",
      ("the mark '%s' has no end before '%s'"):format(mark, mark))
    refuses("<!-- end -->\n", "'<!-- end -->' ends nothing: no mark 'made by make reference' is before it")
    refuses(mark .. "\n <!-- end -->\n", "' <!-- end -->' is no mark, expected '<!-- end -->' or '** end'")
    for _, wrong in ipairs{" " .. mark, (mark:gsub("options", "tea")), (mark:gsub("reference", "refrence")),
      (mark:gsub(":", "")), "** made by make reference tea"} do
      refuses(wrong .. "\n<!-- end -->\n", ("'%s' is nothing that make reference can make"):format(wrong))
    end
    refuses("<!-- made by make reference: options Psnr -->\n<!-- end -->\n", "there is no class Psnr")
    refuses("<!-- made by make reference: functions moon.tea -->\n<!-- end -->\n", "there is no table moon.tea")
  end)
end)
