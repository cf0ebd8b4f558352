--- moon.data.images: a folder of PNGs as rows of bytes, all of one size. Folders in it are classes.
-- What is a picture is decided by the first bytes of a file, not by its name. Other formats than PNG are an error that
-- says how to convert them; files of other kinds are left out, and listed.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local options = require "moonglass.support.options"

---@class moonglass.data
local data = {}

local what = "data.images"
local deepest = 32 -- folders in folders: a link to a folder above would never end
local side_max = 65536

---Options of `moon.data.images`.
---@class moonglass.ImagesOptions
---@field size any? {height, width} of the rows, or one number for both: pictures are stretched; nil: all have one size
---@field gray boolean? default true: grey, one byte a pixel. Otherwise RGB, three
---@field invert boolean? default false: bytes as they are. Otherwise 255 minus each, for dark ink on white
local check_options = options.checker(what, {size = {"any"}, gray = {"flag", true}, invert = {"flag", false}})

-- ---- options ----

local function side(name, v)
  local n = type(v) == "number" and math.tointeger(v)
  if n and n >= 1 and n <= side_max then return n end
  errors.raise("%s: %s is %s, expected a whole number of 1 to %d", what, name, options.show(v), side_max)
end

local function read_size(size)
  if size == nil then return nil end
  if type(size) ~= "table" then return {side("size", size), side("size", size)} end
  if #size ~= 2 then errors.raise("%s: size has %d numbers, expected {height, width}", what, #size) end
  return {side("size[1]", size[1]), side("size[2]", size[2])}
end

-- ---- what is in a folder ----

-- Why something cannot be read, as an error with this tag: `data.images` returns it as nil, message, code.
local Problem = {}

local function stop(message, code) error(setmetatable({message, code}, Problem), 0) end

local function must(value, message, code)
  if value == nil then stop(message, code) end
  return value
end

local function convert(path, kind)
  stop(("%s: '%s' is %s, expected PNG: convert it and its like, for example by ImageMagick's mogrify -format png '%s'")
    :format(what, path, kind, path:gsub("[^/]*$", "") .. "*" .. (path:match("%.[^./]+$") or "")), "format")
end

