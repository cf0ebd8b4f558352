--- Text as pixels, for labels of pictures: black on white, in letters 7 pixels high and up to 5 wide.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local lettering = {}

-- The rows of each letter from the top. Rows after the seventh lie below the baseline; missing rows are empty.
local shapes = {
  [" "] = "...", ["!"] = "# # # # # . #", ['"'] = "#.# #.#", ["#"] = ".#.#. .#.#. ##### .#.#. ##### .#.#. .#.#.",
  ["$"] = "..#.. .#### #.#.. .###. ..#.# ####. ..#..", ["%"] = "##..# ##..# ...#. ..#.. .#... #..## #..##",
  ["&"] = ".##.. #..#. #.#.. .#... #.#.# #..#. .##.#", ["'"] = "# #", ["("] = "..# .#. #.. #.. #.. .#. ..#",
  [")"] = "#.. .#. ..# ..# ..# .#. #..", ["*"] = "..... #.#.# .###. ##### .###. #.#.#",
  ["+"] = "..... ..#.. ..#.. ##### ..#.. ..#..", [","] = ".. .. .. .. .. .# .# #.", ["-"] = "... ... ... ###",
  ["."] = ". . . . . . #", ["/"] = "....# ....# ...#. ..#.. .#... #.... #....",
  ["0"] = ".###. #...# #..## #.#.# ##..# #...# .###.", ["1"] = "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
  ["2"] = ".###. #...# ....# ..##. .#... #.... #####", ["3"] = "##### ...#. ..#.. ...#. ....# #...# .###.",
  ["4"] = "...#. ..##. .#.#. #..#. ##### ...#. ...#.", ["5"] = "##### #.... ####. ....# ....# #...# .###.",
  ["6"] = "..##. .#... #.... ####. #...# #...# .###.", ["7"] = "##### ....# ...#. ..#.. ..#.. ..#.. ..#..",
  ["8"] = ".###. #...# #...# .###. #...# #...# .###.", ["9"] = ".###. #...# #...# .#### ....# ...#. .##..",
  [":"] = ". . # . . . #", [";"] = ".. .. .# .. .. .# .# #.", ["<"] = "...# ..#. .#.. #... .#.. ..#. ...#",
  ["="] = ".... .... #### .... ####", [">"] = "#... .#.. ..#. ...# ..#. .#.. #...",
  ["?"] = ".###. #...# ....# ...#. ..#.. ..... ..#..", ["@"] = ".###. #...# #.### #.#.# #.### #.... .###.",
  A = ".###. #...# #...# ##### #...# #...# #...#", B = "####. #...# #...# ####. #...# #...# ####.",
  C = ".###. #...# #.... #.... #.... #...# .###.", D = "####. #...# #...# #...# #...# #...# ####.",
  E = "##### #.... #.... ####. #.... #.... #####", F = "##### #.... #.... ####. #.... #.... #....",
  G = ".###. #...# #.... #.### #...# #...# .###.", H = "#...# #...# #...# ##### #...# #...# #...#",
  I = "### .#. .#. .#. .#. .#. ###", J = "..### ...#. ...#. ...#. ...#. #..#. .##..",
  K = "#...# #..#. #.#.. ##... #.#.. #..#. #...#", L = "#.... #.... #.... #.... #.... #.... #####",
  M = "#...# ##.## #.#.# #.#.# #...# #...# #...#", N = "#...# ##..# #.#.# #.#.# #..## #...# #...#",
  O = ".###. #...# #...# #...# #...# #...# .###.", P = "####. #...# #...# ####. #.... #.... #....",
  Q = ".###. #...# #...# #...# #.#.# #..#. .##.#", R = "####. #...# #...# ####. #.#.. #..#. #...#",
  S = ".###. #...# #.... .###. ....# #...# .###.", T = "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
  U = "#...# #...# #...# #...# #...# #...# .###.", V = "#...# #...# #...# #...# .#.#. .#.#. ..#..",
  W = "#...# #...# #...# #.#.# #.#.# ##.## #...#", X = "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
  Y = "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..", Z = "##### ....# ...#. ..#.. .#... #.... #####",
  ["["] = "### #.. #.. #.. #.. #.. ###", ["\\"] = "#.... #.... .#... ..#.. ...#. ....# ....#",
  ["]"] = "### ..# ..# ..# ..# ..# ###", ["^"] = "..#.. .#.#. #...#",
  ["_"] = "..... ..... ..... ..... ..... ..... #####",
  ["`"] = "#. .#", a = "..... ..... .###. ....# .#### #...# .####", b = "#.... #.... ####. #...# #...# #...# ####.",
  c = ".... .... .### #... #... #... .###", d = "....# ....# .#### #...# #...# #...# .####",
  e = "..... ..... .###. #...# ##### #.... .###.", f = "..## .#.. #### .#.. .#.. .#.. .#..",
  g = "..... ..... .#### #...# #...# #...# .#### ....# .###.", h = "#.... #.... ####. #...# #...# #...# #...#",
  i = "# . # # # # #", j = "..# ... ..# ..# ..# ..# ..# ..# ##.", k = "#... #... #..# #.#. ##.. #.#. #..#",
  l = "#. #. #. #. #. #. .#", m = "..... ..... ##.#. #.#.# #.#.# #.#.# #.#.#",
  n = "..... ..... ####. #...# #...# #...# #...#", o = "..... ..... .###. #...# #...# #...# .###.",
  p = "..... ..... ####. #...# #...# #...# ####. #.... #....",
  q = "..... ..... .#### #...# #...# #...# .#### ....# ....#", r = ".... .... #.## ##.. #... #... #...",
  s = "..... ..... .#### #.... .###. ....# ####.", t = ".#.. .#.. #### .#.. .#.. .#.. ..##",
  u = "..... ..... #...# #...# #...# #...# .####", v = "..... ..... #...# #...# #...# .#.#. ..#..",
  w = "..... ..... #...# #...# #.#.# #.#.# .#.#.", x = "..... ..... #...# .#.#. ..#.. .#.#. #...#",
  y = "..... ..... #...# #...# #...# #...# .#### ....# .###.", z = "..... ..... ##### ...#. ..#.. .#... #####",
  ["{"] = "..# .#. .#. #.. .#. .#. ..#", ["|"] = "# # # # # # # # #", ["}"] = "#.. .#. .#. ..# .#. .#. #..",
  ["~"] = "..... ..... .#... #.#.# ...#.",
}

