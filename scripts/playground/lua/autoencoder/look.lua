--- What the panels of an autoencoder look at: the net, its rows, what the visitor chose. What several panels need in
-- one frame is computed once; what belongs to the rows alone is kept from frame to frame.
local nets = require "playground.autoencoder.nets"
local noise = require "playground.autoencoder.noise"

local Look = {}
Look.__index = Look

-- Seeds of the noise in pictures: a drawing has one, the shown digits one for each first row.
local drawing_seed, digits_seed = 1, 2

local function shown(self)
  local first = self.view.first
  return self.data.test:rows(first, math.min(first + 9, #self.data.test))
end

---The rows that the panel "digits" shows, at most ten.
---@return moonglass.Tensor clean uint8 [n x 784]
---@return moonglass.Tensor? noisy what a denoising net sees
function Look:digits()
  local s, first = self.settings, self.view.first
  if s.kind ~= "denoising" then return shown(self) end
  if self.noisy_first ~= first then
    self.noisy_first, self.noisy = first, noise.spoil(s.noise, s.noise_level, digits_seed + first, shown(self))
  end
  return shown(self), self.noisy
end

---The picture whose code is looked at: the drawing, else the chosen test row.
---@return moonglass.Tensor clean uint8 [1 x 784]
---@return moonglass.Tensor? noisy what the net sees, if noise is put on the drawing
function Look:picture()
  local view = self.view
  if not view.drawing then return self.data.test:rows(view.row, view.row) end
  if view.draw_noise == 0 then return view.drawing end
  if not view.noisy_drawing then
    local s = self.settings
    local kind = s.kind == "denoising" and s.noise or "gaussian"
    view.noisy_drawing = noise.spoil(kind, view.draw_noise, drawing_seed, view.drawing)
  end
  return view.drawing, view.noisy_drawing
end

---The codes of the first `count` test rows, or of all, [n x k]. A variational net's code is its mean.
function Look:codes(count)
  local memo = self.memo
  if not memo[count] then memo[count] = (self.net:encode(self:test_rows(count))) end
  return memo[count]
end

---The number of the first dense layer: noise may stand before it.
function Look:first_dense()
  for i = 1, #self.net do
    if self.net:layer(i):kind() == "dense" then return i end
  end
end

---The mean squared error of each row.
---@param clean moonglass.Tensor uint8 [n x 784]
---@param made moonglass.Tensor? what the net made of noisy rows; else it is given the clean ones
---@return moonglass.Tensor errors [n]
function Look:errors(clean, made)
  if not made then return self.net:errors(clean) end
  return (made - clean:float() / 255):square_():mean(2)
end

---A new loss of the kind that the net is trained with.
function Look:loss() return nets.loss(self.settings) end

---The first `count` test rows, or all.
function Look:test_rows(count) return self.data.test:rows(1, math.min(count, #self.data.test)) end

---A new frame: the weights may be others now.
function Look:refresh() self.memo = {} end

---@param net moonglass.Autoencoder
---@param settings table the room's
---@param data table {train, test, train_labels?, test_labels?}: uint8 [n x 784], [n]
---@param view table what was chosen: first, row, drawing, draw_noise, held
---@param kept table what belongs to the rows, for another net too
return function(net, settings, data, view, kept)
  return setmetatable({net = net, settings = settings, data = data, view = view, kept = kept, memo = {}}, Look)
end
