--- The command line of `moonglass-anomaly fit`: words to a table of values.
local options = require "moonglass.support.options"

-- An option's reader: a text -> a value; nil: it is not what `expected` says.
local function list(text)
  local items = {}
  for item in (text .. ","):gmatch("([^,]*),") do items[#items + 1] = item end
  return items
end

local function whole(text) return math.tointeger(tonumber(text)) end

local function count(text)
  local n = whole(text)
  return n and n >= 1 and n or nil
end

local function fraction(text)
  local q = tonumber(text)
  return q and q > 0 and q < 1 and q or nil
end

local function same(text) return text end

local function one_of(...)
  local known = {...}
  return function(text)
    for _, name in ipairs(known) do
      if name == text then return text end
    end
  end
end

local readers = {
  ["--output"] = {same, "a file"}, ["--columns"] = {list, "names"}, ["--ignore"] = {list, "names"},
  ["--label"] = {same, "a name"},
  ["--normal"] = {same, "a label"}, ["--categorical"] = {list, "names"}, ["--missing"] = {list, "texts"},
  ["--delimiter"] = {function(text) return #text == 1 and text or nil end, "one character"},
  ["--quantile"] = {fraction, "a number above 0 and below 1"}, ["--ensemble"] = {count, "a whole number of at least 1"},
  ["--epochs"] = {count, "a whole number of at least 1"}, ["--seed"] = {whole, "a whole number"},
  ["--threads"] = {count, "a whole number of at least 1"},
  ["--score"] = {one_of("mean", "max", "scaled"), "mean, max or scaled"},
}

local flags = {["--quiet"] = true, ["--help"] = true}

local function unknown(word)
  local known = {}
  for name in pairs(readers) do known[#known + 1] = name end
  for name in pairs(flags) do known[#known + 1] = name end
  return ("fit: there is no option %s%s (--help lists them)"):format(word, options.question(word, known))
end

--- words: a list of texts. Returns a table with the options' values by their names without dashes and the file of rows
--- as `rows`; or nil and a message.
return function(words)
  local o, i = {}, 1
  while i <= #words do
    local word = words[i] == "-o" and "--output" or words[i]
    local reader = readers[word]
    if flags[word] then
      o[word:sub(3)] = true
    elseif reader then
      i = i + 1
      if not words[i] then return nil, ("%s: its value is missing (--help)"):format(word) end
      local value = reader[1](words[i])
      if value == nil then return nil, ("%s is '%s', expected %s"):format(word, words[i], reader[2]) end
      o[word:sub(3)] = value
    elseif word:sub(1, 1) == "-" and word ~= "-" then
      return nil, unknown(word)
    elseif o.rows then
      return nil, ("'%s': an argument too many; fit takes one file of rows"):format(word)
    else
      o.rows = word
    end
    i = i + 1
  end
  if o.help then return o end
  if not o.rows then return nil, "fit: no file of rows is given (--help)" end
  if o.columns and o.ignore then return nil, "fit: --columns says what to use, --ignore what not to use; give one" end
  if not o.output then return nil, "fit: no detector to write is given: -o detector.safetensors" end
  return o
end
