--- Finds the part of a training step that a function belongs to, by the names that perf prints.
local parts = {}

-- The first pattern that matches counts. Our names are those of csrc/engine; some are in several files.
local known = {
  {"matrix products: packing", "^bli_.*pack"},
  {"matrix products: kernels", "^bli_.*_asm_", "^bli_.*_int_", "^bli_.*_ref$", "^whole_", "^masked_",
   "^turn$", "^transpose$"},
  {"matrix products: frame", "^bli_", "^mooni_gemm", "^mooni_product"},
  {"bias gradient", "^mooni_column_sums", "^mooni_add"},
  {"activation", "_forward$", "_backward$", "^mooni_act"},
  {"loss", "logit_rows", "logit_row", "probability_row", "^apply", "^mooni_loss", "_loss"},
  {"optimiser", "^update", "^mooni_optim", "^moon_optim", "^prepare$"},
  {"gather", "^mooni_from_bytes", "^mooni_gather", "^gather", "^mooni_rng_shuffle", "^moon_dataset_shuffle"},
  {"waiting for each other", "^wait_until", "^holds_soon", "^has_begun", "^is_over", "^is_shared", "^compute_parts",
   "^mooni_pool", "^sem_", "futex", "^sched_"},
  {"copies", "memcpy", "memmove", "memset"},
}

-- A function without a name, in a stripped library.
local by_library = {{"matrix products", "^libblis"}}

parts.other = "other"
parts.kernel = "the system"

--- The part that a function of a shared object belongs to.
function parts.of(object, symbol, in_kernel)
  if in_kernel then
    return symbol:find("futex", 1, true) and "waiting for each other" or parts.kernel
  end
  for _, part in ipairs(known) do
    for i = 2, #part do
      if symbol:find(part[i]) then return part[1] end
    end
  end
  for _, part in ipairs(by_library) do
    if object:find(part[2]) then return part[1] end
  end
  return parts.other
end

--- What `perf report -F sample,dso,sym -t ';'` prints, as a list of {samples=, object=, symbol=, part=}.
function parts.read(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    local samples, object, level, symbol = line:match("^%s*(%d+)%s*;%s*(.-)%s*;%s*%[(.)%]%s*(.-)%s*$")
    if samples then
      list[#list + 1] = {samples = tonumber(samples), object = object, symbol = symbol,
                         part = parts.of(object, symbol, level == "k")}
    end
  end
  return list
end

local function sorted(totals)
  local list = {}
  for name, v in pairs(totals) do list[#list + 1] = {name = name, samples = v} end
  table.sort(list, function(a, b)
    if a.samples ~= b.samples then return a.samples > b.samples end
    return a.name < b.name
  end)
  return list
end

--- Totals by a field, "part" or "symbol", the largest first: {name=, samples=}, and the sum of all.
function parts.totals(list, field)
  local totals, sum = {}, 0
  for _, entry in ipairs(list) do
    local name = entry[field]
    if field == "symbol" and name:find("^0x") then name = "(in " .. entry.object .. ")" end
    totals[name] = (totals[name] or 0) + entry.samples
    sum = sum + entry.samples
  end
  return sorted(totals), sum
end

return parts