-- Stands for a character without a letter.
local unknown = "##### #...# #...# #...# #...# #...# #####"

local height = 9 -- of a line of text, with the parts below the baseline

-- For each character the rows of its pixels: strings of "#" and ".", all of the same length.
local glyphs = setmetatable({}, {__index = function(known, character)
  local rows = {}
  for row in (shapes[character] or unknown):gmatch("%S+") do rows[#rows + 1] = row end
  while #rows < height do rows[#rows + 1] = ("."):rep(#rows[1]) end
  known[character] = rows
  return rows
end})

local paper, ink = 255, 0
local size = 2 -- the side of a letter's pixel, in pixels of the picture
local gap = 8  -- between a label and the picture

-- ---- texts ----

-- One line of text as rows of grey values.
local function line_of(text)
  local rows = {}
  for y = 1, height do rows[y] = {} end
  for _, code in utf8.codes(text) do
    local glyph = glyphs[utf8.char(code)]
    for y, row in ipairs(rows) do
      local first = #row == 0 and 1 or 0 -- a column of paper between letters
      for x = first, #glyph[y] do
        local grey = glyph[y]:byte(x) == 35 and ink or paper
        for _ = 1, size do row[#row + 1] = grey end
      end
    end
  end
  return rows
end

--- The text, UTF-8, as a picture uint8 [h x w] with nothing around it, in letters 14 pixels high; a newline begins
-- another line below, and a character beyond ASCII is a box. Of an empty text a column of paper is left.
function lettering.draw(text)
  local all, width = {}, 1
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    if #all > 0 then table.move({{}, {}, {}, {}}, 1, 4, #all + 1, all) end
    for _, row in ipairs(line_of(line)) do
      for _ = 1, size do all[#all + 1] = table.move(row, 1, #row, 1, {}) end
      width = math.max(width, #row)
    end
  end
  for _, row in ipairs(all) do
    for x = #row + 1, width do row[x] = paper end
  end
  return core.tensor(all, {dtype = "uint8"})
end

-- ---- labels ----

local function blank(h, w) return core.full(paper, h, w, {dtype = "uint8"}) end

-- The picture with so many rows (dim 1) or columns (2) of paper before and behind it.
local function padded(picture, dim, before, behind)
  local parts, other = {picture}, picture:size(3 - dim)
  local function bar(n) return dim == 1 and blank(n, other) or blank(other, n) end
  if before > 0 then table.insert(parts, 1, bar(before)) end
  if behind > 0 then parts[#parts + 1] = bar(behind) end
  return #parts == 1 and picture or core.cat(parts, dim)
end

--- Pictures from the left or (dim 1) from above, with so many pixels of paper in between; smaller ones are filled up.
function lettering.join(pictures, dim, space)
  local across, parts = 3 - dim, {}
  local extent = 0
  for _, picture in ipairs(pictures) do extent = math.max(extent, picture:size(across)) end
  for i, picture in ipairs(pictures) do
    local filled = padded(picture, across, 0, extent - picture:size(across))
    parts[i] = padded(filled, dim, i > 1 and space or 0, 0)
  end
  return core.cat(parts, dim)
end

local function check_text(what, name, v)
  if math.type(v) then v = tostring(v) end
  if type(v) == "string" and utf8.len(v) and not v:find("[\0-\9\11-\31\127]") then return v end
  errors.raise("%s: %s is %s, expected a text, UTF-8 without control characters", what, name, options.show(v))
end

-- Texts that stand at the middles of tiles, each `step` pixels, along dim, of at most `most` tiles.
local function strip(what, name, texts, dim, step, most)
  local drawn, across, last = {}, 1, 0
  for i, v in pairs(texts) do
    if math.type(i) ~= "integer" or i < 1 or i > most then
      errors.raise("%s: %s has the key %s, expected a text for each of 1 to %d", what, name, options.show(i), most)
    end
    drawn[i] = lettering.draw(check_text(what, ("%s[%d]"):format(name, i), v))
    across, last = math.max(across, drawn[i]:size(3 - dim)), math.max(last, i)
  end
  local parts, at = {}, 0
  for i = 1, last do
    local text = drawn[i]
    if text then
      local before = math.max(at > 0 and 2 or 0, ((2 * i - 1) * step - text:size(dim)) // 2 - at)
      local room = across - text:size(3 - dim)
      parts[#parts + 1] = padded(padded(text, 3 - dim, dim == 1 and 0 or room, dim == 1 and room or 0), dim, before, 0)
      at = at + before + text:size(dim)
    end
  end
  return #parts > 0 and core.cat(parts, dim)
end

--- The picture of tiles of height x width pixels, a frame of `frame` pixels included, with labels on white: o.titles on
-- the left of the lines of tiles, o.heads above the columns, o.title above all. It grows as the texts need it.
function lettering.label(what, picture, height_of, width_of, frame, o)
  local lines, columns = (picture:size(1) - frame) // height_of, (picture:size(2) - frame) // width_of
  local left = o.titles and strip(what, "titles", o.titles, 1, height_of, lines)
  local above = o.heads and strip(what, "heads", o.heads, 2, width_of, columns)
  if above then picture = lettering.join({above, picture}, 1, gap // 2) end
  if left then
    left = padded(left, 1, above and #above + gap // 2 + frame // 2 or frame // 2, 0)
    picture = lettering.join({left, picture}, 2, gap)
  end
  if o.title then picture = lettering.join({lettering.draw(check_text(what, "title", o.title)), picture}, 1, gap) end
  if not (above or left or o.title) then return picture end
  return padded(padded(picture, 1, gap // 2, gap // 2), 2, gap // 2, gap // 2)
end

return lettering
