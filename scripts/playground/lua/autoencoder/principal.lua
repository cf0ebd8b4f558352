--- Principal components of the training rows, as many as the code has numbers, and their error on test rows. They are
-- computed once for the same rows: that of all 128 gives those of fewer, too.
local moon = require "moonglass"

local largest_code, error_rows = 128, 500

-- The first k of the components.
local function first_of(pca, k)
  local fewer = {}
  for name, v in pairs(pca) do fewer[name] = v end
  fewer.components = pca.components:rows(1, k)
  fewer.variance, fewer.explained_ratio = pca.variance:rows(1, k), pca.explained_ratio:rows(1, k)
  return setmetatable(fewer, getmetatable(pca))
end

---@return table kept with pca, pca_error, and error_rows: the number of rows that it is the error of
return function(look)
  local kept, k = look.kept, look.settings.code
  if kept.key ~= look.data.key then
    kept.key, kept.all, kept.k = look.data.key, moon.pca(look.data.train, largest_code), nil
  end
  if kept.k ~= k then
    kept.k, kept.pca, kept.first = k, first_of(kept.all, k), nil
    kept.error_rows = error_rows
    kept.pca_error = kept.pca:errors(look:test_rows(error_rows)):mean()
  end
  return kept
end
