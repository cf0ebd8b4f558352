--- Reads the documentation that stands beside the code: sources.read() -> a list of blocks, in the order of the files
-- and of their lines.
--
-- In Lua a block is the `---` lines above a class, a function or an alias, in LuaCATS form. `---@class` above a table
-- says what its functions belong to: `moonglass.metrics` is `moon.metrics`, `moonglass.Pca` has the methods `Pca:...`.
-- Another file opens the class again, without words. A function that is bound elsewhere gives its public name:
-- `---@name moon.load(path)`.
-- In C a block is a comment that begins with `/***`. Its first line is the public name with the arguments, or `@class`
-- or `@alias`. Another line that begins with `***` begins another function; the tags at the block's end belong to all.
--
-- A block is {path, arguments, class, name, alias, doc = {lines}, tags = {lines without "@"}, file, line}. A function
-- has `path`; a class has `class` and its public path, `name`.
local annotations = dofile "lua/moonglass/help/annotations.lua"

local sources = {}

local function fail(block, message, ...)
  error(("%s:%d: %s"):format(block.file, block.line, message:format(...)), 0)
end

-- ---- names ----

-- The public path of a class: "moonglass.Pca" is "Pca", "moonglass.metrics" is "moon.metrics", "moonglass" is "moon".
local function path_of_class(name)
  local last = name:match("^moonglass%.(.*)$")
  if not last then return "moon" end
  return last:find("^%u") and last or "moon." .. last
end

-- "moon.load(path)" -> "moon.load", "path"
local function split_signature(text) return text:match("^([%w_.:]+)%(([^()]*)%)$") end

