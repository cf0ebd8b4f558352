--- What a visitor does with the panels: choose a digit, draw one, drag its code, bring own pictures. Each function
-- checks all that it is given before it changes anything.
local data = require "playground.autoencoder.data"
local moon = require "moonglass"
local settings = require "playground.settings"

local commands = {}

local most_own = 2000
local largest_code = 1e6

local check_number, refuse, show = settings.check_number, settings.refuse, settings.show

local function whole(name, v, low, high) return check_number(name, v, low, high, true) end

-- A list of n numbers.
local function numbers(name, list, n, low, high)
  if type(list) ~= "table" or #list ~= n then
    local got = type(list) == "table" and #list .. " elements" or show(list)
    refuse("%s has %s, expected a list of %d numbers", name, got, n)
  end
  local checked = {}
  for i = 1, n do checked[i] = check_number(("%s[%d]"):format(name, i), list[i], low, high) end
  return checked
end

-- The look at another picture ends what was held of the old one.
local function look_at(view, drawing)
  view.drawing, view.noisy_drawing, view.held, view.looked_at = drawing, nil, nil, view.looked_at + 1
end

---{row}: look at this test row, no longer at a drawing.
function commands.choose(room, args)
  local row = whole("row", args.row, 1, #room.data.test)
  room.view.row = row
  look_at(room.view, nil)
end

---{first}: show ten test rows from this one on.
function commands.digits(room, args)
  local view = room.view
  view.first = whole("first", args.first, 1, math.max(1, #room.data.test - 9))
  view.shown = view.shown + 1
end

---{values}: hold this code; {}: let it go.
function commands.code(room, args)
  local values, view = args.values, room.view
  if values ~= nil then values = numbers("values", values, room.values.code, -largest_code, largest_code) end
  view.held, view.looked_at = values, view.looked_at + 1
end

---{pixels}: 784 numbers of 0 to 255; {}: clear.
function commands.draw(room, args)
  if args.pixels == nil then return look_at(room.view, nil) end
  local pixels = numbers("pixels", args.pixels, data.width, 0, 255)
  look_at(room.view, moon.tensor({pixels}):byte())
end

---Another draw of new pictures.
function commands.samples(room) room.view.samples = room.view.samples + 1 end

---{level}: noise on the drawing, 0 to 1.
function commands.draw_noise(room, args)
  local level, view = check_number("level", args.level, 0, 1), room.view
  view.draw_noise, view.noisy_drawing, view.looked_at = level, nil, view.looked_at + 1
end

---{images, n}: own pictures, as base64 of n * 784 bytes. The room trains on them from then on.
function commands.own(room, args)
  local n = whole("n", args.n, 1, most_own)
  if type(args.images) ~= "string" then refuse("images is %s, expected base64 of the pictures", show(args.images)) end
  local ok, bytes = pcall(room.host.bytes, args.images)
  if not ok or not bytes then refuse("images is not base64") end
  if #bytes ~= n * data.width then
    refuse("images has %d bytes, expected %d: %d pictures of %d", #bytes, n * data.width, n, data.width)
  end
  return room:take_own(data.images(bytes))
end

return commands
