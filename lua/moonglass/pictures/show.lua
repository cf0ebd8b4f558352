--- moon.show(t, options): pictures in the terminal, by the best method that it has, or in a file.
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local graphics = require "moonglass.pictures.graphics"
local image = require "moonglass.pictures.image"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local terminal = require "moonglass.support.terminal"

---Options of `moon.show`.
---@class moonglass.ShowOptions
---@field shape integer[]? {height, width} of a tile; if not given, rows of 64, 81, 100, ... elements are squares
---@field columns integer? tiles per line; as many as fit if not given
---@field limit integer? the largest number of tiles; as many as fit on the screen, at least 10, if not given
---@field normalize "none"|"each"|"all"? as in `moon.image.grid`; "all" for floats outside 0 to 1 if not given
---@field method "kitty"|"iterm2"|"sixel"|"blocks"|"ascii"? detected from the environment if not given
---@field save string? a PNG file to write instead
local show_options = options.checker("show", {
  shape = {"list"}, columns = {"count"}, limit = {"count"}, normalize = {{"none", "each", "all"}},
  method = {graphics.methods}, save = {"text"},
})

local smallest_tile = 8 -- pixels a side; smaller rows are no tiles unless `shape` says so
local always_shown = 10 -- tiles, even if the screen is too small
local largest_scale = 4

-- ---- what it is ----

local function side(w)
  local root = math.floor(math.sqrt(w) + 0.5)
  return root * root == w and root >= smallest_tile and root or nil
end

-- The tiles [n x h*w], h and w. A matrix is one picture, unless its rows are squares: rows of 784 are 28 x 28.
local function tiles_of(t, shape)
  local rank, n = t:rank(), t:numel()
  if shape then
    local h, w = math.tointeger(shape[1]), math.tointeger(shape[2])
    if not (h and w and h >= 1 and w >= 1 and n % (h * w) == 0) then
      errors.raise("show: shape is {%s, %s}, which does not divide %s", options.show(shape[1]), options.show(shape[2]),
        native.shape_text(t))
    end
    return t:reshape(-1, h * w), h, w
  end
  if rank == 3 then return t:reshape(#t, -1), t:size(2), t:size(3) end
  if rank == 1 then
    local a = math.floor(math.sqrt(n) + 0.5)
    if a * a == n then return t:reshape(1, n), a, a end
    errors.raise("show: %s makes no square, expected the option shape={height, width}", native.shape_text(t))
  end
  local h, w = t:size(1), t:size(2)
  local a = h ~= w and side(w)
  if a then return t, a, a end
  return t:reshape(1, n), h, w
end

local function check(t)
  if not native.is_tensor(t) then errors.raise("show: got %s, expected a tensor", options.show(t)) end
  local rank = t:rank()
  if rank < 1 or rank > 3 or t:numel() == 0 then
    errors.raise("show: got %s, expected [h x w], [n x h*w], [n x h x w] or [h x w x 3]", native.shape_text(t))
  end
end

-- Floats outside 0 to 1 are drawn from the smallest to the largest.
local function normalization(tiles)
  if tiles.dtype == "uint8" then return "none" end
  return (tiles:min() < 0 or tiles:max() > 1) and "all" or "none"
end

-- ---- how large ----

-- The tiles in a line, the tiles in all, and the enlargement of each pixel.
local function layout(n, h, w, o, method)
  local lines, width = terminal.size()
  local in_characters = method == "blocks" or method == "ascii"
  if o.save then return o.columns or math.ceil(math.sqrt(n)), math.min(n, o.limit or n), 1 end
  local budget = in_characters and width or width * graphics.cell.width
  local scale = in_characters and 1 or math.max(1, math.min(largest_scale, budget // ((w + 1) * math.min(n, 4))))
  local columns = o.columns or math.max(1, math.min(n, (budget - 1) // ((w + 1) * scale)))
  local high = (lines - 2) * (in_characters and 2 or graphics.cell.height) // ((h + 1) * scale)
  return columns, math.min(n, o.limit or math.max(always_shown, columns * high)), scale
end

local function is_colour(t) return t:rank() == 3 and t:size(3) == 3 and t.dtype == "uint8" and t:size(2) > 3 end

local function picture_of(t, o, method)
  if is_colour(t) and not o.shape then return t end
  local tiles, h, w = tiles_of(t, o.shape)
  local n = #tiles
  local columns, count, scale = layout(n, h, w, o, method)
  if count < n then tiles = tiles:rows(1, count) end
  local picture = errors.guard(image.grid, tiles, {
    shape = {h, w}, columns = math.min(columns, count), pad = n > 1 and 1 or 0, scale = scale,
    normalize = o.normalize or normalization(tiles),
  })
  return picture, count < n and ("tiles 1 to %d of %d; the option limit shows more"):format(count, n) or nil
end

local show = {}

--- The argument `how` of graphics.encode, for this output.
function show.how(method, in_place)
  local _, columns = terminal.size()
  return {
    method = method or graphics.method(), colours = terminal.colours(), columns = columns, in_place = in_place,
  }
end

--- Shows t: [h x w], tiles [n x h*w] or [n x h x w], or bytes [h x w x 3]. save=path writes a PNG file instead.
function show.picture(_, t, given)
  local o = show_options(given)
  check(t)
  if o.save then
    local picture = picture_of(t, o)
    return files.png_write(o.save, picture)
  end
  local how = show.how(o.method)
  local picture, note = picture_of(t, o, how.method)
  terminal.write((graphics.encode(picture, how)))
  if note then terminal.write(note .. "\n") end
end

return setmetatable(show, {__call = show.picture})
