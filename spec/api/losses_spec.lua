-- Losses against their formulas in double precision, with each reduction. gradcheck_spec tests the gradients.
local moon = require "moonglass"
local formulas = dofile "spec/support/formulas.lua"

-- The sum over a row of predictions and targets.
local function of_row(formula, p, t)
  if formula.row then return formula.row(p, t) end
  local sum = 0
  for i, v in ipairs(p) do sum = sum + formula.element(v, t[i]) end
  return sum
end

-- {mean =, batchmean =, sum =}
local function reduced(formula, p, t)
  local sum, elements = 0, formula.row and 1 or #p[1]
  for i, row in ipairs(p) do sum = sum + of_row(formula, row, t[i]) end
  return {mean = sum / #p / elements, batchmean = sum / #p, sum = sum}
end

describe("the loss", function()
  for name, formula in pairs(formulas.losses) do
    it(name .. " is its formula, with each reduction that it has, at every width", function()
      moon.seed(4)
      for _, width in ipairs{1, 7, 33, 1000} do
        local p, t = moon.rand(5, width) * 0.9 + 0.05, moon.rand(5, width)
        local expected = reduced(formula, p:totable(), t:totable())
        assert.near(expected.mean, moon[name]():forward(p, t), 1e-5 * (1 + expected.mean))
        for reduction, v in pairs(expected) do
          local ok, loss = pcall(moon.loss, name, {reduction = reduction})
          if ok then assert.near(v, loss:forward(p, t), 1e-5 * (1 + v), reduction) end
        end
      end
    end)
  end
end)
