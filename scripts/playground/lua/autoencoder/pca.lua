--- The event "pca": the same digits from principal components, as many as the code has numbers: the best that a linear
-- net could do.
local pixels = require "playground.autoencoder.pixels"
local principal = require "playground.autoencoder.principal"

return function(look)
  local first, kept = look.view.first, principal(look)
  local clean = look:digits()
  if kept.first ~= first then kept.first, kept.pictures = first, pixels.bytes(kept.pca:reconstruct(clean)) end
  return {
    k = look.settings.code, rows = #look.data.train, original = clean,
    net = pixels.bytes(look.net:reconstruct(clean)), pca = kept.pictures, pca_error = kept.pca_error,
    net_error = look.net:errors(look:test_rows(kept.error_rows)):mean(),
  }
end
