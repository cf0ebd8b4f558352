--- moon.image: pictures of rows. Each row of a tensor is drawn as a tile.
--   moon.png.write("filters.png", moon.image.grid(layer.weight:t(), {normalize = "each"}))
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local lettering = require "moonglass.pictures.lettering"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---Pictures of rows.
---@class moonglass.image
local image = {}

-- ---- values to bytes ----

-- A constant tile has the range 0, and becomes 0.
local smallest_range = 1e-30

-- Normalizations by name: float32 rows [n x d] -> values 0 to 255. They divide by 2 first, since the range of a tile
-- may be twice the largest float32.
local normalizers = {
  none = function(rows) return rows:clamp(0, 1):mul_(255) end,
  all = function(rows)
    local low, high = rows:min(), rows:max()
    return (rows / 2):sub_(low / 2):mul_(255 / math.max(high / 2 - low / 2, smallest_range))
  end,
  -- Arithmetic combines a row with each row of a matrix, so the tiles are columns while each gets its own range.
  each = function(rows)
    local low, high = rows:min(2):div_(2), rows:max(2):div_(2)
    local scale = 255 / (high - low):clamp_(smallest_range)
    return rows:t():div_(2):sub_(low):mul_(scale):t()
  end,
  -- 0 is middle grey, so that tiles can be compared.
  signed = function(rows)
    local scale = 127.5 / rows:max(2):maximum_(-rows:min(2)):clamp_(smallest_range)
    return (rows:t() * scale):add_(127.5):t():clamp(0, 255)
  end,
}

-- uint8 rows without normalization are pixels already.
local function to_bytes(rows, how)
  if rows.dtype == "uint8" then
    if how == "none" then return rows end
    rows = rows:float()
  end
  return normalizers[how](rows):byte()
end

-- ---- tiles ----

local function side(what, name, v)
  local whole = type(v) == "number" and math.tointeger(v)
  if whole and whole >= 1 then return whole end
  errors.raise("%s: %s is %s, expected a whole number of at least 1", what, name, options.show(v))
end

-- The height and width of a tile with `width` pixels.
local function tile_shape(what, shape, width)
  if not shape then
    local root = math.floor(math.sqrt(width) + 0.5)
    if root * root == width then return root, root end
    errors.raise("%s: rows of %d make no square, expected the option shape={height, width}", what, width)
  end
  local h, w = side(what, "shape[1]", shape[1]), side(what, "shape[2]", shape[2])
  if h * w ~= width then errors.raise("%s: shape is {%d, %d}, expected the %d elements of a row", what, h, w, width) end
  return h, w
end

