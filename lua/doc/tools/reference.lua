--- lua/REFERENCE.md out of the interface, which annotations.lua reads: reference.write(interface) -> Markdown.
local annotations = dofile "lua/moonglass/help/annotations.lua"

local reference = {}

local head = [[
# Everything by name

What `local moon = require "moonglass"` has, and `local mpi = require "moonglass.mpi"`, made by `make reference` from
the comments beside the code.
[README.md](README.md) describes `fit`, files, metrics and plots at length.

* Indices, dimensions and epochs count from 1, class numbers from 0.
* Shapes are in brackets: [rows x columns]. Numbers are float32 unless said.
* Options are named, in a last table. An unknown option is an error that lists the known ones.
* A shape that does not fit, an unknown name or running out of memory raises a Lua error. Functions that read or write
  files return nil, a message and a code instead.
* A returned tensor is new and belongs to the caller. A view, or a tensor called live, shares its elements.
]]

-- The name of an object of each class in signatures.
local objects = {
  Tensor = "t", Layer = "layer", Loss = "loss", Optimizer = "opt", Net = "net", Dataset = "data", Autoencoder = "ae",
  Variational = "ae", Pca = "pca", Dictionary = "dictionary", Knn = "knn", Probe = "probe", Page = "page",
}

local function short(name) return (name:gsub("moonglass%.(%u)", "%1")) end

-- "integer or a list": a type in words that a table of Markdown can hold.
local function type_text(entry)
  local text = short(entry.type):gsub("^%((.*)%)$", "%1")
  return "`" .. text:gsub("|", " or ") .. "`"
end

local function sentence(text) return text ~= "" and ": " .. text or "" end

local function cell(text) return (text:gsub("|", "\\|")) end

-- ---- options and fields ----

local function add_table(out, interface, class, first, prefix)
  local fields = annotations.fields(interface, class)
  if #fields == 0 then return end
  out("| %s | type | meaning |\n| --- | --- | --- |", first)
  for _, field in ipairs(fields) do
    local indexed = field.name:find("^%[")
    local name = (prefix or "") .. (indexed and "[i]" or prefix and "." or "") .. (indexed and "" or field.name)
    out("| `%s` | %s | %s |", name, cell(type_text(field)), cell(field.text))
  end
  out("")
end

-- ---- functions ----

local function call_text(f)
  local object = f.owner and f.path:find(":") and objects[short(f.owner.name)]
  local name = object and ("%s:%s"):format(object, f.name) or f.path:gsub("^session%.", "") -- whose are globals
  return ("%s(%s)"):format(name, table.concat(f.arguments, ", "))
end

local function add_arguments(out, f)
  for _, p in ipairs(f.params) do
    out("* `%s`, %s%s%s", p.name, type_text(p), p.optional and ", optional" or "", sentence(p.text))
  end
  for _, r in ipairs(f.returns) do
    out("* returns %s, %s%s%s", r.name == "self" and "itself" or r.name, type_text(r), r.optional and " or nil" or "",
      sentence(r.text))
  end
  if #f.params + #f.returns > 0 then out("") end
end

-- Tensor:relu_ stands with Tensor:relu.
local function in_place_names(interface)
  local plain = {}
  for _, f in ipairs(interface.functions) do plain[f.path] = f end
  local by_plain, hidden = {}, {}
  for _, f in ipairs(interface.functions) do
    local of = plain[f.path:match("^(Tensor:.*)_$")]
    if of then by_plain[of], hidden[f] = f, true end
  end
  return by_plain, hidden
end

local function add_function(out, interface, f, in_place, described)
  out("### `%s`\n", call_text(f))
  out("%s%s\n", f.doc, in_place and (" In place: `%s`."):format(call_text(in_place)) or "")
  add_arguments(out, f)
  local class = annotations.options_of(interface, f)
  if not class then return end
  if described[class] then return out("Options: those of `%s`.\n", described[class]) end
  described[class] = call_text(f)
  add_table(out, interface, class, "option")
end

-- ---- classes ----

-- A class without fields and methods is only the name of a constructor's result: it needs no entry.
local function is_bare(class) return not class.path and #class.fields == 0 end

local function add_class(out, interface, class, heads_section)
  if annotations.is_options(class) or is_bare(class) then return end
  local name, object = short(class.name), objects[short(class.name)]
  if not heads_section then out("### %s\n", name) end
  if class.doc ~= "" then out("%s\n", class.doc) end
  local parents = {}
  for _, parent in ipairs(class.parents) do
    if not annotations.is_options(interface.classes[parent]) then parents[#parents + 1] = short(parent) end
  end
  if #parents > 0 then out("It has all that a %s has.\n", table.concat(parents, ", and a ")) end
  add_table(out, interface, {parents = {}, fields = class.fields}, "field", object)
end

-- ---- the page ----

local function add_names(out, interface)
  out("## Names\n\nWhat the names of types stand for, and strings that options take.\n")
  out("| name | one of |\n| --- | --- |")
  for _, alias in ipairs(interface.aliases) do
    out("| `%s` | %s |", short(alias.name), cell(type_text(alias)))
  end
end

--- The reference as a text.
function reference.write(interface)
  local lines, section, described = {head}, nil, {}
  local function out(format, ...) lines[#lines + 1] = format:format(...) end
  local in_place, hidden = in_place_names(interface)
  local function begin(name)
    section = name
    out("## %s\n", name)
    if name == "moon" then add_class(out, interface, interface.classes.moonglass, true) end
  end
  for _, entry in ipairs(interface.entries) do
    if entry.section and entry.section ~= section and entry.section ~= "names" then begin(entry.section) end
    if entry.class and entry.section then
      add_class(out, interface, entry, entry.path == section)
    elseif not entry.class and not hidden[entry] then
      add_function(out, interface, entry, in_place[entry], described)
    end
  end
  add_names(out, interface)
  return table.concat(lines, "\n") .. "\n"
end

return reference
