--- Tables and lists that `make reference` writes into pages and headers, between two marks:
--   <!-- made by make reference: options FitOptions -->      the options of a class, or of several
--   <!-- made by make reference: functions moon.metrics -->  the functions of a table
--   ** made by make reference: kinds LayerName               in C: registered names, with the options of each
-- and `<!-- end -->` or `** end`. tables.fill(text, interface) gives the text with all of them made again.
local annotations = dofile "lua/moonglass/help/annotations.lua"

local tables = {}

local function class_of(interface, name)
  local class = interface.classes["moonglass." .. name] or interface.classes[name]
  if not class then error(("there is no class %s"):format(name), 0) end
  return class
end

local function cell(text) return (text:gsub("|", "\\|")) end

-- ---- options ----

-- "default 1: the last epoch" -> "1", "the last epoch"; "required: ..." -> "required", "..."
local function split_default(text)
  local default, rest = text:match('^default ("[^"]*")(.*)$')
  if not default then default, rest = text:match("^default (`[^`]*`)(.*)$") end
  if not default then default, rest = text:match("^default ([^,:;%s]+)(.*)$") end
  if not default then
    default, rest = text:match("^(required)(.*)$")
    if not default then return "", text end
  end
  return default == "required" and default or default:find("`") and default or ("`%s`"):format(default),
    (rest:gsub("^[,:;]?%s*", ""))
end

-- Of several classes the same field is one row, which says whose it is.
local function options_table(interface, names)
  local rows, order = {}, {}
  for _, name in ipairs(names) do
    for _, field in ipairs(annotations.fields(interface, class_of(interface, name))) do
      local key = field.name .. "\n" .. field.text
      if not rows[key] then
        rows[key] = {field = field, of = {}}
        order[#order + 1] = key
      end
      table.insert(rows[key].of, "`" .. name:gsub("Options$", ""):lower() .. "`")
    end
  end
  local several = #names > 1
  local out = {several and "| option | of | default | meaning |" or "| option | default | meaning |",
    several and "| --- | --- | --- | --- |" or "| --- | --- | --- |"}
  for _, key in ipairs(order) do
    local field, of = rows[key].field, rows[key].of
    local default, meaning = split_default(field.text)
    local whose = several and (#of == #names and "all" or table.concat(of, ", ")) .. " | " or ""
    out[#out + 1] = ("| `%s` | %s%s | %s |"):format(field.name, whose, default, cell(meaning))
  end
  return out
end

-- ---- functions ----

-- "csv_logger(path, {append=false})"
local function call_text(interface, f)
  local list, class = {}, annotations.options_of(interface, f)
  for i, name in ipairs(f.arguments) do
    list[i] = name
    if class and i == #f.arguments then
      local parts = {}
      for k, field in ipairs(class.fields) do
        local default = split_default(field.text):gsub("`", "")
        parts[k] = ("%s=%s"):format(field.name, default ~= "required" and default or "")
      end
      list[i] = "{" .. table.concat(parts, ", ") .. "}"
    end
  end
  local text = table.concat(list, ", ")
  return #list == 1 and class and f.name .. text or ("%s(%s)"):format(f.name, text)
end

local function functions_table(interface, path)
  if not interface.classes["moonglass" .. path:gsub("^moon", "")] then
    error(("there is no table %s"):format(path), 0)
  end
  local out = {("| `%s` | what it does |"):format(path), "| --- | --- |"}
  for _, f in ipairs(interface.functions) do
    if f.path:match("^(.*)[.:][%w_]+$") == path then
      local words = f.doc:gsub("\n", " ")
      out[#out + 1] = ("| `%s` | %s |"):format(cell(call_text(interface, f)), cell(words))
    end
  end
  return out
end

-- ---- lists in C ----

local function wrap(out, words, width, indent)
  local line = table.remove(words, 1)
  for _, word in ipairs(words) do
    if #line + 1 + #word > width then
      out[#out + 1] = line
      line = indent .. word
    else
      line = line .. " " .. word
    end
  end
  out[#out + 1] = line
end

-- Registered names, each with the options of its class if it has one.
local function kinds_list(interface, alias)
  local out, plain = {}, {}
  for _, kind in ipairs(annotations.choices(interface, "moonglass." .. alias)) do
    local class = interface.classes[("moonglass.%sOptions"):format(("_" .. kind):gsub("_(%l)", string.upper))]
    if class then
      local words = {("**   %-17s"):format(kind)}
      for i, field in ipairs(class.fields) do words[i + 1] = field.name .. (i < #class.fields and "," or "") end
      wrap(out, words, 117, "**" .. (" "):rep(21))
    else
      plain[#plain + 1] = kind
    end
  end
  if #plain > 0 then
    for i = 1, #plain - 1 do plain[i] = plain[i] .. "," end
    plain[1] = "**   " .. plain[1]
    wrap(out, plain, 117, "**   ")
  end
  return out
end

-- ---- marks ----

local makers = {
  options = function(interface, rest)
    local names = {}
    for name in rest:gmatch("%S+") do names[#names + 1] = name end
    return options_table(interface, names)
  end,
  functions = functions_table,
  kinds = kinds_list,
}

-- Of a line that is a mark, "options" and "FitOptions", or "end". What only looks like one raises.
local function read_mark(line)
  local text = line:match("^%s*<!%-%-%s*(.-)%s*%-%->%s*$") or line:match("^%s*%*%*%s*(.-)%s*%*?/?%s*$") or ""
  if text:find("^made by") then
    local mark = line:match("^<!%-%- (.-) %-%->$") or line:match("^%*%* (.*)$") or ""
    local maker, rest = mark:match("^made by make reference: (%l+) ?([%w_%. ]*)$")
    if makers[maker] then return maker, rest end
    error(("'%s' is nothing that make reference can make"):format(line), 0)
  end
  if text ~= "end" then return end
  if line == "<!-- end -->" or line:find("^%*%* end") then return text end
  error(("'%s' is no mark, expected '<!-- end -->' or '** end'"):format(line), 0)
end

--- The text with what stands between the marks made again. A mark without its end raises, and an end without its mark.
function tables.fill(text, interface)
  local out, opened = {}, nil
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("([^\n]*)\n") do
    local maker, rest = read_mark(line)
    if maker == "end" then
      if not opened then error(("'%s' ends nothing: no mark 'made by make reference' is before it"):format(line), 0) end
      opened = nil
    elseif maker and opened then
      error(("the mark '%s' has no end before '%s'"):format(opened, line), 0)
    end
    if not opened then out[#out + 1] = line end
    if maker and maker ~= "end" then
      for _, made in ipairs(makers[maker](interface, rest)) do out[#out + 1] = made end
      opened = line
    end
  end
  if opened then error(("the mark '%s' has no end"):format(opened), 0) end
  return table.concat(out, "\n") .. "\n"
end

return tables
