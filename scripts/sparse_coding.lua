-- Sparse coding beside the sparse autoencoder: the same principle. Both write an image x as a sum of a few out of 100
-- atoms, the rows of D, and minimise
--   F = 1/2 |x - z D|^2 + l1 |z|_1
-- Sparse coding searches the best code z of each image, in many steps of ISTA or FISTA. The autoencoder computes one in
-- a single step: from z = 0, a step of ISTA for codes >= 0 is relu(x D'/L - l1/L), a layer with ReLU.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "sparse_coding",
  about = "Learn a dictionary of atoms by FISTA, and a sparse autoencoder with as many units.",
  options = {
    {"atoms", 100, "atoms, and units of the autoencoder"},
    {"l1", 0.25, "weight of the sum of the absolute codes", "positive"},
    {"steps", 50, "steps of FISTA for a code"},
    {"passes", 5, "passes over the images for the dictionary"},
    {"signed", false, "codes of both signs, as in the literature; else >= 0, as the autoencoder's"},
  },
  defaults = {epochs = 20, batch = 128},
}
local o, train, test = run.options, run.train, run.test
local few = test:rows(1, math.min(500, #test)) -- the figures are means over these images

local function coding(more)
  local given = {l1 = o.l1, steps = o.steps, nonnegative = not o.signed}
  for name, value in pairs(more or {}) do given[name] = value end
  return given
end

-- ---- the dictionary: codes for the atoms, then atoms for the codes, in turns (with --distributed on every rank, so
-- that none has to wait) ----

local passes = {{"pass", "F"}}
local dictionary = moon.dictionary(train, coding{
  atoms = o.atoms, epochs = o.passes, seed = o.seed,
  on_epoch = function(d, pass)
    passes[pass + 1] = {pass, moon.dictionary.objective(few, d.atoms, d:encode(few), o.l1)}
    run:print(("dictionary, pass %d/%d  F %.3f"):format(pass, o.passes, passes[pass + 1][2]))
  end,
})
run:write("dictionary.csv", experiment.files.csv(passes))
run:save_tensors("dictionary", {atoms = dictionary.atoms})
local atoms, codes = dictionary.atoms, dictionary:encode(few)

-- ---- the autoencoder: the same F, with W' for D. The loss has no 1/2, and so the penalty is twice as large ----

local encoder = moon.dense(train:size(2), o.atoms, {activation = "relu", activity_l1 = 2 * o.l1})
local decoder = moon.dense(o.atoms, train:size(2), {tied = encoder, bias = false})
local ae = run:fit(moon.autoencoder{encoder = {encoder}, decoder = {decoder}},
  {loss = moon.mse{reduction = "batchmean"}})
if not run.first then return end -- with --distributed rank 0 makes the rest

-- z D stays the same when an atom is divided by its length and its codes are multiplied by it.
local weight = ae:layer(1).weight
local lengths = weight:square():sum(1):sqrt_()
local units, guess = (weight / lengths):t(), ae:encode(few) * lengths

-- ---- both; and the best codes for the autoencoder's atoms: is its loss due to its atoms, or to its codes? ----

local function judged(name, d, z)
  local used, difference = z:ne(0), z:matmul(d):sub_(few / 255)
  return {name, 1 - used:mean(), used:sum() / #few, used:max(1):eq(0):sum(), difference:square():sum() / #few,
    moon.dictionary.objective(few, d, z, o.l1)}
end

local rows = {
  {"codes of an image", "zeros", "atoms used", "never used", "squared error", "F"},
  judged("dictionary, FISTA", atoms, codes),
  judged("autoencoder, its own", units, guess),
  judged("autoencoder's atoms, FISTA", units, moon.dictionary.codes(few, units, coding())),
}
run:table("codes", rows, {nil, "%.3f", "%.1f", "%d", "%.2f", "%.3f"},
  ("Codes of %d test images; F is the objective that both minimise"):format(#few))
run:say("The dictionary needs %.0f atoms for an image and leaves a squared error of %.1f, the autoencoder %.0f units "
  .. "and %.1f.", rows[2][3], rows[2][5], rows[3][3], rows[3][5])
local dead = run:dead_units(ae, train, "autoencoder")
local unused = moon.metrics.dead_units(dictionary:encode(test))
for i, name in ipairs{"dictionary", "autoencoder"} do
  run:figure(name .. " zeros", rows[i + 1][2], "%.3f")
  run:figure(name .. " squared error", rows[i + 1][5], "%.2f")
  run:figure(name .. " F", rows[i + 1][6], "%.2f")
end

-- ---- F after each step of ISTA and of FISTA, from z = 0 ----

local function objectives(d, method, steps)
  return select(2, moon.dictionary.codes(few, d, coding{method = method, steps = steps, record = true}))
end
local steps = 4 * o.steps
local least = objectives(atoms, "fista", 5 * steps)[5 * steps]
local curves = {}
for i, method in ipairs{"ista", "fista"} do
  local above = objectives(atoms, method, steps)
  for k, value in ipairs(above) do above[k] = math.max(value - least, 1e-6) end -- float32 resolves no less
  curves[i] = {y = above, label = method:upper()}
  run:figure(("%s after %d steps above the least F by"):format(method:upper(), o.steps), above[o.steps], "%.2g")
end
run:columns("convergence", {"ISTA", "FISTA"}, {curves[1].y, curves[2].y}) -- a row for each step
run:plot("lines", "convergence", curves, {
  title = "F above its least value", xlabel = "step", ylabel = "F above its least value", logy = true,
  caption = "F after each step from codes of 0: FISTA needs far fewer steps than ISTA",
})

local worth = 0
for _, value in ipairs(objectives(units, "ista", steps)) do worth = worth + (value > rows[3][6] and 1 or 0) end
run:figure("steps of ISTA that do not reach the autoencoder's guess", worth, "%d")

-- ---- pictures; atoms.png has the dictionary's on the left, the autoencoder's on the right ----

run:picture("atoms", run.beside(run:filters(atoms, unused, "atoms of the dictionary"),
  run:filters(units, dead[1], "units of the autoencoder")),
  "Atoms of the dictionary, and weights of the autoencoder's units. " .. run.filters_caption)
local shown = math.min(20, #few)
run:picture("reconstructions", moon.image.rows(
  {few:rows(1, shown), dictionary:decode(codes:rows(1, shown)), ae:predict(few:rows(1, shown))},
  {scale = 2, titles = {"original", "dictionary", "autoencoder"}}), "Test images, and what both make of them")
