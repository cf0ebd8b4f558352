-- Write the rows on which hosts_train.lua trains: hosts_rows.lua FILE [PART OF]: all, or part 1, 2, ... of so many.
local moon = require "moonglass"
local trainings = dofile "spec/mpi/trainings.lua"

local x = trainings.named("denoising, clipped").x
local part, of = tonumber(arg[2] or 1), tonumber(arg[3] or 1)
local first, last = x:size(1) * (part - 1) // of + 1, x:size(1) * part // of
assert(moon.safetensors.save(arg[1], {x = x:rows(first, last)}))
