--- A thousand damaged CSV files: the right numbers, or an error with its place. What is right says a slow reader that
-- is written here, from the words in moonglass.h.
local files = dofile "spec/support/files.lua"
local moon = require "moonglass"

local path = os.tmpname()

-- ---- the slow reader ----

local function bad(line, why) error({line = line, why = why}, 0) end

-- The text as records {line =, {text =, quoted =}, ...}.
local function records_of(text, delimiter)
  local list, at, line = {}, 1, 1
  local function is_blank(c) return c == " " or (c == "\t" and delimiter ~= "\t") end
  local function skip_blanks() while is_blank(text:sub(at, at)) do at = at + 1 end end
  local function quoted_cell()
    local parts = {}
    at = at + 1
    while true do
      local c = text:sub(at, at)
      if c == "" or c == "\0" then bad(line, "the end within quotes") end
      if c == "\n" then line = line + 1 end
      if c == '"' then
        if text:sub(at + 1, at + 1) ~= '"' then break end
        at = at + 1
      end
      parts[#parts + 1] = c
      at = at + 1
    end
    at = at + 1
    skip_blanks()
    return {text = table.concat(parts), quoted = true}
  end
  local function plain_cell()
    local from = at
    while not text:sub(at, at):find('^[\n\r"%z]') and text:sub(at, at) ~= delimiter and at <= #text do at = at + 1 end
    local cell = text:sub(from, at - 1)
    while is_blank(cell:sub(-1)) do cell = cell:sub(1, -2) end
    return {text = cell}
  end
  while at <= #text do
    local record = {line = line}
    repeat
      skip_blanks()
      record[#record + 1] = text:sub(at, at) == '"' and quoted_cell() or plain_cell()
      local c = text:sub(at, at)
      local done = c ~= delimiter
      if done and c ~= "" and c ~= "\n" and text:sub(at, at + 1) ~= "\r\n" and text:sub(at) ~= "\r" then
        bad(line, "what follows a cell")
      end
      at = at + (text:sub(at, at + 1) == "\r\n" and 2 or 1)
    until done
    line = line + 1
    list[#list + 1] = record
  end
  return list
end

local absent = {[""] = true, NA = true, nan = true, ["?"] = true}

-- The float32 of a cell, as its bytes. state.point: which separator decimals have.
local function number_of(cell, line, state)
  local text = cell.text
  if absent[text] or text:lower() == "nan" then return "nan" end
  if not state.point and text:find("%.") and not text:find(",") then state.trial = "." end
  if not state.point and text:find(",") and not text:find("%.") then state.trial = "," end
  local point = state.point or state.trial
  local mantissa, exponent = text:match("^[+-]?([%d.,]+)(.*)$")
  local escaped = point == "." and "%." or ","
  local good = mantissa and (mantissa:find("^%d+$") or (point and (mantissa:find("^%d+" .. escaped .. "%d*$")
    or mantissa:find("^" .. escaped .. "%d+$")))) and (exponent == "" or exponent:find("^[eE][+-]?%d+$"))
  state.trial = nil
  if not good then bad(line, "no number") end
  if mantissa:find("[.,]") then state.point = point end
  local plain = text:gsub(",", ".")
  if not plain:find("[.eE]") then plain = plain .. "." end -- -0 as an integer has no sign
  local bytes = string.pack("<f", tonumber(plain))
  if math.abs(string.unpack("<f", bytes)) == math.huge then bad(line, "too large") end
  return bytes
end

local function names_of(first)
  local seen = {}
  for i, cell in ipairs(first) do
    local name = cell.text == "" and tostring(i) or cell.text
    if not utf8.len(name) then bad(first.line, "a name that is not UTF-8") end
    if seen[name] then bad(nil, "a name twice") end
    seen[name] = true
  end
end

local function is_blank(record) return #record == 1 and record[1].text == "" and not record[1].quoted end

-- Rows of float32 as bytes.
local function slow_read(text, delimiter)
  text = text:gsub("^\xef\xbb\xbf", "")
  if text == "" then bad(nil, "empty") end
  local records, state, rows = records_of(text, delimiter), {point = delimiter == "," and "." or nil}, {}
  while #records > 1 and is_blank(records[#records]) do records[#records] = nil end
  if is_blank(records[1]) then bad(1, "blank") end
  names_of(records[1])
  for i = 2, #records do
    local record, row = records[i], {}
    if #record ~= #records[1] or is_blank(record) then bad(record.line, "ragged") end
    for k, cell in ipairs(record) do row[k] = number_of(cell, record.line, state) end
    rows[i - 1] = row
  end
  if #rows == 0 then bad(nil, "no rows") end
  return rows
end

-- ---- files ----

local function cell(point)
  local kind = math.random(12)
  local v = kind == 1 and "" or kind == 2 and "NA" or kind == 3 and ("%d"):format(math.random(-99999, 99999))
    or kind == 4 and ("%.17g"):format(math.random()) or kind == 5 and ("%.3e"):format(10.0 ^ math.random(-45, 37))
    or kind == 6 and ('"%.2f"'):format(math.random() * 100) or kind == 7 and (" %.1f "):format(math.random())
    or ("%.4f"):format((math.random() - 0.5) * 2000)
  return (v:gsub("%.", point))
end

local function whole_file(delimiter, point)
  local ending = math.random(2) == 1 and "\n" or "\r\n"
  local lines = {table.concat({"time", '"a ""b"""', "c_3", "d"}, delimiter)}
  for i = 2, math.random(3, 9) do
    local row = {}
    for k = 1, 4 do row[k] = cell(point) end
    lines[i] = table.concat(row, delimiter)
  end
  return table.concat(lines, ending) .. ending
end

local nasty = {'"', ",", ";", "\n", "\r", "\r\n", ".", "-", "e", "0", "9", " ", "\t", "\0", "\xff", '""', "x",
  "e400", "1"}

local damages = {
  function(t, i) return t:sub(1, i - 1) .. nasty[math.random(#nasty)] .. t:sub(i + 1) end,
  function(t, i) return t:sub(1, i - 1) .. nasty[math.random(#nasty)] .. t:sub(i) end,
  function(t, i) return t:sub(1, i - 1) .. t:sub(i + 1) end,
  function(t, i) return t:sub(1, i) end,
  function(t, i) return t:sub(1, i) .. t:sub(math.random(#t)) end,
  function(t, i) return t:sub(1, i - 1) .. string.char(t:byte(i) ~ 1 << math.random(0, 7)) .. t:sub(i + 1) end,
}

local function damaged(text)
  for _ = 1, math.random(2) do
    if text ~= "" then text = damages[math.random(#damages)](text, math.random(#text)) end
  end
  return text
end

-- ---- the comparison ----

-- What is wrong with the answer to a text; nil if nothing is.
local function compare(text, delimiter)
  files.write(path, text)
  local ok, expected = pcall(slow_read, text, delimiter)
  assert(ok or type(expected) == "table", expected)
  local x, message = moon.data.csv(path, {header = true, delimiter = delimiter})
  if not x then
    if ok then return "refused: " .. message end
    if expected.line and not message:find("line %d+") and not message:find("not a CSV file") then
      return "no place: " .. message
    end
    return nil, "refused"
  end
  if not ok then return ("read, though %s in line %s"):format(expected.why, expected.line) end
  if #x ~= #expected then return ("%d rows, expected %d"):format(#x, #expected) end
  for i, row in ipairs(x:totable()) do
    for k, v in ipairs(row) do
      local bytes = v ~= v and "nan" or string.pack("<f", v)
      if bytes ~= expected[i][k] then return ("row %d, column %d is %.17g"):format(i, k, v) end
    end
  end
  return nil, "read"
end

describe("a damaged CSV file", function()
  teardown(function() os.remove(path) end)

  it("gives the right numbers, or an error with its place", function()
    math.randomseed(18)
    local count, wrong = {read = 0, refused = 0}, {}
    for n = 1, 1200 do
      local delimiter = ({",", ";"})[n % 2 + 1]
      local text = whole_file(delimiter, n % 4 < 2 and delimiter == ";" and "," or ".")
      if n > 100 then text = damaged(text) end
      local problem, outcome = compare(text, delimiter)
      if problem then wrong[#wrong + 1] = ("%s: %q"):format(problem, text) else count[outcome] = count[outcome] + 1 end
    end
    assert.equal("", table.concat(wrong, "\n", 1, math.min(#wrong, 5)))
    assert.is_true(count.read > 200 and count.refused > 300)
  end)
end)
