--- Reads the JSON that bench and peer.py print: json.decode(text) -> value | nil, message. null becomes nil.
local json = {}

local escapes = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}
local words = {["true"] = true, ["false"] = false}

local value

-- A syntax error, which decode distinguishes from other errors.
local Problem = {}
local function bad(format, ...) error(setmetatable({format:format(...)}, Problem), 0) end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local function expect(text, at, what)
  if text:sub(at, at) ~= what then bad("expected '%s' at byte %d", what, at) end
  return at + 1
end

local function string_at(text, at)
  local parts = {}
  at = expect(text, at, '"')
  while true do
    local stop = text:find('["\\]', at) or bad "a string without an end"
    parts[#parts + 1] = text:sub(at, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
    local code = text:match("^u(%x%x%x%x)", stop + 1)
    parts[#parts + 1] = code and utf8.char(tonumber(code, 16)) or escapes[text:sub(stop + 1, stop + 1)]
      or bad("an unknown escape at byte %d", stop)
    at = stop + (code and 6 or 2)
  end
end

-- The members between the bracket at `at` and `close`; read(place) reads a member and returns the place after it.
local function members(text, at, close, read)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = skip(text, read(at))
    if text:sub(at, at) == close then return at + 1 end
    at = skip(text, expect(text, at, ","))
  end
end

local function array_at(text, at)
  local list, count = {}, 0
  at = members(text, at, "]", function(place)
    count = count + 1
    list[count], place = value(text, place)
    return place
  end)
  return list, at
end

local function object_at(text, at)
  local object = {}
  at = members(text, at, "}", function(place)
    local key
    key, place = string_at(text, place)
    object[key], place = value(text, expect(text, skip(text, place), ":"))
    return place
  end)
  return object, at
end

value = function(text, at)
  at = skip(text, at)
  local first = text:sub(at, at)
  if first == "{" then return object_at(text, at) end
  if first == "[" then return array_at(text, at) end
  if first == '"' then return string_at(text, at) end
  local word = text:match("^%a+", at)
  if word == "null" then return nil, at + 4 end
  if word and words[word] ~= nil then return words[word], at + #word end
  local number = text:match("^-?%d[%d.eE+-]*", at)
  if number and tonumber(number) then return tonumber(number), at + #number end
  bad("no value at byte %d", at)
end

function json.decode(text)
  local ok, result, at = pcall(value, text, 1)
  if not ok and getmetatable(result) ~= Problem then error(result, 0) end
  if not ok then return nil, "JSON: " .. result[1] end
  if skip(text, at) <= #text then return nil, ("JSON: more text at byte %d"):format(at) end
  return result
end

return json
