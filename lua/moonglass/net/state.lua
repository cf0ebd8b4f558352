--- What training changes in a net: its parameters, and the buffers that layers keep beside them, such as the running
-- statistics of batch_norm.
local state = {}

--- The tensors of all parameters, then those of all buffers: live, always in the same order.
function state.tensors(net)
  local list = {}
  for _, parameter in ipairs(net:parameters()) do list[#list + 1] = parameter.value end
  for _, buffer in ipairs(net:buffers()) do list[#list + 1] = buffer.value end
  return list
end

--- Copies the buffers. Returns a function that puts them back.
function state.keep_buffers(net)
  local buffers = net:buffers()
  local kept = {}
  for i, buffer in ipairs(buffers) do kept[i] = buffer.value:clone() end
  return function()
    for i, buffer in ipairs(buffers) do buffer.value:copy_(kept[i]) end
  end
end

return state
