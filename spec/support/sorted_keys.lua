--- The keys of a table, sorted: local sorted_keys = dofile "spec/support/sorted_keys.lua"
return function(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end
