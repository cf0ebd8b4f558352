-- Points in random order, divided: a share of them for training, but at least one; the others for the test.
local function divide(points, share, random)
  local shuffled, train, test = {}, {}, {}
  for i, point in ipairs(points) do shuffled[i] = point end
  random.shuffle(shuffled)
  local last = math.max(1, math.floor(#shuffled * share))
  for i, point in ipairs(shuffled) do
    local part = i <= last and train or test
    part[#part + 1] = point
  end
  return train, test
end

return divide
