--- Results as a session prints them: nets as tables of their layers, plain tables one level deep, everything else by
-- tostring. Long results are cut.
local is_keyword = require("moonglass.session.tokens").is_keyword
local native = require "moonglass.support.native"

local max_entries, max_inside, max_line = 20, 60, 100

local function is_identifier(v)
  return type(v) == "string" and v:find("^[%a_][%w_]*$") ~= nil and not is_keyword[v]
end

-- A table whose metatable gives it neither a text nor a name.
local function is_plain(v)
  if type(v) ~= "table" then return false end
  local meta = getmetatable(v)
  return type(meta) ~= "table" or (rawget(meta, "__tostring") == nil and rawget(meta, "__name") == nil)
end

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n"}

local function escape(c) return escapes[c] or ("\\x%02x"):format(c:byte()) end

local function quoted(text)
  local head = text:sub(1, max_inside):gsub('[%c"\\]', escape)
  return '"' .. head .. (#text > max_inside and '..."' or '"')
end

-- A value inside a table: one line.
local function inside(v)
  if type(v) == "string" then return quoted(v) end
  if is_plain(v) then return next(v) == nil and "{}" or "{...}" end
  local text = tostring(v)
  local line = text:match("^[^\n]*")
  if #line == #text and #text <= max_inside then return text end
  return line:sub(1, max_inside) .. " ..."
end

local function key_text(key) return is_identifier(key) and key or "[" .. inside(key) .. "]" end

-- Numbers first, by size; then texts in order.
local function before(a, b)
  if a.number and b.number then return a.number < b.number end
  if a.number or b.number then return a.number ~= nil end
  return a.text < b.text
end

-- The elements 1 to n first, then the other entries in order, at most max_entries in all; and the number of entries.
local function entries(t)
  local n, texts, others = rawlen(t), {}, {}
  for i = 1, math.min(n, max_entries) do texts[i] = inside(rawget(t, i)) end
  for key, v in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      others[#others + 1] = {number = type(key) == "number" and key or nil, text = key_text(key), value = v}
    end
  end
  table.sort(others, before)
  for i = 1, math.min(#others, max_entries - #texts) do
    texts[#texts + 1] = others[i].text .. " = " .. inside(others[i].value)
  end
  return texts, n + #others
end

-- On one line if it fits, else one entry a line.
local function table_text(t)
  local texts, total = entries(t)
  if total > #texts then texts[#texts + 1] = ("... %d more"):format(total - #texts) end
  local line = "{" .. table.concat(texts, ", ") .. "}"
  if #line <= max_line then return line end
  return "{\n  " .. table.concat(texts, ",\n  ") .. "\n}"
end

local function value_text(v)
  if is_plain(v) then return table_text(v) end
  local meta = type(v) == "table" and getmetatable(v)
  if native.is_net(v) or (type(meta) == "table" and rawget(meta, "__name") == "moonglass.mixed_net") then
    return v:summary()
  end
  return tostring(v)
end

--- Several results as one text: on one line with tabs between, or one below the other if any has several lines.
return function(...)
  local texts, separator = {}, "\t"
  for i = 1, select("#", ...) do
    texts[i] = value_text((select(i, ...)))
    if texts[i]:find("\n", 1, true) then separator = "\n" end
  end
  return table.concat(texts, separator)
end