-- The names in a folder, without hidden ones, sorted by bytes.
local function names_in(folder)
  local list = {}
  for name in must(files.folder_list(folder)):gmatch("[^\0]+") do
    if name:sub(1, 1) ~= "." then list[#list + 1] = name end
  end
  return list
end

-- Adds the pictures of a folder to found.paths, as paths from the set's folder on, and what it leaves out to
-- found.skipped.
local function scan(found, folder, from, depth)
  if depth > deepest then stop(("%s: '%s' is %d folders deep"):format(what, folder, depth), "I/O") end
  for _, name in ipairs(names_in(folder)) do
    local path, relative = folder .. "/" .. name, from .. name
    local kind = files.file_kind(path)
    local named = name:lower():find("%.png$") ~= nil
    if kind == "folder" then
      scan(found, path, relative .. "/", depth + 1)
    else
      local format = (named or kind == "file") and must(files.picture_kind(path)) or ""
      if format ~= "" and format ~= "PNG" then convert(path, format) end
      local list = (named or format == "PNG") and found.paths or found.skipped
      list[#list + 1] = relative
    end
  end
end

-- Sets found.classes, the names of the folders in the set's folder, and found.labels, a number from 0 for each picture.
-- Both stay nil if the pictures lie in that folder itself.
local function classify(found, folder)
  local first = {} -- class -> its first picture
  for _, path in ipairs(found.paths) do
    local class = path:match("^([^/]*)/") or ""
    first[class] = first[class] or path
  end
  local outside = first[""]
  if outside and next(first, next(first)) then
    first[""] = nil
    local _, inside = next(first)
    stop(("%s: in '%s' there are pictures beside folders of pictures, '%s' and '%s': expected all in folders, whose "
      .. "names are the classes, or none"):format(what, folder, outside, inside), "format")
  end
  if outside then return end
  found.classes, found.labels = {}, {}
  for _, name in ipairs(names_in(folder)) do
    if files.file_kind(folder .. "/" .. name) == "folder" then
      if not first[name] then stop(("%s: the folder '%s/%s' has no PNG"):format(what, folder, name), "format") end
      table.insert(found.classes, name)
    end
  end
  local number = {}
  for i, name in ipairs(found.classes) do number[name] = i - 1 end
  for i, path in ipairs(found.paths) do found.labels[i] = number[path:match("^[^/]*")] end
end

-- ---- rows ----

local function has_size(t, size) return t:size(1) == size[1] and t:size(2) == size[2] end

-- x [n x height*width*channels] from the pictures at these paths. size nil: that of the first one.
local function read_rows(paths, o)
  local size, same, x = read_size(o.size), not o.size, nil
  for i, path in ipairs(paths) do
    local picture <close> = must(files.png_read(path))
    size = size or {picture:size(1), picture:size(2)}
    if same and not has_size(picture, size) then
      stop(("%s: '%s' is %d x %d, and '%s' %d x %d: give the option size, {height, width}"):format(what, path,
        picture:size(1), picture:size(2), paths[1], size[1], size[2]), "format")
    end
    local shape = o.gray and {size[1], size[2]} or {size[1], size[2], 3}
    x = x or core.zeros(#paths, size[1] * size[2] * (o.gray and 1 or 3), {dtype = "uint8"})
    core.picture_resize(x:rows(i, i):reshape(table.unpack(shape)), picture, o.invert)
  end
  return x, size
end

local function labels_of(found)
  if not found.labels then return nil end
  return core.tensor(found.labels, {dtype = #found.classes <= 256 and "uint8" or "float32"})
end

-- The pictures of a folder, or one file.
local function find(path)
  local found = {paths = {}, skipped = {}}
  if files.file_kind(path) == "file" then
    local format = must(files.picture_kind(path))
    if format ~= "" and format ~= "PNG" then convert(path, format) end
    found.paths[1] = path
    return found, ""
  end
  local folder = #path > 1 and path:gsub("/+$", "") or path
  scan(found, folder, "", 1)
  if #found.paths == 0 then stop(("%s: '%s' has no PNG"):format(what, folder), "I/O") end
  classify(found, folder)
  return found, folder .. "/"
end

local function load(path, o)
  local found, prefix = find(path)
  local full = {}
  for i, name in ipairs(found.paths) do full[i] = prefix .. name end
  local x, size = read_rows(full, o)
  return x, {
    names = found.paths, labels = labels_of(found), classes = found.classes, skipped = found.skipped,
    height = size[1], width = size[2], channels = o.gray and 1 or 3,
  }
end

local function finish(ok, x, info)
  if ok then return x, info end
  if getmetatable(x) ~= Problem then error(x, 0) end
  return nil, x[1], x[2]
end

---What `moon.data.images` tells about its rows.
---@class moonglass.ImagesInfo
---@field names string[] the pictures' paths in the folder, one for each row
---@field labels moonglass.Tensor? class numbers [n] from 0; nil if there are no folders of classes
---@field classes string[]? the folders' names, sorted by bytes: class c is classes[c + 1]
---@field skipped string[] files that are no pictures
---@field height integer
---@field width integer
---@field channels integer 1 or 3

---Read a folder of PNGs, or one PNG, as rows of bytes. Rows are sorted by the files' names. If the pictures lie in
---folders in that folder, these are classes. Hidden files are left out, and so are files that are no pictures; a
---picture of another format than PNG is an error that says how to convert it. Each pixel of a row is the average of the
---area that it covers in the picture. Transparent pixels lie on white; grey is 0.299 R + 0.587 G + 0.114 B.
---@param folder string
---@param options moonglass.ImagesOptions?
---@return moonglass.Tensor? x uint8 [n x height*width], with RGB [n x height*width*3]; nil if it cannot be read
---@return moonglass.ImagesInfo|string info or the message
---@return moonglass.Code? code
function data.images(folder, given)
  if type(folder) ~= "string" then
    errors.raise("%s: folder is %s, expected the name of a folder", what, options.show(folder))
  end
  if folder:find("\0", 1, true) then errors.raise("%s: the path holds a zero byte", what) end
  local o = check_options(given)
  o.size = read_size(o.size)
  if files.lacking(what) then return files.refuse(what) end
  return errors.guard(function() return finish(errors.caught(load, folder, o)) end)
end

return data
