--- lua/moonglass/help/meta.lua, a file of LuaCATS stubs, out of the blocks that stand beside the code:
-- stubs.write(blocks) -> text. An entry's section is the class or the table that it belongs to or makes: `moon.zeros`,
-- which gives a Tensor, is among Tensor's.
local stubs = {}

local head = [[
---@meta moonglass

-- Made by `make reference` from the comments beside the code: do not edit. CONTRIBUTING.md says how to document a
-- function. Editors, `help` and the reference read this file; nothing runs it.
]]

-- The sections that come first; the others follow in the order of the files, and `moon` ends the list.
local first = {"Tensor", "Layer", "Loss", "Optimizer", "Net", "Dataset", "moon.callbacks", "moon.checkpoint",
  "moon.autoencoder", "Autoencoder", "Variational"}

-- ---- classes ----

local function find_classes(blocks)
  local classes = {}
  for _, block in ipairs(blocks) do
    if block.class and (#block.doc > 0 or not classes[block.class]) then classes[block.class] = block end
  end
  return classes
end

-- The owner of a path: "moon.metrics.mse" -> "moon.metrics".
local function owner_of(path) return path:match("^(.*)[.:][%w_]+$") end

-- The parents of a class, by name.
local function parents_of(block)
  for _, tag in ipairs(block.tags) do
    local parents = tag:match("^class [%w_.]+:%s*(.*)$")
    if parents then return parents end
  end
  return ""
end

-- ---- sections ----

-- Public paths of what functions are called on: {["moon.metrics"] = true, Tensor = true, ...}
local function find_owners(blocks)
  local owners = {moon = true}
  for _, block in ipairs(blocks) do
    if block.path then owners[owner_of(block.path)] = true end
  end
  return owners
end

-- The section of what a function gives first: a class with methods, or one that such a class is the parent of.
local function section_of_result(block, classes, owners)
  for _, tag in ipairs(block.tags) do
    local class = classes[tag:match("^return (moonglass%.%u%w*)")]
    while class do
      if owners[class.name] then return class.name end
      class = classes[parents_of(class):match("^moonglass%.%u%w*")]
    end
    if tag:find("^return") then return nil end
  end
end

-- Where each block stands: its section, and in a class's section what makes its objects (1) before its methods (2).
-- A class without functions goes with what follows it in its file, or else with what is before it.
local function place(blocks)
  local classes, owners = find_classes(blocks), find_owners(blocks)
  for _, block in ipairs(blocks) do
    if block.path then
      local owner = owner_of(block.path)
      block.section = owner == "moon" and section_of_result(block, classes, owners) or owner
      block.group = owner == block.section and 2 or 1
    elseif owners[block.name] then
      block.section, block.group = block.name, 0
    end
  end
  local function spread(from, to, step)
    local last
    for i = from, to, step do
      if last and last.file ~= blocks[i].file then last = nil end
      if blocks[i].section then
        last = blocks[i].path and blocks[i] or last
      elseif last then
        blocks[i].section, blocks[i].group = last.section, last.group
      end
    end
  end
  spread(#blocks, 1, -1)
  spread(1, #blocks, 1)
end

local function order_of_sections(blocks)
  local order, seen = {}, {moon = true}
  local function add(section)
    if not seen[section] then order[#order + 1] = section end
    seen[section] = true
  end
  for _, section in ipairs(first) do add(section) end
  for _, block in ipairs(blocks) do
    if not block.section then block.section, block.group = "moon", 0 end
    add(block.section)
  end
  order[#order + 1] = "moon"
  return order
end

-- ---- writing ----

local function write_block(out, block)
  for _, line in ipairs(block.doc) do out("---%s", line) end
  for _, tag in ipairs(block.tags) do out(tag:find("^|") and "---%s" or "---@%s", tag) end
end

-- The table that a class stands for, if it has functions.
local function write_table(out, name)
  out(name:find("[.:]") and "%s = {}" or "local %s = {}", name)
end

local function write_section(out, section, blocks, owners)
  out("\n-- ---- %s ----", section)
  local function write(block)
    out("")
    write_block(out, block)
    if block.path then
      out("function %s(%s) end", block.path, block.arguments)
    elseif owners[block.name] then
      write_table(out, block.name)
    end
    block.written = true
  end
  for group = 0, 2 do
    for _, block in ipairs(blocks) do
      if block.section == section and block.group == group and not (block.alias or block.written) then write(block) end
    end
  end
end

-- An opened class that has no words yet only names a table.
local function without_reopened(blocks)
  local list, classes = {}, find_classes(blocks)
  for _, block in ipairs(blocks) do
    if not block.class or classes[block.class] == block then list[#list + 1] = block end
  end
  return list
end

--- The file as a text.
function stubs.write(blocks)
  blocks = without_reopened(blocks)
  place(blocks)
  local lines, owners = {head:sub(1, -2)}, find_owners(blocks)
  local function out(format, ...) lines[#lines + 1] = format:format(...) end
  local sections = order_of_sections(blocks)
  local root = find_classes(blocks).moonglass
  if root then
    out("")
    write_block(out, root)
    root.written = true
  end
  out("local moon = {}\n\n-- ---- names ----\n")
  for _, block in ipairs(blocks) do
    if block.alias then write_block(out, block) end
  end
  for _, section in ipairs(sections) do write_section(out, section, blocks, owners) end
  out("\nreturn moon")
  return table.concat(lines, "\n") .. "\n"
end

return stubs
