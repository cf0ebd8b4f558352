--- moon.data.mnist: MNIST, and every set in the same four IDX files, plain or gzipped.
-- It looks in the given folder; else in MOONGLASS_DATA; else in data/mnist here, data/mnist in the source tree, and
-- Debian's Fashion-MNIST, and takes the first with the files. A folder that was named must have them.
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local host = require "moonglass.support.host"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local terminal = require "moonglass.support.terminal"

local io, os, debug = host.io, host.os, host.debug

---@alias moonglass.Split "train"|"test"

---@class moonglass.data
local data = {}

local prefix = {train = "train", test = "t10k"}
local getenv = os and os.getenv or function() end -- a host may lack it
local way_to = {MNIST = "run data/fetch.sh", ["Fashion-MNIST"] = "install Debian's package dataset-fashion-mnist"}
local name_it = "or name a folder (MOONGLASS_DATA)"
local advice = ("%s, or %s, %s"):format(way_to.MNIST, way_to["Fashion-MNIST"], name_it)

local both = {"train", "test"}

-- Known sets with the names of their classes. The key is the first labels of the test file.
local known = {
  ["7 2 1 0 4 1 4 9 5 9"] = {name = "MNIST", classes = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
  ["9 2 1 1 6 1 4 6 5 7"] = {name = "Fashion-MNIST", classes = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  }},
}

-- ---- folders and files ----

local function is_readable(path)
  if errors.guard(files.file_kind, path) ~= "file" then return false end
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function file_name(split, what)
  return ("%s-%s-idx%d-ubyte"):format(prefix[split], what, what == "images" and 3 or 1)
end

-- The path of a file of the set, plain or else gzipped; nil if there is none. The name is the original one, or that of
-- 7-Zip and Kaggle: with a dot, or in a folder of the file's name.
local function find_file(dir, split, what)
  local name = file_name(split, what)
  local dotted = name:gsub("%-idx", ".idx")
  for _, path in ipairs{name, dotted, name .. "/" .. dotted, name .. "/" .. name, dotted .. "/" .. dotted} do
    for _, ending in ipairs{"", ".gz"} do
      if is_readable(dir .. "/" .. path .. ending) then return dir .. "/" .. path .. ending end
    end
  end
end

local emnist = {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}

-- Advice for a folder without the files. One of EMNIST's sets, whose pictures are transposed, gets its own.
local function what_to_do(dir, split)
  for _, set in ipairs(emnist) do
    local name = ("emnist-%s-%s-images-idx3-ubyte"):format(set, split)
    if is_readable(dir .. "/" .. name) or is_readable(dir .. "/" .. name .. ".gz") then
      return ("it has %s; EMNIST's pictures are transposed, and its letters count from 1: read them by moon.data.idx, "
        .. "as data/README.md shows"):format(name)
    end
  end
  return advice
end

-- How many of the set's files a folder has, and the name of the first missing one.
local function count_files(dir, splits)
  local count, lacking = 0, nil
  for _, split in ipairs(splits) do
    for _, what in ipairs{"images", "labels"} do
      if find_file(dir, split, what) then count = count + 1 else lacking = lacking or file_name(split, what) end
    end
  end
  return count, lacking
end

-- data/mnist of the source tree with this file; nil if the library is installed.
local function tree_folder()
  local root = debug and debug.getinfo(1, "S").source:match("^@(.*)lua/moonglass/data/mnist%.lua$")
  if not root or root == "" or root == (getenv("PWD") or "") .. "/" then return nil end
  return root .. "data/mnist"
end