-- t [n x d], or [n x h x w] with the tiles' shape, as rows [n x d].
local function as_rows(what, t, shape)
  if not native.is_tensor(t) then errors.raise("%s: got %s, expected a tensor", what, options.show(t)) end
  local rank = t:rank()
  if rank < 2 or rank > 3 or t:numel() == 0 then
    errors.raise("%s: got %s, expected [n x h*w] or [n x h x w] with at least one row", what, native.shape_text(t))
  end
  if rank == 2 then return t, shape end
  return t:reshape(#t, -1), shape or {t:size(2), t:size(3)}
end

-- Parts along a dimension, with bars before, between and after them.
local function join(parts, bar, dim)
  if not bar then return core.cat(parts, dim) end
  local list = {bar}
  for _, part in ipairs(parts) do
    list[#list + 1] = part
    list[#list + 1] = bar
  end
  return core.cat(list, dim)
end

local function blank(h, w, value) return core.full(value, h, w, {dtype = "uint8"}) end

-- A tile that shows its two diagonals.
local function cross(h, w)
  local rows = {}
  for y = 1, h do
    rows[y] = {}
    for x = 1, w do
      local along = (x - 0.5) * h / w
      local off = math.min(math.abs(along - y + 0.5), math.abs(h - along - y + 0.5))
      rows[y][x] = off < math.max(1, h / w) and 150 or 60
    end
  end
  return core.tensor(rows, {dtype = "uint8"})
end

-- rows uint8 [n x h*w] as tiles, `columns` in a line, with pad pixels around each. crossed[i]: tile i is a cross
-- instead.
local function assemble(rows, h, w, columns, pad, background, crossed)
  local n, lines = #rows, {}
  local bar = pad > 0 and blank(h, pad, background)
  local empty = n % columns > 0 and blank(h, w, background)
  local crosses = crossed and cross(h, w)
  for first = 1, n, columns do
    local tiles = {}
    for i = first, first + columns - 1 do
      local is_crossed = crossed and i <= n and crossed[i] ~= 0
      tiles[#tiles + 1] = is_crossed and crosses or i <= n and rows:rows(i):reshape(h, w) or empty
    end
    lines[#lines + 1] = join(tiles, bar, 2)
  end
  return join(lines, pad > 0 and blank(pad, lines[1]:size(2), background), 1)
end

-- Enlarges every pixel to scale x scale.
local function enlarge(picture, scale)
  if scale == 1 then return picture end
  local function stretch(t)
    local numbers = {}
    for i = 1, #t * scale do numbers[i] = (i - 1) // scale + 1 end
    return t:index(numbers)
  end
  return stretch(stretch(picture):t()):t()
end

-- ---- grid and rows ----

local function rules(more)
  local list = {
    shape = {"list"}, pad = {"size", 1}, background = {"size", 0}, scale = {"count", 1},
    normalize = {{"none", "each", "all", "signed"}, "none"}, title = {"text"}, titles = {"texts"}, heads = {"texts"},
  }
  for name, rule in pairs(more or {}) do list[name] = rule end
  return list
end

local function check_background(what, v)
  if v > 255 then errors.raise("%s: background is %d, expected 0 to 255", what, v) end
end

-- The tiles, enlarged, with their labels.
local function finish(what, tiles, h, w, o)
  local picture = enlarge(tiles, o.scale)
  if not (o.titles or o.heads or o.title) then return picture end
  return lettering.label(what, picture, (h + o.pad) * o.scale, (w + o.pad) * o.scale, o.pad * o.scale, o)
end

-- A list of n numbers or a tensor [n] as a list.
local function mask_of(what, name, v, n)
  if v == nil then return nil end
  local list = native.is_tensor(v) and v:rank() == 1 and v:totable() or v
  if type(list) ~= "table" or #list ~= n then
    errors.raise("%s: %s is %s, expected a number for each of the %d rows, 0 or 1", what, name,
      native.is_tensor(v) and native.shape_text(v) or options.show(v), n)
  end
  return list
end

---Options of `moon.image.grid`.
---@class moonglass.GridOptions: moonglass.RowsOptions
---@field columns integer? tiles per line; about as many as lines if not given
---@field crossed number[]|moonglass.Tensor? [n]: a tile is a cross where this is not 0, as for a dead unit
local grid_options = options.checker("image.grid", rules{columns = {"count"}, crossed = {"any"}})

---One picture of all rows as tiles, line by line from the left. With normalize = "each" each tile goes from its
---smallest to its largest value, with "all" all tiles share that range. With "signed" 0 is grey, and the largest
---absolute value of a tile is black or white.
---@param t moonglass.Tensor [n x h*w] or [n x h x w]; bytes as they are, floats from 0 to 1
---@param options moonglass.GridOptions?
---@return moonglass.Tensor picture uint8 [height x width]
function image.grid(t, given)
  local o = grid_options(given)
  check_background("image.grid", o.background)
  local rows, shape = as_rows("image.grid", t, o.shape)
  local h, w = tile_shape("image.grid", shape, rows:size(2))
  local columns = o.columns or math.ceil(math.sqrt(#rows))
  local crossed = mask_of("image.grid", "crossed", o.crossed, #rows)
  local tiles = assemble(to_bytes(rows, o.normalize), h, w, columns, o.pad, o.background, crossed)
  return finish("image.grid", tiles, h, w, o)
end

---Options of `moon.image.rows`.
---@class moonglass.RowsOptions
---@field shape integer[]? {height, width} of a tile; a square if not given
---@field pad integer? default 1: pixels around each tile
---@field background integer? default 0, 0 to 255: the grey value of these pixels
---@field scale integer? default 1: each pixel becomes this many pixels a side
---@field normalize "none"|"each"|"all"|"signed"? default "none"; "each", "all": minimum to maximum; "signed": 0 is grey
---@field title string? above the picture, black on white, in letters of 14 pixels
---@field titles (string|number)[]? on the left, one for each line of tiles
---@field heads (string|number)[]? above the columns; an entry may be empty
local rows_options = options.checker("image.rows", rules())

-- An element of the list: a tensor, or a list of tensors side by side.
local function line_of(i, element, o)
  local parts = native.is_tensor(element) and {element} or element
  if type(parts) ~= "table" or #parts == 0 then
    errors.raise("image.rows: line %d is %s, expected a tensor or a list of tensors", i, options.show(element))
  end
  local bytes, shape = {}, nil
  for k, part in ipairs(parts) do
    part, shape = as_rows(("image.rows: line %d"):format(i), part, o.shape)
    bytes[k] = to_bytes(part, o.normalize)
  end
  return errors.guard(core.cat, bytes, 1), shape
end

---One line of tiles per tensor: `moon.image.rows{originals, noisy, reconstructions}`. All have the same number of rows.
---@param list (moonglass.Tensor|moonglass.Tensor[])[] an element may be a list of tensors, which are joined
---@param options moonglass.RowsOptions?
---@return moonglass.Tensor picture uint8 [height x width]
function image.rows(list, given)
  local o = rows_options(given)
  check_background("image.rows", o.background)
  if type(list) ~= "table" or #list == 0 then
    errors.raise("image.rows: got %s, expected a list of tensors", options.show(list))
  end
  local lines, shape = {}, nil
  for i, element in ipairs(list) do
    local line, own = line_of(i, element, o)
    lines[i], shape = line, shape or own
    if #line ~= #lines[1] or line:size(2) ~= lines[1]:size(2) then
      errors.raise("image.rows: line %d is %s, expected the shape of line 1, %s", i, native.shape_text(line),
        native.shape_text(lines[1]))
    end
  end
  local h, w = tile_shape("image.rows", shape, lines[1]:size(2))
  return finish("image.rows", assemble(core.cat(lines, 1), h, w, #lines[1], o.pad, o.background), h, w, o)
end

return image
