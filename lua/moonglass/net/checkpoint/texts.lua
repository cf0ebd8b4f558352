--- The text entries of a checkpoint: numbers, lists and values as texts without any loss, and back.
local files = require "moonglass.support.files"

local texts = {}

--- The version of the format, in the entry "checkpoint".
texts.version = "1"

local nan = string.unpack("<d", "\0\0\0\0\0\0\xf8\x7f") -- 0 / 0 would stop a host that traps it
local not_finite = {nan = nan, inf = math.huge, ["-inf"] = -math.huge}

function texts.of_number(v)
  if v ~= v then return "nan" end
  if v == math.huge then return "inf" end
  if v == -math.huge then return "-inf" end
  return math.type(v) == "integer" and ("%d"):format(v) or files.number("%a", v)
end

function texts.to_number(text) return not_finite[text] or tonumber(text) end

--- The elements 1 to n; "-" for one that is nil.
function texts.of_list(list, n)
  local words = {}
  for i = 1, n do words[i] = list[i] and texts.of_number(list[i]) or "-" end
  return table.concat(words, " ")
end

--- The list and its length, or nil and the first word that is neither a number nor "-".
function texts.to_list(text)
  local list, i = {}, 0
  for word in (text or ""):gmatch("%S+") do
    i = i + 1
    list[i] = texts.to_number(word)
    if not list[i] and word ~= "-" then return nil, word end
  end
  return list, i
end

--- A number, a boolean or a text. A text has ' before it.
function texts.of_value(v)
  if type(v) == "string" then return "'" .. v end
  return type(v) == "number" and texts.of_number(v) or tostring(v)
end

function texts.to_value(text)
  if text:find("^'") then return text:sub(2) end
  if text == "true" or text == "false" then return text == "true" end
  return texts.to_number(text)
end

return texts