local function default_folders()
  local list = {"data/mnist"}
  list[#list + 1] = tree_folder()
  list[#list + 1] = "/usr/share/datasets/fashion-mnist"
  return list
end

-- ---- finding ----

local function named_folder(dir)
  if dir then return dir end
  local named = getenv("MOONGLASS_DATA")
  if named and named ~= "" then return named, " (from MOONGLASS_DATA)" end
end

-- The folder with the files of these splits, or nil, message, "I/O". A default folder with only some of the files is an
-- error too: taking another set would hide that.
local function find_folder(dir, splits)
  if files.lacking("data.mnist", true) then return files.refuse("data.mnist", true) end
  local named, origin = named_folder(dir)
  local folders = named and {named} or default_folders()
  for _, folder in ipairs(folders) do
    local count, lacking = count_files(folder, splits)
    if not lacking then return folder end
    if named or count > 0 then
      local place = folder .. (origin or "")
      return nil, ("data.mnist: there is no readable %s, plain or .gz, in %s: %s"):format(lacking, place,
        what_to_do(folder, splits[1])), "I/O"
    end
  end
  local list = table.concat(folders, ", ")
  return nil, ("data.mnist: the files of MNIST are in none of %s: %s"):format(list, advice), "I/O"
end

local nameless = {name = "a set in MNIST's format"}

-- The set is recognized by its content, since a folder can have any name.
local function set_in(dir)
  local path = find_file(dir, "test", "labels")
  local labels = path and files.idx_load(path)
  if not labels or labels:rank() ~= 1 then return nameless end
  local first = {}
  for i = 1, math.min(10, #labels) do first[i] = ("%d"):format(labels[i]) end
  return known[table.concat(first, " ")] or nameless
end

-- The first folder with the set of this name: the given one, or else one of all places.
local function find_named(given, name)
  if files.lacking("data.mnist", true) then return files.refuse("data.mnist", true) end
  local places, seen, named = given and {given} or default_folders(), {}, named_folder(given)
  if named and not given then table.insert(places, 1, named) end
  for i, folder in ipairs(places) do
    local set = count_files(folder, both) == 4 and set_in(folder)
    if set and set.name == name then return folder end
    seen[i] = ("%s (%s)"):format(folder, set and "it has " .. set.name or "not all files are there")
  end
  local places_seen = table.concat(seen, ", ")
  return nil, ("data.find: %s is not in %s: %s, %s"):format(name, places_seen, way_to[name], name_it), "I/O"
end

local function describe(folder) return ("%s in %s"):format(set_in(folder).name, folder) end

local told = {} -- folders

-- In a session, prints once which set it is: the results depend on it.
local function tell(folder)
  local moon = host.package and host.package.loaded["moonglass"]
  if told[folder] or type(moon) ~= "table" or not moon.interactive then return end
  told[folder] = true
  terminal.write(describe(folder) .. "\n")
end

local function check_folder(what, folder)
  if folder ~= nil and type(folder) ~= "string" then
    errors.raise("%s: folder is %s, expected the name of a folder", what, options.show(folder))
  end
end

local function check_name(name)
  local names = {}
  for _, set in pairs(known) do names[set.name] = true end
  if name == nil or names[name] then return end
  errors.raise("data.find: name is %s%s (known: %s)", options.show(name),
    type(name) == "string" and options.question(name, names) or "", options.names(names))
end

---The folder that `moon.data.mnist` would read, and a description of its content.
---@param folder string?
---@param name "MNIST"|"Fashion-MNIST"? accept only this set: the first place that has it, or the given folder
---@return string? folder nil if there is none
---@return string description for example "MNIST in data/mnist"; or the message
---@return moonglass.Code? code
function data.find(folder, name)
  check_folder("data.find", folder)
  check_name(name)
  local found, message, code
  if name then found, message, code = find_named(folder, name) else found, message, code = find_folder(folder, both) end
  if not found then return nil, message, code end
  return found, describe(found)
end

---The class names of the set that `moon.data.find` finds: "0" to "9", or "T-shirt/top", "Trouser", ...
---@param folder string?
---@return string[]? names from class 0; nil if they are not known or there is no set
function data.classes(folder)
  check_folder("data.classes", folder)
  local found = find_folder(folder, both)
  local classes = found and set_in(found).classes
  return classes and table.move(classes, 1, #classes, 1, {})
end

-- ---- loading ----

local function bad(path, t, expected)
  return nil, ("data.mnist: %s holds %s, expected %s"):format(path, native.shape_text(t), expected), "format"
end

local function load_split(dir, split)
  local images_path, labels_path = find_file(dir, split, "images"), find_file(dir, split, "labels")
  local images, message, code = files.idx_load(images_path)
  if not images then return nil, message, code end
  if images.dtype ~= "uint8" or images:rank() ~= 3 or images:numel() == 0 then
    return bad(images_path, images, "images [n x height x width] uint8")
  end
  local labels
  labels, message, code = files.idx_load(labels_path)
  if not labels then return nil, message, code end
  if labels.dtype ~= "uint8" or labels:rank() ~= 1 or #labels ~= #images then
    return bad(labels_path, labels, ("a label for each of the %d images"):format(#images))
  end
  return images:reshape(#images, -1), labels
end

---MNIST, or another set in its four IDX files, plain or gzipped: `assert(moon.data.mnist("train"))`. Without a folder,
---the environment's MOONGLASS_DATA names it; else it is data/mnist, in the current folder or in the source tree; else
---Debian's Fashion-MNIST. Plain files are mapped, not read. In a session (`moon.interactive`) the first call prints
---which set it found.
---@param folder string?
---@param split moonglass.Split
---@return moonglass.Tensor? images uint8 [n x 784], one image per row; nil if there is no such set
---@return moonglass.Tensor|string labels uint8 [n], from 0; or the message
---@return moonglass.Code? code
---@overload fun(split: moonglass.Split): moonglass.Tensor?, moonglass.Tensor|string, moonglass.Code?
function data.mnist(folder, split)
  if split == nil then folder, split = nil, folder end
  check_folder("data.mnist", folder)
  if not prefix[split] then
    errors.raise("data.mnist: split is %s%s (known: %s; a folder stands before it)", options.show(split),
      type(split) == "string" and options.question(split, prefix) or "", options.names(prefix))
  end
  local found, message, code = find_folder(folder, {split})
  if not found then return nil, message, code end
  tell(found)
  return load_split(found, split)
end

return data
