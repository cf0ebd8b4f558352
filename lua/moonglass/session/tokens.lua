--- Splits Lua code into tokens, as Lua's scanner does: tokens(text) -> list, open.
--   list   in order, each {what =, first =, last =}; `what` is a keyword or an operator as it is written, or "name",
--          "number", "string"
--   open   {what =, first =} of a string or comment without an end: "short", or "long" if it may have more lines
-- The text need not be complete: it may still be typed.
local is_keyword = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch("%l+") do is_keyword[word] = true end

local is_long_operator = {
  ["..."] = true, [".."] = true, ["::"] = true, ["=="] = true, ["~="] = true, ["<="] = true, [">="] = true,
  ["//"] = true, ["<<"] = true, [">>"] = true,
}

-- The last position of the long bracket that begins at i; nil if it does not end; false if none begins at i.
local function long_bracket(text, i)
  local equals = text:match("^%[(=*)%[", i)
  if not equals then return false end
  return (select(2, text:find("]" .. equals .. "]", i + #equals + 2, true)))
end

local function short_string(text, i)
  local quote, at = text:sub(i, i), i + 1
  while true do
    at = text:find("[\\\"']", at)
    local c = at and text:sub(at, at)
    if c == quote or not at then return at end
    at = at + (c == "\\" and 2 or 1)
  end
end

-- As greedy as Lua's scanner, which checks only afterwards whether it is a number.
local function number(text, i)
  local hex = text:find("^0[xX]", i)
  local exponent, digits = hex and "^[pP][+-]?" or "^[eE][+-]?", hex and "^[%x.]+" or "^[%da-dfA-DF.]+"
  local last = hex and i + 1 or i - 1
  while true do
    local _, more = text:find(exponent, last + 1)
    if not more then _, more = text:find(digits, last + 1) end
    if not more then return last end
    last = more
  end
end

local function operator(text, i)
  for size = 3, 2, -1 do
    if is_long_operator[text:sub(i, i + size - 1)] then return i + size - 1 end
  end
  return i
end

-- The token that begins at i, and its last position; nil if it does not end.
local function read(text, i)
  local _, last = text:find("^[A-Za-z_][A-Za-z0-9_]*", i)
  if last then
    local word = text:sub(i, last)
    return is_keyword[word] and word or "name", last
  end
  if text:find("^%.?%d", i) then return "number", number(text, i) end
  if text:find("^[\"']", i) then return "string", short_string(text, i), "short" end
  if text:find("^%-%-", i) then
    last = long_bracket(text, i + 2)
    if last == false then last = text:find("\n", i, true) end
    return "comment", last, "long"
  end
  last = long_bracket(text, i)
  if last ~= false then return "string", last, "long" end
  last = operator(text, i)
  return text:sub(i, last), last
end

local function tokens(text)
  local list, i = {}, text:find("%S")
  while i do
    local what, last, kind = read(text, i)
    if not last then return list, {what = kind, first = i} end
    if what ~= "comment" then list[#list + 1] = {what = what, first = i, last = last} end
    i = text:find("%S", last + 1)
  end
  return list
end

return {tokens = tokens, is_keyword = is_keyword}