local function names_of_params(block)
  local names = {}
  for _, tag in ipairs(block.tags) do names[#names + 1] = tag:match("^param%s+(%S+)") end
  return table.concat(names, ", ")
end

-- ---- one block ----

local function new_block(file, line) return {file = file, line = line, doc = {}, tags = {}} end

-- Tags with a type that has to be there, behind a name or first.
local typed = {param = "^%S+%s*(.*)$", field = "^%S+%s*(.*)$", ["return"] = "^(.*)$"}
local others = {alias = true, overload = true, operator = true}

-- A type has no blanks but those that annotations.lua takes as a part of it.
local function check_tag(block, kind, rest)
  if not (kind and (typed[kind] or others[kind])) then
    fail(block, "unknown tag @%s, expected @name, @class, @alias, @param, @field, @return, @overload or @operator",
      kind or rest)
  end
  if not typed[kind] then return end
  local type_text, words, closed = annotations.split_type(rest:match("^%b[]%s*(.*)$") or rest:match(typed[kind]) or "")
  if type_text == "" then fail(block, "'@%s %s' has no type", kind, rest) end
  if not closed then fail(block, "the type of '@%s %s' has an open bracket or quote", kind, rest) end
  if type_text:find("|$") or words:find("^|") then
    fail(block, "the type of '@%s %s' has a blank, expected a|b", kind, rest)
  end
end

local function add_line(block, text)
  local tag = text:match("^%s*@(.*)$")
  if not tag then
    local choice = block.alias and text:find("^|")
    local named = (block.class or block.alias) and 1 or 0 -- their tag stands before the words in C
    if #block.tags > named and not choice then fail(block, "words behind a tag: '%s'", text) end
    table.insert(choice and block.tags or block.doc, text)
    return
  end
  local kind, rest = tag:match("^(%a+)%s*(.*)$")
  if kind ~= "name" and kind ~= "class" then check_tag(block, kind, rest or tag) end
  if kind == "name" then
    block.signature = rest
  elseif kind == "class" then
    block.class = rest:match("^[%w_.]+")
    block.name = path_of_class(block.class)
    table.insert(block.tags, tag)
  else
    if kind == "alias" then block.alias = rest:match("^[%w_.]+") end
    table.insert(block.tags, tag)
  end
end

-- A class may say its public name, too: `---@name session`.
local function name_block(block)
  if not block.signature then return end
  if block.class then
    block.name = block.signature
    return
  end
  block.path, block.arguments = split_signature(block.signature)
  if not block.path then fail(block, "'%s' is no name with arguments: moon.load(path)", block.signature) end
end

-- ---- Lua ----

-- The public path of what a line of code defines, by the classes that the file's tables stand for.
local function path_of_code(code, classes)
  local owner, name = code:match("^%s*function ([%w_.]-)[.:]([%w_]+)%s*%(")
  local public = owner and classes[owner]
  if not public or name:find("^__") then return nil end
  return public .. (public:find("^%u") and ":" or ".") .. name
end

-- The documentation may call an argument otherwise than the code, but all are described.
local function check_count(block, code)
  local arguments = code:match("%((.-)%)") or ""
  local taken, described = select(2, arguments:gsub("[^,%s]+", "")), select(2, block.arguments:gsub("[^,%s]+", ""))
  if taken ~= described then
    fail(block, "%s takes (%s), but (%s) are described", block.path, arguments, block.arguments)
  end
end

local function close_lua_block(block, code, classes, list)
  name_block(block)
  local variable = code:match("^local ([%w_]+) =") or code:match("^([%w_.]+) =")
  if block.class and variable then classes[variable] = block.name end
  if not (block.path or block.class or block.alias) then
    block.path = path_of_code(code, classes)
    if not block.path then
      if #block.tags > 0 then fail(block, "no public function, class or @name stands below '@%s'", block.tags[1]) end
      return
    end
    block.arguments = names_of_params(block)
    check_count(block, code)
  end
  if block.path and block.arguments ~= names_of_params(block) then
    fail(block, "%s takes (%s), but (%s) are described", block.path, block.arguments, names_of_params(block))
  end
  list[#list + 1] = block
end

local function read_lua(file, text, list)
  local block, classes, number = nil, {}, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local words = line:match("^%s*%-%-%-(.*)$")
    if words and not words:find("^%-") then
      block = block or new_block(file, number)
      add_line(block, (words:gsub("^ ", "")))
    elseif block and line:find("^%s*%-%-") then
      block = nil -- a comment for readers of the code alone
    elseif block then
      close_lua_block(block, line, classes, list)
      block = nil
    end
  end
  if block then close_lua_block(block, "", classes, list) end
end

-- ---- C ----

-- Its names share the tags.
local function close_c_block(blocks, list)
  local tags = blocks[#blocks].tags
  for _, block in ipairs(blocks) do
    block.tags = tags
    name_block(block)
    local described = names_of_params(block)
    if block.path and described ~= "" and block.arguments ~= described then
      fail(block, "%s takes (%s), but (%s) are described", block.path, block.arguments, described)
    end
    list[#list + 1] = block
  end
end

local function read_c(file, text, list)
  local blocks, number = nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local opened, words = line:match("^%s*(/?)%*%*%*?%s?(.*)$")
    local begins = opened == "/" and line:find("/***", 1, true) or blocks and line:find("^%s*%*%*%*")
    if opened == "/" and begins then blocks = {} end
    if blocks then
      local ends = line:find("%*/%s*$")
      words = (words or line):gsub("%s*%*/%s*$", "")
      if begins then
        blocks[#blocks + 1] = new_block(file, number)
        add_line(blocks[#blocks], (words:find("^@") and "" or "@name ") .. words)
      elseif not line:find("^%s*%*/") then
        add_line(blocks[#blocks], words)
      end
      if ends then
        close_c_block(blocks, list)
        blocks = nil
      end
    end
  end
  if blocks then fail(blocks[1], "the block has no end, expected */") end
end

-- ---- all files ----

local function files_below(folder, pattern)
  local list = {}
  local pipe <close> = assert(io.popen(("find '%s' -name '%s' | LC_ALL=C sort"):format(folder, pattern)))
  for path in pipe:lines() do list[#list + 1] = path end
  return list
end

--- The text of a file, whose lines end with LF.
function sources.text(path)
  local file <close> = assert(io.open(path, "rb"))
  local text = assert(file:read("a"))
  local _, number = (text:match("^(.-)\r") or ""):gsub("\n", "")
  if text:find("\r", 1, true) then
    error(("%s:%d: a carriage return, expected lines that end with LF"):format(path, number + 1), 0)
  end
  return text
end

--- The blocks of one file: its path says which language it is.
function sources.of(path, text, list)
  list = list or {};
  (path:find("%.lua$") and read_lua or read_c)(path, text, list)
  return list
end

--- Refuses blocks that describe one name twice, leave an argument out, or give a type that nothing is called.
function sources.check(list)
  local seen = {}
  for _, block in ipairs(list) do
    local name = block.path or block.alias or (block.class and #block.doc > 0 and block.class)
    local first = name and seen[name]
    if first then fail(block, "%s is described in %s:%d, too", name, first.file, first.line) end
    if name then seen[name] = block end
    if block.path and block.arguments ~= names_of_params(block) then
      fail(block, "%s takes (%s), but (%s) are described", block.path, block.arguments, names_of_params(block))
    end
  end
end

--- All blocks of the tree: those of the binding, of the engine, of the Lua library.
function sources.read()
  local list = {}
  for _, folder in ipairs{"csrc/lua", "csrc/engine"} do
    for _, path in ipairs(files_below(folder, "*.c")) do sources.of(path, sources.text(path), list) end
  end
  for _, path in ipairs(files_below("lua/moonglass", "*.lua")) do
    if not path:find("help/meta%.lua$") then sources.of(path, sources.text(path), list) end
  end
  return list
end

return sources
