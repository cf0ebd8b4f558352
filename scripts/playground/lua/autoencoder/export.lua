--- The script that repeats what was clicked.
local moon = require "moonglass"
local nets = require "playground.autoencoder.nets"
local noise = require "playground.autoencoder.noise"
local script = require "playground.script"

-- ---- the script's data ----

-- The sets that moon.data.find knows by name; others are where moon.data.mnist looks.
local named = {MNIST = true, ["Fashion-MNIST"] = true}

local function set_text(room)
  local set, rows = room.set_of_host, room.data
  local find, folder = "", ""
  if named[set.name] then
    find, folder = ("local folder = assert(moon.data.find(nil, %s))\n"):format(script.quote(set.name)), "folder, "
  end
  return ('%slocal x = assert(moon.data.mnist(%s"train")):rows(1, %d)\n'
    .. 'local test_x = assert(moon.data.mnist(%s"test")):rows(1, %d)\n'):format(find, folder, #rows.train, folder,
    #rows.validation)
end

local decode = [[
local bytes = png:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
local pictures = assert(moon.png.decode(bytes))
]]

-- Bytes in hexadecimal, in lines.
local function hex(bytes)
  local text = bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  return (text:gsub(("."):rep(110), "%0\n"))
end

local function own_text(room)
  local n, kept = #room.own, #room.data.train
  local rows = kept == n and "local x = pictures\n"
    or ("local x, test_x = pictures:rows(1, %d), pictures:rows(%d, %d)\n"):format(kept, kept + 1, n)
  local head = "-- %d own pictures, as a PNG file in hexadecimal: each of its lines is one of them.\n"
  return head:format(n) .. "local png = [[\n" .. hex(moon.png.encode(room.own)) .. "\n]]\n" .. decode .. rows
end

-- The noise of the test rows is the one draw of the room.
local function noisy_text(room)
  local s, text = room.values, "local y = x\n"
  if not room.data.validation then return text end
  return text .. ("\n-- The pictures to test with have one draw of noise, which stays.\nlocal noise = %s\n"
    .. "noise:seed(%d)\nlocal test_y = test_x\ntest_x = noise:forward(test_y:float() / 255, true)\n"):format(
    noise.text(s.noise, s.noise_level), s.seed)
end

local function data_text(room)
  local text = room.values.data == "own" and own_text(room) or set_text(room)
  return room.values.kind == "denoising" and text .. noisy_text(room) or text
end

-- The parts of a variational net's loss, and the pictures that it makes by itself.
local parts = [[
for _, part in ipairs{"reconstruction", "kl"} do print(("%s %.17g"):format(part, history[part][#history.loss])) end
]]

local function variational_text(room)
  if room.values.kind ~= "variational" then return nil end
  return (room.trainer.epoch > 0 and parts or "") .. ("\n-- New pictures, the page's: codes that are drawn, decoded.\n"
    .. "moon.seed(%d)\nlocal samples = net:sample(10)\n"):format(room.view.samples)
end

-- ---- the whole ----

local function title(room)
  local s = room.values
  return ("Autoencoder: %s, a code of %d numbers, trained on %d pictures of %s."):format(s.kind, s.code,
    #room.data.train, s.data == "own" and "a visitor's own" or room.set_of_host.name)
end

---The script that trains the same net again.
---@return table {name, type, text}
return function(room)
  local s = room.values
  return {name = s.kind .. ".lua", type = "text/x-lua", text = script.write{
    title = title(room), data = data_text(room), labelled = s.kind == "denoising",
    tested = room.data.validation ~= nil,
    net = ("moon.seed(%d)\nlocal net = %s\n"):format(s.seed, nets.text(s, "x")),
    loss = nets.loss_text(s), optimizer = nets.optimizer_text(s, room.first_rate),
    batch = room.trainer.batch_size, seed = s.seed, threads = room.host.threads, trainer = room.trainer,
    more = variational_text(room),
  }}
end
