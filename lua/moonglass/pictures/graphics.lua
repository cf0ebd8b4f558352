--- Pictures as text that a terminal draws: graphics.encode(picture, how) -> text, lines.
--   picture   uint8 [h x w], greys, or [h x w x 3], colours
--   how       {method = "kitty" | "iterm2" | "sixel" | "blocks" | "ascii", colours = 256 | 1 << 24, columns = n,
--              in_place = true: the cursor ends in column 0, `lines` lines below its place before, for redrawing}
-- The first three are escape sequences with the pixels inside. blocks draws two pixels as one character, an upper half
-- block in two colours. ascii is plain text.
local base64 = require "moonglass.support.base64"
local core = require "moonglass.core"
local terminal = require "moonglass.support.terminal"

local graphics = {}

-- ---- the method ----

local function starts(text, ...)
  for _, prefix in ipairs{...} do
    if text and text:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local konsole_draws = 220400 -- 22.04, the first Konsole with pictures
local draws_files = {["iTerm.app"] = true, WezTerm = true, mintty = true}

-- The terminal is not asked: its answer would come through the input, mixed with what the user types.
local function by_environment()
  local term, program = terminal.env("TERM"), terminal.env("TERM_PROGRAM") or ""
  if terminal.env("TMUX") or starts(term, "screen", "tmux") then return "blocks" end -- these do not pass images on
  if terminal.env("KITTY_WINDOW_ID") or starts(term, "xterm-kitty", "xterm-ghostty") or program == "ghostty" then
    return "kitty"
  end
  if (tonumber(terminal.env("KONSOLE_VERSION")) or 0) >= konsole_draws then return "kitty" end
  if draws_files[program] or terminal.env("LC_TERMINAL") == "iTerm2" then return "iterm2" end
  if starts(term, "foot", "mlterm", "yaft", "contour") or (term and term:find("sixel", 1, true)) then return "sixel" end
  return "blocks"
end

graphics.methods = {"kitty", "iterm2", "sixel", "blocks", "ascii"}

--- What this output can show.
function graphics.method()
  if not terminal.is_terminal() or terminal.colours() == 0 or not terminal.is_utf8() then return "ascii" end
  return by_environment()
end

-- ---- pixels ----

