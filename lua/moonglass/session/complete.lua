--- Completion by Tab: complete(before, line) -> text to insert, text to list.
--   before   the finished lines of the chunk; line: the present line up to the cursor
local candidates = require "moonglass.session.candidates"
local terminal = require "moonglass.support.terminal"

local max_listed = 200

local function common_start(list)
  local start = list[1]
  for i = 2, #list do
    while list[i]:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  -- It must not end in the middle of a character.
  while #start > 0 and not utf8.len(start) and utf8.len(list[1]) do start = start:sub(1, -2) end
  return start
end

-- The list in columns from top to bottom, as wide as the terminal.
local function columns_of(list)
  local widest, count = 0, math.min(#list, max_listed)
  for i = 1, count do widest = math.max(widest, utf8.len(list[i]) or #list[i]) end
  local _, width = terminal.size()
  local columns = math.max(1, (width - 1) // (widest + 2))
  local rows, lines = (count + columns - 1) // columns, {}
  for r = 1, rows do
    local cells = {}
    for i = r, count, rows do
      cells[#cells + 1] = list[i] .. (" "):rep(widest + 2 - (utf8.len(list[i]) or #list[i]))
    end
    lines[r] = table.concat(cells):gsub(" +$", "")
  end
  if #list > count then lines[#lines + 1] = ("... %d more"):format(#list - count) end
  return table.concat(lines, "\n")
end

-- Inserts what all names have in common; if that is nothing, lists them. A single name gets the suffix.
local function offer(list, prefix, suffix)
  if #list == 0 then return "" end
  local rest = common_start(list):sub(#prefix + 1)
  if #list == 1 then return rest .. (suffix or "") end
  if rest ~= "" then return rest end
  return "", columns_of(list)
end

return function(before, line)
  if not line:find("%S") then return "  " end -- an indent
  local help_prefix = before == "" and line:match("^%s*%?%s*(.*)$")
  local list, prefix, suffix = candidates(help_prefix or before .. line)
  if not list then return "", prefix end
  return offer(list, prefix, suffix)
end
