--- What was typed, made ready to run: the rules of the session at a prompt and of a notebook's cells.
--   chunk.compile(text, name) -> {run =, silenced =, ...}, or nil, message, incomplete
-- Text is statements, as in any file of Lua's. If the last is an expression, its values are the results; a semicolon
-- behind it silences them. Where that expression begins is nobody's guess: Lua compiles what is before it and what is
-- behind, and a token that could still belong to the statement before does belong to it.
local scanner = require "moonglass.session.tokens"

local chunk = {}

local load = load -- the user's may be another

local function set(words)
  local is = {}
  for word in words:gmatch("%S+") do is[word] = true end
  return is
end

local ends_statement = set "name number string nil true false ... ) } ] end ; > ::"
local begins_expression = set "name number string nil true false ... not function # - ~ ( {"
local begins_statement = set "name ( ; :: break goto do while repeat if for function local return"
local opens_block, closes_block = set "function do if repeat ( { [", set "end until ) } ]"

-- What goes on with an expression, if it follows one; no statement begins so.
local continuation = {["-"] = "\n- 1", ["~"] = "\n- 1", ["("] = "\n{}", ["{"] = "\n{}", string = "\n{}"}

-- ---- reading ----

-- The tokens of a text, with how many blocks and brackets are open before each; `last` is the last one but semicolons,
-- and `stop` is where the text ends without these.
local function read(text)
  local list, open = scanner.tokens(text)
  local depth = 0
  for _, token in ipairs(list) do
    if closes_block[token.what] then depth = depth - 1 end
    token.depth = depth
    if opens_block[token.what] then depth = depth + 1 end
  end
  local last = #list
  while not open and last > 0 and list[last].what == ";" do last = last - 1 end
  local stop = open and #text or last > 0 and list[last].last or 0
  return {text = text, list = list, last = last, stop = stop, silenced = last < #list}
end

local function before(code, k) return code.text:sub(1, code.list[k].first - 1) end

-- May a statement or an expression, as `begins` says, begin at token k? Only the compiler knows: not yet asked.
local function may_begin(code, k, begins)
  local list = code.list
  if list[k].depth ~= 0 or not begins[list[k].what] then return false end
  return k == 1 or ends_statement[list[k - 1].what] or false
end

-- Is what stands before token k whole, and can token k not belong to it?
local function is_boundary(code, k)
  if k == 1 then return true end
  local head, further = before(code, k), continuation[code.list[k].what]
  return load(head, "=", "t") ~= nil and not (further and load(head .. further, "=", "t"))
end

-- `return` and what begins at token k, in pieces: most of it is not read, as few tokens begin the last expression.
local function pieces_from(code, k)
  local piece, at, size = "return ", code.list[k].first, 256
  return function()
    local now = piece
    piece = code.text:sub(at, math.min(at + size - 1, code.stop))
    at = at + size
    return now ~= "" and now or nil
  end
end

-- The same, compiled. What a hook raises meanwhile, `load` gives for a message, too; but Lua's own comes again.
local function load_from(code, k)
  local f, message, first
  for i = 1, 2 do
    first = message
    f, message = load(pieces_from(code, k), "=", "t")
    if f and i == 1 then return f end
  end
  if f or not rawequal(message, first) then error(first, 0) end
  return nil, message
end

-- ---- compiling ----

-- The variable is there so that no call is a tail call, which would leave no trace of the line that it stands in.
local untailed = "local _no_tail_call <close> = nil "

local function ready(text, name)
  local f = load(untailed .. text, name, "t")
  if f then return f end
  return load(text, name, "t") -- whose message is of the text alone
end

-- Where Lua itself fails, for example at too many brackets, a message handler has made of the message what it likes.
local function is_open(message) return type(message) == "string" and message:find("<eof>$") ~= nil end

-- The function that gives the values of the last expression, from the first token from which all is one; nil and
-- whether more text could make sense of it if there is none.
local function compile_results(code, name)
  local incomplete = false
  for k = 1, code.last do
    if may_begin(code, k, begins_expression) then
      local is_expression, message = load_from(code, k)
      if (is_expression or is_open(message)) and is_boundary(code, k) then
        local tail = code.text:sub(code.list[k].first, code.stop)
        local f = is_expression and ready(before(code, k) .. "return " .. tail, name)
        if f then return f end
        incomplete = incomplete or not is_expression
      end
    end
  end
  return nil, incomplete
end

-- The names that the `local` at token k declares.
local function declared(code, k, names)
  local list = code.list
  if list[k + 1] and list[k + 1].what == "function" then k = k + 1 end
  repeat
    k = k + 1
    local name = list[k]
    if not name or name.what ~= "name" then return end
    names[#names + 1] = code.text:sub(name.first, name.last)
    if list[k + 1] and list[k + 1].what == "<" then k = k + 3 end
    k = k + 1
  until not list[k] or list[k].what ~= ","
end

-- The names of the variables that are local to the text itself, and whether the last statement is what declares some.
local function locals_of(code)
  local names, last = {}, nil
  for k, token in ipairs(code.list) do
    if token.what == "local" and token.depth == 0 then
      declared(code, k, names)
      last = k
    end
  end
  for k = (last or code.last) + 1, code.last do
    if may_begin(code, k, begins_statement) and is_boundary(code, k) then return names, false end
  end
  return names, last ~= nil
end

--- Compile a text, named as `load` takes it. Gives a table, or nil, the message, and whether further lines could make
-- sense of it.
--   run         the function: the text's values, those of a last expression included
--   silenced    does it end with a semicolon?
--   locals      the names of its own local variables; ends_local: none of its statements could use the last ones
--   tokens      its tokens, as moonglass.session.tokens has them, and text: what they are the places of
function chunk.compile(text, name)
  text = text:gsub("^#![^\n]*", ""):gsub("^=", " ") .. "\n" -- "=x" is an old habit of Lua's users
  local code = read(text)
  local f, incomplete = compile_results(code, name)
  local message
  if not f then f, message = ready(text, name) end
  if not f then return nil, tostring(message), incomplete or is_open(message) end
  local locals, ends_local = locals_of(code)
  return {
    run = f, silenced = code.silenced, locals = locals, ends_local = ends_local, tokens = code.list, text = text,
  }
end

return chunk
