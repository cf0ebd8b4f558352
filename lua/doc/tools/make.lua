--- Makes the documentation.
--   build/moonglass lua/doc/tools/make.lua reference   from the comments beside the code and from what is registered:
--                                                      help/meta.lua, lua/REFERENCE.md, the marked parts of pages
--   lua5.4 lua/doc/tools/make.lua plain FOLDER          the Lua files with comments that ldoc takes
--   lua5.4 lua/doc/tools/make.lua html build/docs      every page below as HTML, and an index of them
-- Run in the root of the tree.
local annotations = dofile "lua/moonglass/help/annotations.lua"
local markdown = dofile "lua/doc/tools/markdown.lua"
local reference = dofile "lua/doc/tools/reference.lua"
local tables = dofile "lua/doc/tools/tables.lua"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return assert(file:read("a"))
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- Every page of the tree, as paths from its root.
local function pages()
  local list = {}
  local command = "find . -name '*.md' -not -path './build/*' -not -path './out/*' | LC_ALL=C sort"
  local pipe <close> = assert(io.popen(command))
  for path in pipe:lines() do list[#list + 1] = path:match("^%./(.*)$") end
  return list
end

-- "a/b/../c" -> "a/c"
local function normal(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." and #parts > 0 then parts[#parts] = nil elseif part ~= "." then parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

local style = [[
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color: #222; }
pre, code { background: #f4f4f4; } pre { padding: .6rem 1rem; overflow-x: auto; } code { font-size: .9em; }
table { border-collapse: collapse; } td, th { padding: .2rem .6rem; border: 1px solid #ddd; vertical-align: top; }
th { text-align: left; background: #fafafa; } img { max-width: 100%; }
]]

local function page_html(title, body)
  return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>%s</title>\n<style>\n%s</style>\n'
    .. "</head>\n<body>\n%s\n</body>\n</html>\n"):format(title, style, body)
end

-- Where a page's links lead in HTML: other pages beside it, anything else into the tree, which holds `folder`.
local function linker(path, folder)
  local here = path:match("^(.*)/[^/]*$") or ""
  local up = ("../"):rep(select(2, path:gsub("/", "")))
  local to_root = up .. ("../"):rep(select(2, folder:gsub("[^/]+", "")))
  return function(target)
    local file, anchor = target:match("^([^#]*)(.*)$")
    if file == "" or target:find("^%a+:") then return target end
    local found = normal(here .. "/" .. file)
    if found:find("%.md$") then return up .. found:gsub("%.md$", ".html") .. anchor end
    return to_root .. found .. anchor
  end
end

local function make_html(folder)
  for _, path in ipairs(pages()) do
    local text, target = read(path), ("%s/%s"):format(folder, path:gsub("%.md$", ".html"))
    assert(os.execute(("mkdir -p '%s'"):format(target:match("^(.*)/"))))
    local first = markdown.headings(text)[1]
    write(target, page_html(first and first.text or path, markdown.html(text, linker(path, folder))))
  end
  local start = "README.html"
  write(folder .. "/index.html", page_html("Moonglass", ('<meta http-equiv="refresh" content="0; url=%s">\n'
    .. '<p><a href="%s">The documentation</a></p>'):format(start, start)))
end

-- For ldoc, which has other tags: LuaCATS tags become words. What is not above a function becomes an ordinary comment,
-- except the head of the file.
local function plain_comments(text)
  local out, block, is_head = {}, {}, true
  for line in text:gmatch("([^\n]*)\n") do
    if line:find("^%-%-%-") then
      block[#block + 1] = line:gsub("^%-%-%-@", "-- ")
    else
      local kept = is_head or line:find("function", 1, true)
      for _, comment in ipairs(block) do out[#out + 1] = kept and comment or comment:gsub("^%-%-%-", "-- ") end
      if #block > 0 then block, is_head = {}, false end
      out[#out + 1] = line
    end
  end
  return table.concat(out, "\n") .. "\n"
end

local function make_plain(folder)
  local pipe <close> = assert(io.popen("cd lua && find moonglass -name '*.lua' -not -name meta.lua"))
  for path in pipe:lines() do
    assert(os.execute(("mkdir -p '%s/%s'"):format(folder, path:match("^(.*)/"))))
    write(("%s/%s"):format(folder, path), plain_comments(read("lua/" .. path)))
  end
end

-- Files that have marked parts, of which the rest is written by hand.
local function marked_files()
  local list = pages()
  table.insert(list, "csrc/moonglass.h")
  return list
end

-- What make reference writes, by path: all of it is made before the first file is written.
local function made_files()
  local sources, registered = dofile "lua/doc/tools/sources.lua", dofile "lua/doc/tools/registered.lua"
  local blocks = registered.add(sources.read())
  sources.check(blocks)
  local stubs = dofile("lua/doc/tools/stubs.lua").write(blocks)
  local interface = annotations.parse(stubs)
  local made = {["lua/moonglass/help/meta.lua"] = stubs, ["lua/REFERENCE.md"] = reference.write(interface)}
  for _, path in ipairs(marked_files()) do
    if not made[path] then
      local text = sources.text(path)
      local ok, filled = pcall(tables.fill, text, interface)
      if not ok then error(("%s: %s"):format(path, filled), 0) end
      if filled ~= text then made[path] = filled end
    end
  end
  return made
end

-- A fault in the sources is one line, and nothing is written.
local function make_reference()
  local ok, made = pcall(made_files)
  if not ok then
    io.stderr:write("make reference: ", made, "\n")
    os.exit(1)
  end
  for path, text in pairs(made) do write(path, text) end
end

local what, folder = arg[1], arg[2]
if what == "reference" then
  make_reference()
elseif what == "plain" and folder then
  make_plain(folder)
elseif what == "html" and folder then
  make_html(folder)
else
  io.stderr:write("usage: lua5.4 lua/doc/tools/make.lua reference | plain FOLDER | html FOLDER\n")
  os.exit(2)
end