-- Rows of pixels, each a list of 1 or 3 values. A wider picture is shrunk to `columns` by averaging f x f pixels.
local function pixels_of(picture, columns)
  local h, w = picture:size(1), picture:size(2)
  local depth = picture:rank() == 3 and picture:size(3) or 1
  local values = picture:reshape(h, -1):totable()
  local f = math.max(1, (w + columns - 1) // columns)
  local rows = {}
  for y = 1, h, f do
    local row = {}
    for x = 1, w, f do
      local pixel = {}
      for c = 1, depth do
        local sum, n = 0, 0
        for yy = y, math.min(y + f - 1, h) do
          local line = values[yy]
          for xx = x, math.min(x + f - 1, w) do sum, n = sum + line[(xx - 1) * depth + c], n + 1 end
        end
        pixel[c] = (2 * sum + n) // (2 * n) // 1 | 0
      end
      row[#row + 1] = pixel
    end
    rows[#rows + 1] = row
  end
  return rows
end

-- ---- characters ----

local cube = {0, 95, 135, 175, 215, 255}

local function nearest_level(v)
  local best = 1
  for i = 2, #cube do
    if math.abs(cube[i] - v) < math.abs(cube[best] - v) then best = i end
  end
  return best - 1
end

-- The number of a colour in the palette of 256: greys are a ramp 8, 18, ... 238, colours a cube.
local function palette_number(pixel)
  local r, g, b = pixel[1], pixel[2], pixel[3]
  if g and (r ~= g or r ~= b) then return 16 + 36 * nearest_level(r) + 6 * nearest_level(g) + nearest_level(b) end
  if r < 4 then return 16 elseif r > 246 then return 231 end
  return 232 + math.max(0, math.min(23, (r - 3) // 10))
end

local function colour_code(pixel, colours)
  if colours <= 256 then return "5;" .. palette_number(pixel) end
  return ("2;%d;%d;%d"):format(pixel[1], pixel[2] or pixel[1], pixel[3] or pixel[1])
end

-- Two rows of pixels as one line: the upper half of each character has the first row's colour, the lower the second's.
local function block_line(upper, lower, colours)
  local parts, last = {}, nil
  for x = 1, #upper do
    local code = "38;" .. colour_code(upper[x], colours)
    code = lower and code .. ";48;" .. colour_code(lower[x], colours) or code
    if code ~= last then parts[#parts + 1] = "\27[" .. code .. "m" end
    parts[#parts + 1] = "\u{2580}"
    last = code
  end
  return table.concat(parts) .. "\27[0m\n"
end

local function blocks(picture, how)
  local rows, lines = pixels_of(picture, how.columns), {}
  for y = 1, #rows, 2 do lines[#lines + 1] = block_line(rows[y], rows[y + 1], how.colours) end
  return table.concat(lines), #lines
end

local shades = " .:-=+*#%@"

local function brightness(pixel)
  if not pixel then return nil end
  return pixel[2] and (299 * pixel[1] + 587 * pixel[2] + 114 * pixel[3]) / 1000 or pixel[1]
end

-- A character is about twice as high as wide, so it shows the mean of two pixels.
local function ascii(picture, how)
  local rows, lines = pixels_of(picture, how.columns), {}
  for y = 1, #rows, 2 do
    local line = {}
    for x, pixel in ipairs(rows[y]) do
      local upper = brightness(pixel)
      local v = (upper + (brightness(rows[y + 1] and rows[y + 1][x]) or upper)) / 2
      local i = math.min(#shades, v * #shades // 255 + 1) // 1 | 0
      line[x] = shades:sub(i, i)
    end
    lines[#lines + 1] = table.concat(line):gsub(" +$", "")
  end
  return table.concat(lines, "\n") .. "\n", #lines
end

-- ---- escape sequences ----

-- The cells that a picture shall take, for sequences that say so. A cell is assumed to be 10 x 20 pixels.
local function cells_of(picture, how)
  local columns = math.max(1, math.min(how.columns, (picture:size(2) + 9) // 10))
  return columns, math.max(1, (columns * picture:size(1) + picture:size(2)) // (2 * picture:size(2)))
end

local kitty_chunk = 4096

local function kitty(picture, how)
  local columns, lines = cells_of(picture, how)
  local data, parts = base64(core.png_encode(picture)), {}
  for first = 1, #data, kitty_chunk do
    local more = first + kitty_chunk <= #data and 1 or 0
    local keys = first == 1 and ("a=T,f=100,q=2,C=1,c=%d,r=%d,"):format(columns, lines) or "q=2,"
    parts[#parts + 1] = ("\27_G%sm=%d;%s\27\\"):format(keys, more, data:sub(first, first + kitty_chunk - 1))
  end
  return table.concat(parts), lines
end

local function iterm2(picture, how)
  local columns, lines = cells_of(picture, how)
  local bytes = core.png_encode(picture)
  return ("\27]1337;File=inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=0:%s\7"):format(#bytes, columns, lines,
    base64(bytes)), lines
end

-- The colour register of a pixel, and its red, green and blue in percent: greys in steps of 1, colours of 20 percent.
local function register(pixel)
  local function percent(v, steps) return (v * steps + 127) // 255 end
  if not pixel[2] then
    local level = percent(pixel[1], 100)
    return level, level, level, level
  end
  local r, g, b = percent(pixel[1], 5), percent(pixel[2], 5), percent(pixel[3], 5)
  return 36 * r + 6 * g + b, 20 * r, 20 * g, 20 * b
end

-- Six rows of pixels: for each colour, the columns as bit masks, with repeats counted.
local function sixel_band(numbers, y, h, w)
  local masks = {}
  for dy = 0, math.min(5, h - y) do
    for x = 1, w do
      local n = numbers[y + dy][x]
      masks[n] = masks[n] or {}
      masks[n][x] = (masks[n][x] or 0) | 1 << dy
    end
  end
  local used, parts = {}, {}
  for n in pairs(masks) do used[#used + 1] = n end
  table.sort(used)
  for _, n in ipairs(used) do
    local line = {}
    local x = 1
    while x <= w do
      local mask, run = masks[n][x] or 0, 1
      while x + run <= w and (masks[n][x + run] or 0) == mask do run = run + 1 end
      local c = string.char(63 + mask)
      line[#line + 1] = run > 3 and "!" .. run .. c or c:rep(run)
      x = x + run
    end
    parts[#parts + 1] = "#" .. n .. table.concat(line)
  end
  return table.concat(parts, "$")
end

-- The least pixels of a character: xterm's smallest usual font is 6 x 13. A terminal cuts sixels off at its edge.
graphics.cell = {width = 6, height = 12}

local function sixel(picture, how)
  local rows = pixels_of(picture, how.columns * graphics.cell.width)
  local h, w = #rows, #rows[1]
  local numbers, colours, bands = {}, {}, {}
  for y, row in ipairs(rows) do
    numbers[y] = {}
    for x, pixel in ipairs(row) do
      local n, r, g, b = register(pixel)
      numbers[y][x] = n
      colours[n] = colours[n] or ("#%d;2;%d;%d;%d"):format(n, r, g, b)
    end
  end
  local palette = {}
  for _, text in pairs(colours) do palette[#palette + 1] = text end
  table.sort(palette)
  for y = 1, h, 6 do bands[#bands + 1] = sixel_band(numbers, y, h, w) end
  return ("\27P0;1q\"1;1;%d;%d%s%s\27\\"):format(w, h, table.concat(palette), table.concat(bands, "-")),
    (h + graphics.cell.height - 1) // graphics.cell.height
end

-- ---- encode ----

-- Makes room for the picture first, so that nothing scrolls while the cursor's position is saved.
local function at_place(text, lines)
  return ("%s\27[%dA\0277%s\0278\27[%dB\r"):format(("\n"):rep(lines), lines, text, lines)
end

local encoders = {kitty = kitty, iterm2 = iterm2, sixel = sixel, blocks = blocks, ascii = ascii}

--- The picture as text, and the number of its lines (for sixels: the largest possible). It ends at the start of a line.
function graphics.encode(picture, how)
  local text, lines = encoders[how.method](picture, how)
  if how.method == "blocks" or how.method == "ascii" then return text, lines end
  if how.in_place or how.method == "kitty" then return at_place(text, lines), lines end
  return text .. "\n", lines
end

return graphics
