-- The pages. Every block marked ```lua runs as a separate program in a scratch folder, on the shapes of spec/fixtures;
-- blocks marked ```lua continued run after it, and so does the middle column of tables headed Moonglass. Every block
-- marked ```c compiles. Every link within the tree leads to a file, and to a heading in it. Blocks with another word
-- after the mark ("```lua host.lua", "```c fragment") are parts of something larger, and are left out.
local lfs = require "lfs"
local markdown = dofile "lua/doc/tools/markdown.lua"

local root = lfs.currentdir()

local files = dofile "spec/support/files.lua"
local read_file, write_file = files.read, files.write

-- All pages of the tree, in order.
local function find_pages(folder, list)
  for name in lfs.dir(folder == "" and "." or folder) do
    local path = folder == "" and name or folder .. "/" .. name
    local skipped = name:find("^%.") or (folder == "" and (name == "build" or name == "out"))
    if not skipped and lfs.symlinkattributes(path, "mode") == "directory" then
      find_pages(path, list)
    elseif name:find("%.md$") then
      list[#list + 1] = path
    end
  end
  table.sort(list)
  return list
end

local pages = find_pages("", {})

local quote = files.quote

local function absolute(path) return path:find("^/") and path or root .. "/" .. path end

-- Run a shell command in a new folder, which is removed afterwards. Its status must be 0.
local function in_scratch(name, text, command)
  local folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  write_file(folder .. "/" .. name, text)
  local pipe = assert(io.popen(("cd %s && { %s; } 2>&1"):format(quote(folder), command)))
  local output = pipe:read("a")
  local ok = pipe:close()
  assert(os.execute("rm -r " .. quote(folder)))
  assert.is_truthy(ok, output)
  return output
end

local function each_program(mark, check)
  for _, path in ipairs(pages) do
    for _, program in ipairs(markdown.programs(read_file(path), mark)) do
      it(("%s, line %d"):format(path, program.line), function() check(program.text) end)
    end
  end
end

local function count_programs(mark)
  local n = 0
  for _, path in ipairs(pages) do n = n + #markdown.programs(read_file(path), mark) end
  return n
end

-- The rows of tables: an expression, or else statements.
local row = [[
local function row(line, code)
  local chunk = load("return " .. code, "=line " .. line) or assert(load(code, "=line " .. line))
  chunk()
end
]]

describe("a page's Lua runs:", function()
  local program = absolute(os.getenv("MOONGLASS_BIN") or "build/moonglass")
  local data = root .. "/spec/fixtures/shapes"

  each_program("lua", function(text)
    if text:find("\nrow(", 1, true) then text = row .. text end
    in_scratch("block.lua", text, ("MOONGLASS_DATA=%s %s block.lua"):format(quote(data), quote(program)))
  end)

  it("there are some", function() assert.is_true(count_programs("lua") >= 10) end)
end)

describe("a page's C compiles:", function()
  local include = ""
  for _, folder in ipairs{"csrc", "csrc/engine/layers", "csrc/engine/kernels"} do
    include = include .. " -I" .. quote(root .. "/" .. folder)
  end
  local command = (os.getenv("CC") or "cc") .. " -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror -fopenmp-simd"
    .. " -DMOONI_ISA=base -fsyntax-only" .. include .. " $(pkg-config --cflags lua5.4) block.c"

  each_program("c", function(text) in_scratch("block.c", text, command) end)

  it("there are some", function() assert.is_true(count_programs("c") >= 3) end)
end)

-- A list of the broken links of a page.
local function broken_links(path, text)
  local folder, broken = path:match("^(.*/)") or "", {}
  for _, target in ipairs(markdown.links(text)) do
    local file, anchor = target:match("^([^#]*)#?(.*)$")
    if not target:find("^%a+:") then
      local found = file == "" and path or folder .. file
      local anchors = {}
      if found:find("%.md$") and lfs.attributes(found) then
        for _, h in ipairs(markdown.headings(file == "" and text or read_file(found))) do anchors[h.anchor] = true end
      end
      if not lfs.attributes(found) or (anchor ~= "" and not anchors[anchor]) then broken[#broken + 1] = target end
    end
  end
  return broken
end

describe("a page's links lead somewhere:", function()
  for _, path in ipairs(pages) do
    it(path, function() assert.same({}, broken_links(path, read_file(path))) end)
  end

  it("there are many", function()
    local n = 0
    for _, path in ipairs(pages) do n = n + #markdown.links(read_file(path)) end
    assert.is_true(#pages > 20 and n > 200)
  end)

  it("broken ones are found", function()
    local text = "# One\n[a](README.md) [b](nowhere.md) [c](README.md#licence) [d](README.md#no-such-heading)\n"
      .. "[e](#one) [f](#two) `[g](gone.md)` [h](mailto:someone)\n```\n[i](gone.md)\n```\n![j](gone.png)\n"
    assert.same({"nowhere.md", "README.md#no-such-heading", "#two", "gone.png"}, broken_links("NEWS.md", text))
  end)
end)

-- A page names places as `function` in [file](path). Return a list of those whose file does not have the function.
local function lost_places(path, text)
  local folder, lost = path:match("^(.*/)") or "", {}
  for name, target in text:gmatch("`([%w_.:]+)`%s+in%s+%[[^%]]+%]%(([^%s)#]+)%)") do
    local source = lfs.attributes(folder .. target) and read_file(folder .. target) or ""
    if not source:find("%f[%w_]" .. name:gsub("%p", "%%%0") .. "%f[^%w_]") then
      lost[#lost + 1] = ("%s in %s"):format(name, target)
    end
  end
  return lost
end

describe("a page's places exist:", function()
  for _, path in ipairs(pages) do
    it(path, function() assert.same({}, lost_places(path, read_file(path))) end)
  end

  it("a missing one is found", function()
    assert.same({"nowhere in LICENSE", "MIT in gone.c"},
      lost_places("NEWS.md", "`MIT` in [x](LICENSE) `nowhere`\n  in [x](LICENSE) `MIT` in [y](gone.c)"))
  end)
end)

-- The words after `make` in a page's inline code and commands that are not targets.
local function unknown_targets(text, targets)
  local unknown = {}
  local function look(command)
    command = command:gsub("'[^']*'", ""):gsub("[#&|;].*", "")
    for word in command:gmatch("%S+") do
      if word:find("^%l[%l-]*$") and not targets[word] then unknown[#unknown + 1] = word end
    end
  end
  for command in text:gmatch("`make ([^`]*)`") do look(command) end
  for command in text:gmatch("\nmake ([^\n]*)") do look(command) end
  return unknown
end

describe("a page's make targets exist:", function()
  local targets = {}
  for line in files.run("make -s help"):gmatch("[^\n]+") do targets[line:match("^ +(%S+)") or ""] = true end

  for _, path in ipairs(pages) do
    it(path, function() assert.same({}, unknown_targets(read_file(path), targets)) end)
  end

  it("there are some, and others are found", function()
    assert.is_true(targets.deps and targets.demo and targets.test)
    assert.same({"none", "nor-this"}, unknown_targets("`make test none X=y`\nmake -s nor-this A='b c' # deps", targets))
  end)
end)

describe("every page can be reached from README.md", function()
  it("by links", function()
    local reached, todo = {["README.md"] = true}, {"README.md"}
    while #todo > 0 do
      local path = table.remove(todo)
      for _, target in ipairs(markdown.links(read_file(path))) do
        local found = ((path:match("^(.*/)") or "") .. target:gsub("#.*$", ""))
        repeat
          local n
          found, n = found:gsub("[^/]+/%.%./", "", 1)
        until n == 0
        if found:find("%.md$") and not reached[found] and lfs.attributes(found) then
          reached[found] = true
          todo[#todo + 1] = found
        end
      end
    end
    local missing = {}
    for _, path in ipairs(pages) do
      if not reached[path] then missing[#missing + 1] = path end
    end
    assert.same({}, missing)
  end)
end)
