--- The likely cause of a loss that is not finite, in words, found in the data, the weights and the learning rate.
-- Targets that do not fit the loss are refused earlier, in compatibility.lua.
local branching = require "moonglass.net.branching"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local net_state = require "moonglass.net.state"
local describe = require "moonglass.net.describe"
local rows = require "moonglass.support.rows"

local divergence = {}

local function is_finite(v) return v - v == 0 end

-- The first row with a value that is not finite, found by bisection. t [rows x width].
local function bad_row(t)
  local first, last = 1, #t
  while first < last do
    local middle = (first + last) // 2
    if is_finite(t:rows(first, middle):sum()) then first = middle + 1 else last = middle end
  end
  return first
end

local function bad_element(t)
  for i = 1, #t do
    if not is_finite(t[i]) then return i, t[i] end
  end
end

local function word(v) return v ~= v and "nan" or "infinity" end

-- As many rows of a source as have so many elements are read again to find a cause; a tensor is searched as a whole.
local searched = 1 << 24

local function of_rows(t)
  if not native.is_source(t) then return t end
  return rows.batch(t, 1, math.max(1, math.min(#t, searched // t:size(2))))
end

-- "nan in row 3, column 2"; nil if all values are finite.
local function where_bad(t)
  if t.dtype ~= "float32" or #t == 0 or is_finite(t:sum()) then return nil end
  if t:rank() == 1 then
    local i, v = bad_element(t)
    return ("%s in element %d"):format(word(v), i)
  end
  local row = bad_row(t)
  local column, v = bad_element(t:rows(row, row):reshape(-1))
  return ("%s in row %d, column %d"):format(word(v), row, column)
end

-- The numbers of a run's tensor that count: missing cells are as 0.
local function counted(run, t)
  return run.mask and native.is_tensor(t) and t.dtype == "float32" and t:fill_nan(0) or t
end

-- "x has nan in row 3, column 2"
local function has(name, where)
  local advice = where:find("^nan") and " (mask = true leaves such cells out, fill_nan(v) fills them)" or ""
  return ("%s %s%s"):format(name, where, advice)
end

local function of_weights(net)
  for _, parameter in ipairs(net:parameters()) do
    local where = where_bad(parameter.value)
    if where then return ("%s had %s when fit began"):format(parameter.name, where) end
  end
end

local function range(t)
  if t.dtype ~= "float32" or #t == 0 then return 0, 1 end -- bytes count as value/255
  return t:min(), t:max()
end

local function learning_rate(opt)
  local lr = native.is_optimizer(opt) and opt.lr or type(opt) == "table" and rawget(opt, "lr")
  return type(lr) == "number" and (", %g,"):format(lr) or ""
end

-- ---- before any update ----

local function from_to(t) return ("from %.6g to %.6g"):format(t:min(), t:max()) end

local function weights_of(layer)
  local list = {}
  for _, parameter in ipairs(layer.parameters and layer:parameters() or {}) do
    list[#list + 1] = ("%s goes %s"):format(parameter.name, from_to(parameter.value))
  end
  return #list > 0 and ("; its %s"):format(table.concat(list, ", its ")) or ""
end

-- The first layer whose output is not finite, in words; or nil and the net's output.
local function bad_layer(net, x)
  local layers = {}
  for i = 1, #net do layers[i] = net:layer(i) end
  local list, numbers = branching.collapse(layers)
  for i, layer in ipairs(list) do
    local y = layer:forward(x, true)
    local where = where_bad(y)
    if where then
      return ("the output of layer %d (%s) has %s; its input goes %s%s"):format(numbers[i], describe.layer(layer),
        where, from_to(x), weights_of(layer))
    end
    x = y
  end
  return nil, x
end

local function of_output(net, x, target)
  local bad, y = bad_layer(net, x)
  if bad then return bad end
  if not is_finite(net:penalty()) then return "the penalty of the layers is not finite" end
  return ("the loss itself, of finite numbers: the output goes %s, the targets %s"):format(from_to(y), from_to(target))
end

-- Where in all rows; of a source, where in the batch: to find it among all could take as long as an epoch.
local function in_run(batch, all)
  if not native.is_source(all) then return where_bad(all) end
  return where_bad(batch) .. " of the batch"
end

--- The cause before any update, when it cannot be the learning rate. x, y: the batch.
function divergence.at_first(run, x, y)
  x, y = counted(run, x), y and counted(run, y)
  local where = where_bad(x) and in_run(x, counted(run, run.x))
  if where then return has("x has", where) end
  where = y and where_bad(y) and in_run(y, counted(run, run.y))
  if where then return has("the targets have", where) end
  local weights = not run.began_finite and of_weights(run.net)
  if weights then return weights end
  local restore = net_state.keep_buffers(run.net)
  local ok, words = errors.caught(of_output, run.net, x, y or x)
  restore()
  return ok and words or ("a layer raised an error when asked again: %s"):format(tostring(words))
end

-- ---- later ----

local usual = 10 -- standardised data lies within -10 to 10

-- A weight of rows multiplies the gradient, and so the learning rate.
local heavy = 100

local function of_size(run, x)
  local low, high = range(x)
  local largest = run.tensors and run.tensors[3] and run.tensors[3]:max() or 0
  if largest > heavy then
    return ("the weights of rows go up to %.6g, so that the learning rate%s is too high: scale them to a mean of 1")
      :format(largest, learning_rate(run.opt))
  end
  local rate = ("the learning rate%s is probably too high"):format(learning_rate(run.opt))
  if low >= 0 and high <= 1 then return rate end
  local goes = ("x goes from %.6g to %.6g"):format(low, high)
  if low >= -usual and high <= usual then return ("%s (%s, not in [0, 1])"):format(rate, goes) end
  return ("%s, not in [0, 1]: scale it; or %s"):format(goes, rate)
end

--- The cause after an update. run: net, x, y (nil: the target is x), loss, opt; began_finite: were all weights finite
-- when fit began?
function divergence.cause(run)
  local x = counted(run, of_rows(run.x))
  local where = where_bad(x)
  if where then return has("x has", where) end
  where = run.y and where_bad(counted(run, of_rows(run.y)))
  if where then return has("the targets have", where) end
  return not run.began_finite and of_weights(run.net) or of_size(run, x)
end

return divergence
