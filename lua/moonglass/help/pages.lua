--- The layout of help: entries of the interface as pages of text, 80 columns wide.
local interface = require "moonglass.help.interface"
local options = require "moonglass.support.options"

local pages = {}

local page_width = 80

local function short_type(text) return (text:gsub("moonglass%.", "")) end

-- Words as lines of at most `width` characters, each but the first behind `indent`.
local function wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and #line + 1 + #word > width then
      lines[#lines + 1] = line
      line = ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. indent)
end

local function write_prose(out, doc)
  if doc ~= "" then out[#out + 1] = "  " .. wrap(doc, page_width - 2, "  ") end
end

-- The allowed texts of a type whose name does not list them.
local function choices_in_words(kind)
  local list = kind:find('"', 1, true) and {} or interface.choices(kind)
  for i, choice in ipairs(list) do list[i] = options.show(choice) end
  return #list > 0 and "; one of " .. table.concat(list, ", ") or ""
end

-- Names in a column, then type and words.
local function write_entries(out, heading, entries)
  if #entries == 0 then return end
  out[#out + 1] = heading
  local widest = 0
  for _, e in ipairs(entries) do widest = math.max(widest, #e.name) end
  local indent = (" "):rep(widest + 4)
  for _, e in ipairs(entries) do
    local kind = short_type(e.type) .. (e.optional and "?" or "")
    local words = (e.text ~= "" and kind .. ": " .. e.text or kind) .. choices_in_words(e.type)
    out[#out + 1] = ("  %-" .. widest .. "s  %s"):format(e.name, wrap(words, page_width - #indent, indent))
  end
end

--- "moon.dense(n_in, n_out, options)"
function pages.signature(entry)
  local path = entry.path:gsub("^session%.", "")
  return ("%s(%s)"):format(path, table.concat(entry.arguments, ", "))
end

--- The page of one function.
function pages.of_function(entry)
  local out = {pages.signature(entry)}
  for _, overload in ipairs(entry.overloads) do
    local arguments = overload:match("^fun(%b())")
    out[#out + 1] = ("%s%s"):format(entry.path, short_type(arguments or ""):gsub("self: [%w_.]+,? ?", ""))
  end
  write_prose(out, entry.doc)
  write_entries(out, "arguments", entry.params)
  for _, class in ipairs(interface.option_classes(entry)) do write_entries(out, "options", interface.fields(class)) end
  write_entries(out, "returns", entry.returns)
  return table.concat(out, "\n")
end

local function first_sentence(doc) return (doc:gsub("\n", " "):match("^(.-%.)%f[%s\0]") or doc):gsub("%s+", " ") end

-- A line for each function, or two: the signature and the first sentence.
local function write_functions(out, list)
  for _, f in ipairs(list) do
    local head = "  " .. pages.signature(f)
    local words = first_sentence(f.doc)
    out[#out + 1] = #head + 2 + #words <= page_width and head .. "  " .. words
      or head .. "\n      " .. wrap(words, page_width - 6, "      ")
  end
end

--- The page of a class or a table: fields and functions, those of its parents included.
function pages.of_class(class)
  local out = {short_type(class.path and class.path:find("^moon") and class.path or class.name)}
  if #class.parents > 0 then out[1] = out[1] .. ", a " .. short_type(table.concat(class.parents, " with ")) end
  write_prose(out, class.doc)
  write_entries(out, "fields", interface.fields(class))
  local seen = class
  while seen do
    local list = interface.functions_of(seen)
    if #list > 0 then out[#out + 1] = seen.path and not seen.path:find("^%u") and "functions" or "methods" end
    write_functions(out, list)
    seen = seen.parents[1] and interface.known().classes[seen.parents[1]]
  end
  return table.concat(out, "\n")
end

--- The pages of a few functions of the same name, or a list of many.
function pages.of_functions(entries)
  if #entries <= 3 then
    local texts = {}
    for i, f in ipairs(entries) do texts[i] = pages.of_function(f) end
    return table.concat(texts, "\n\n")
  end
  local out = {("%d functions have this name:"):format(#entries)}
  write_functions(out, entries)
  return table.concat(out, "\n")
end

--- The options of that name and their functions; nil if there are none.
function pages.of_option(name)
  local out = {}
  for _, f in ipairs(interface.known().functions) do
    for _, field in ipairs(interface.options(f)) do
      if field.name == name then write_entries(out, "option of " .. pages.signature(f), {field}) end
    end
  end
  return #out > 0 and table.concat(out, "\n") or nil
end

return pages
