--- The rows that the room trains on and tests with: the host's set, or a visitor's own pictures.
local moon = require "moonglass"

local data = {}

local width = 784
local test_rows = 1000 -- of the test set, as the fit's validation

-- Own pictures: from so many on, a fifth is held out as a test.
local enough, held_out_of = 10, 5

---The host's set with the first `rows` of its training rows.
---@param set table {train, test, test_labels, name}: uint8 [n x 784], [n]
function data.of_set(set, rows)
  return {
    train = set.train:rows(1, rows), test = set.test, test_labels = set.test_labels,
    validation = set.test:rows(1, math.min(test_rows, #set.test)), key = rows,
  }
end

---A visitor's pictures. The last fifth is held out, if there are at least ten; else all are for training, and the
---panels that show test rows show these.
---@param images moonglass.Tensor uint8 [n x 784]
---@return table rows
---@return string words about what is held out
function data.of_own(images)
  local n = #images
  if n < enough then
    local few = "The net trains on all own pictures. From %d on, a fifth is held out as a test."
    return {train = images, test = images, key = images}, few:format(enough)
  end
  local held_out = n // held_out_of
  local train, test = images:rows(1, n - held_out), images:rows(n - held_out + 1, n)
  return {train = train, test = test, validation = test, key = images},
    ("The net trains on %d own pictures; the last %d are held out as a test."):format(n - held_out, held_out)
end

---Bytes as rows.
---@param bytes string n * 784 bytes
---@return moonglass.Tensor images uint8 [n x 784]
function data.images(bytes)
  local n = #bytes // width
  local images = moon.zeros(n, width, {dtype = "uint8"})
  for i = 1, n do
    images:rows(i, i):copy_(moon.tensor({{bytes:byte((i - 1) * width + 1, i * width)}}, {dtype = "uint8"}))
  end
  return images
end

data.width = width
return data
