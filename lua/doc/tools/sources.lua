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
  local owner, name = code:match("^%s*function ([%w_.]-)[.:]([%w_]+)%(")
  local public = owner and classes[owner]
  if not public or name:find("^__") then return nil end
  return public .. (public:find("^%u") and ":" or ".") .. name
end

local function close_lua_block(block, code, classes, list)
  name_block(block)
  local variable = code:match("^local ([%w_]+) =") or code:match("^([%w_.]+) =")
  if block.class and variable then classes[variable] = block.name end
  if not (block.path or block.class or block.alias) then
    block.path = path_of_code(code, classes)
    if not block.path then return end
    block.arguments = names_of_params(block)
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
end

-- ---- all files ----

local function files_below(folder, pattern)
  local list = {}
  local pipe <close> = assert(io.popen(("find '%s' -name '%s' | LC_ALL=C sort"):format(folder, pattern)))
  for path in pipe:lines() do list[#list + 1] = path end
  return list
end

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return assert(file:read("a"))
end

--- The blocks of one file: its path says which language it is.
function sources.of(path, text, list)
  list = list or {};
  (path:find("%.lua$") and read_lua or read_c)(path, text, list)
  return list
end

--- All blocks of the tree: those of the binding, of the engine, of the Lua library.
function sources.read()
  local list = {}
  for _, folder in ipairs{"csrc/lua", "csrc/engine"} do
    for _, path in ipairs(files_below(folder, "*.c")) do sources.of(path, read_file(path), list) end
  end
  for _, path in ipairs(files_below("lua/moonglass", "*.lua")) do
    if not path:find("help/meta%.lua$") then sources.of(path, read_file(path), list) end
  end
  return list
end

return sources
