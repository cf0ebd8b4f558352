-- A script for scripted.c: it gets a net and rows, and returns a tensor for the host. sandbox.lua defines what it sees.
local net, x = ...

local errors = net:errors(x)
print(("%d rows of %d numbers; squared error %.4f on the mean, %.4f at most"):format(#x, x:size(2), errors:mean(),
  errors:max()))
return net:predict(x)
