--- Compiles what was typed at the prompt or in a notebook's cell.
--   chunk.compile(text, name) -> {run =, silenced =, ...}, or nil, message, incomplete
-- The text is a list of statements. If it ends with an expression, the expression's values are the results; a semicolon
-- at the end silences them. Lua itself tells where the expression begins: the text before it and the text from it on
-- must both compile. A token that can belong to the statement before does.
local scanner = require "moonglass.session.tokens"

local chunk = {}

local load = load -- the user may replace the global

local function set(words)
  local is = {}
  for word in words:gmatch("%S+") do is[word] = true end
  return is
end

local ends_statement = set "name number string nil true false ... ) } ] end ; > ::"
local begins_expression = set "name number string nil true false ... not function # - ~ ( {"
local begins_statement = set "name ( ; :: break goto do while repeat if for function local return"
local opens_block, closes_block = set "function do if repeat ( { [", set "end until ) } ]"

-- Tokens that continue an expression before them, with a text to test that. No statement begins with them.
local continuation = {["-"] = "\n- 1", ["~"] = "\n- 1", ["("] = "\n{}", ["{"] = "\n{}", string = "\n{}"}

-- ---- reading ----

-- The tokens of a text, each with the number of open blocks and brackets before it. `last` is the last token that is no
-- semicolon, and `stop` is where it ends.
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

-- Can a statement or an expression (`begins`) begin at token k? This is a quick test; the compiler decides.
local function may_begin(code, k, begins)
  local list = code.list
  if list[k].depth ~= 0 or not begins[list[k].what] then return false end
  return k == 1 or ends_statement[list[k - 1].what] or false
end

-- Is the text before token k complete, and can token k not continue it?
local function is_boundary(code, k)
  if k == 1 then return true end
  local head, further = before(code, k), continuation[code.list[k].what]
  return load(head, "=", "t") ~= nil and not (further and load(head .. further, "=", "t"))
end

-- A reader for load: `return` and the text from token k on. In pieces, since load stops at the first error, and few
-- tokens begin the last expression.
local function pieces_from(code, k)
  local piece, at, size = "return ", code.list[k].first, 256
  return function()
    local now = piece
    piece = code.text:sub(at, math.min(at + size - 1, code.stop))
    at = at + size
    return now ~= "" and now or nil
  end
end

-- The same, compiled. load returns a hook's error as a message too; it is told apart by a second call, which gives
-- Lua's own message again.
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

-- The variable prevents a tail call, which would drop the line from the traceback.
local untailed = "local _no_tail_call <close> = nil "

local function ready(text, name)
  local f = load(untailed .. text, name, "t")
  if f then return f end
  return load(text, name, "t") -- its message is about the text only
end

-- If Lua itself fails, for example at too many brackets, a message handler may have changed the message.
local function is_open(message) return type(message) == "string" and message:find("<eof>$") ~= nil end

-- A function that returns the values of the last expression, which begins at the first token that allows it; or nil,
-- and whether more text could complete the code.
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

-- The names of the local variables at the text's outermost level, and whether its last statement declares some.
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

--- Compiles a text; name is that of the chunk, as for load. Returns a table; or nil, a message, and whether more lines
-- could complete the code.
--   run         the function, which returns the text's results
--   silenced    does the text end with a semicolon?
--   locals      the names of its local variables; ends_local: no statement could use the last of them
--   tokens      its tokens, by moonglass.session.tokens; text: the text that their positions refer to
function chunk.compile(text, name)
  text = text:gsub("^#![^\n]*", ""):gsub("^=", " ") .. "\n" -- "=x" prints x in older versions of Lua
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
