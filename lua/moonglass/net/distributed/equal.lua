--- What must be the same on all ranks of a distributed fit or evaluate: facts with a name and a text each. The first
-- one that differs from rank 0's is an error on all ranks, which names the rank, the fact and both texts.
local core = require "moonglass.core"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

local equal = {}

-- ---- facts ----

-- [rows x width], or [width] of each row if the ranks have rows of their own.
local function shape_of(t, sharded)
  if t == nil then return "not given" end
  if not sharded then return native.shape_text(t) end
  return ("rows of [%s] %s"):format(table.concat(t.shape, " x ", 2), t.dtype)
end

local function text_of(v) return type(v) == "table" and "{" .. table.concat(v, ", ") .. "}" or options.show(v) end

-- The options of a loss, an optimizer or a layer; lr is not among them: rank 0's is everyone's.
local function add_options(facts, noun, family, object)
  for _, option in ipairs(core.options(family, object:kind())) do
    if option.name ~= "lr" then
      facts[#facts + 1] = {("%s of %s"):format(option.name, noun), text_of(object[option.name])}
    end
  end
end

local function add_net(facts, net)
  facts[#facts + 1] = {"the number of layers", tostring(#net)}
  for i = 1, #net do
    local noun, layer = ("layer %d"):format(i), net:layer(i)
    facts[#facts + 1] = {noun, layer:kind()}
    add_options(facts, noun, "layers", layer)
  end
  facts[#facts + 1] = {"the net", tostring(net)} -- also to which layer weights are tied
end

local sampled = 64

-- A number for some rows of t, evenly spread, or the first ones of a source; "" where the ranks may have other rows.
local function contents(t, sharded)
  if t == nil or sharded then return "" end
  local list, n = {}, #t
  if native.is_source(t) then return ("%x"):format(core.digest{rows.batch(t, 1, math.min(sampled, n))}) end
  for i = 1, math.min(sampled, n) do list[i] = (i - 1) * (n - 1) // math.max(math.min(sampled, n) - 1, 1) + 1 end
  return ("%x"):format(core.digest{t:index(list)})
end

local same_rows = "give all ranks the same rows, or sharded = true if each has rows of its own"

-- Rows and targets, their shapes first.
local function add_rows(facts, names, tensors, sharded)
  for i, name in ipairs(names) do
    facts[#facts + 1] = {name, shape_of(tensors[i], sharded), hint = not sharded and same_rows or nil}
  end
  for i, name in ipairs(names) do
    facts[#facts + 1] = {name, contents(tensors[i], sharded), hidden = true, hint = same_rows}
  end
end

--- The facts about rows, net and loss, which fit and evaluate share. tensors: those of x, y, ...; names: theirs.
function equal.facts(net, loss, names, tensors, sharded)
  local facts = {}
  add_net(facts, net)
  facts[#facts + 1] = {"loss", loss:kind()}
  if loss:kind() == "heads" then facts[#facts + 1] = {"the heads of the loss", tostring(loss)} end
  add_options(facts, "the loss", "losses", loss)
  add_rows(facts, names, tensors, sharded)
  return facts
end

function equal.add(facts, name, v) facts[#facts + 1] = {name, text_of(v)} end

function equal.add_optimizer(facts, opt)
  facts[#facts + 1] = {"optimizer", opt:kind()}
  add_options(facts, "the optimizer", "optimizers", opt)
end

-- ---- comparing ----

local function difference(what, fact, theirs)
  local hint = fact.hint or "give all ranks the same"
  if fact.hidden then return ("%s: %s has not the contents that it has on rank 0: %s"):format(what, fact[1], hint) end
  return ("%s: %s is %s, but %s on rank 0: %s"):format(what, fact[1], fact[2], theirs, hint)
end

--- Raises on all ranks if a fact of any of them is not rank 0's.
function equal.check(group, facts)
  local texts = {}
  for i, fact in ipairs(facts) do texts[i] = fact[2] end
  local first, message = group:from_first(texts), nil
  for i, fact in ipairs(facts) do
    if fact[2] ~= first[i] then
      message = difference(group.what, fact, first[i])
      break
    end
  end
  group:agree(message == nil, message)
end

return equal
