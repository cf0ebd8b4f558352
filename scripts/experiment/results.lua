--- What a script leaves: methods of a run. Whatever fails raises a text for the person who called the script.
local moon = require "moonglass"
local files = require "experiment.files"

local results = {}

local function must(value, message)
  if not value then error(message, 0) end
  return value
end

-- ---- files ----

function results:path(name) return self.options.out .. "/" .. name end

-- caption: what the file shows, for the page that experiments.lua makes.
local function left(run, name, caption) run.made[#run.made + 1] = {name = name, caption = caption} end

function results:write(name, content, caption)
  must(files.write(self:path(name), content))
  left(self, name, caption)
  return true
end

--- The bytes of a file that the script has left.
function results:read(name)
  return must(files.read(self.name, self:path(name)))
end

--- A net, as <name>.safetensors.
function results:save(net, name)
  must(net:save(self:path(name .. ".safetensors")))
  left(self, name .. ".safetensors")
end

--- Tensors by name, as <name>.safetensors.
function results:save_tensors(name, tensors)
  must(moon.safetensors.save(self:path(name .. ".safetensors"), tensors))
  left(self, name .. ".safetensors")
end

--- A picture, uint8 [h x w] or [h x w x 3], as <name>.png.
function results:picture(name, picture, caption)
  must(moon.png.write(self:path(name .. ".png"), picture))
  left(self, name .. ".png", caption)
end

--- moon.plot[kind](<name>.png, ...), whose last argument, the options, may have a caption besides. Without gnuplot the
-- script says so once and goes on. Has it been drawn?
function results:plot(kind, name, ...)
  local arguments, choices = table.pack(...), {}
  for key, v in pairs(arguments[arguments.n]) do choices[key] = v end
  arguments[arguments.n], choices.caption = choices, nil
  local ok, message = moon.plot[kind](self:path(name .. ".png"), table.unpack(arguments, 1, arguments.n))
  if ok then
    left(self, name .. ".png", (select(-1, ...)).caption)
  elseif not self.no_plots then
    self.no_plots = true
    print(("no plots: %s"):format(message))
  end
  return ok
end

-- ---- numbers ----

--- A figure for the summary: a number, shown by a format.
function results:figure(name, value, format)
  self.figures[#self.figures + 1] = {name = name, value = value, text = (format or "%.4g"):format(value)}
end

--- A sentence about what is to be seen, with its numbers: printed, and on the page that experiments.lua makes.
function results:say(format, ...)
  local text = format:format(...)
  print(text)
  self.sentences[#self.sentences + 1] = text
end

--- The same for a remark, which comes behind all of these. Returns it.
function results:remark(format, ...)
  local text = format:format(...)
  print(text)
  self.remarks[#self.remarks + 1] = text
  return text
end

--- A table: rows, the first of them names; printed in columns and left as <name>.csv. formats[i] shows column i.
function results:table(name, rows, formats, caption)
  local lines, widths = {}, {}
  for i, row in ipairs(rows) do
    lines[i] = {}
    for k, v in ipairs(row) do
      local text = i > 1 and formats and formats[k] and formats[k]:format(v) or tostring(v)
      lines[i][k], widths[k] = text, math.max(widths[k] or 0, #text)
    end
  end
  for _, line in ipairs(lines) do
    for k, text in ipairs(line) do line[k] = (" "):rep(widths[k] - #text) .. text end
    print(table.concat(line, "  "))
  end
  self:write(name .. ".csv", files.csv(rows), caption)
end

--- Columns with their names, lists or tensors [n], left as <name>.csv: the numbers of a plot. A shorter one ends in
-- empty fields.
function results:columns(name, names, columns)
  local lists, rows, n = {}, {names}, 0
  for k, column in ipairs(columns) do
    lists[k] = type(column) == "table" and column or column:totable()
    n = math.max(n, #lists[k])
  end
  for i = 1, n do
    local row = {}
    for k, list in ipairs(lists) do row[k] = list[i] == nil and "" or list[i] end
    rows[i + 1] = row
  end
  self:write(name .. ".csv", files.csv(rows))
end

local mnist_images = 60000

--- Is it the whole of MNIST that the nets learn, so that published figures can stand beside the measured ones?
function results:is_mnist() return self.description:find("^MNIST in ") ~= nil and #self.train == mnist_images end

--- And do they learn it as the published ones did, by Adam at 0.001 in batches of 32? Losses can be compared only then.
function results:is_published_training()
  local o = self.options
  return self:is_mnist() and o.batch == 32 and o.lr == 0.001 and o.schedule == "none"
end

--- Published figures beside those of this run, left as published.csv: a list of {name, measured, published}. What was
-- not measured, nil, is left out. The caption says whose they are.
function results:published(list, caption)
  local rows = {{"figure", "here", "published"}}
  for _, row in pairs(list) do
    if row[2] then rows[#rows + 1] = row end
  end
  if #rows > 1 then self:table("published", rows, {nil, "%.4g", "%.4g"}, caption) end
end

--- Rows for `published` from the losses of epochs: published[epoch] = loss.
function results.epochs_beside(losses, published)
  local rows, epochs = {}, {}
  for epoch in pairs(published) do epochs[#epochs + 1] = epoch end
  table.sort(epochs)
  for _, epoch in ipairs(epochs) do
    if losses[epoch] then
      rows[#rows + 1] = {("training loss, epoch %d"):format(epoch), losses[epoch], published[epoch]}
    end
  end
  return rows
end

-- ---- the end ----

local widest = 100

-- "plain: this 1, that 2", in lines of at most so many characters.
local function summary(run)
  local lines = {run.name .. ":"}
  for i, f in ipairs(run.figures) do
    local text = (" %s %s%s"):format(f.name, f.text, i < #run.figures and "," or "")
    if #lines[#lines] + #text > widest then lines[#lines + 1] = " " end
    lines[#lines] = lines[#lines] .. text
  end
  return table.concat(lines, "\n")
end

-- What contents.txt says of each file and in sentences: a line each, its parts divided by tabs.
local function contents(run)
  local lines = {}
  local function add(...) lines[#lines + 1] = table.concat({...}, "\t") .. "\n" end
  if run.data then add("set", run.data) end
  for _, list in ipairs{run.sentences, run.remarks} do
    for _, text in ipairs(list) do add("seen", text) end
  end
  for _, file in ipairs(run.made) do add("file", file.name, file.caption or "") end
  return table.concat(lines)
end

--- Figures, contents and the list of files, at the end of a script.
function results:finish()
  if #self.figures > 0 then
    local rows = {{"figure", "value"}}
    for _, f in ipairs(self.figures) do rows[#rows + 1] = {f.name, f.value} end
    self:write("figures.csv", files.csv(rows), "The figures of this run")
    print(summary(self))
  end
  must(files.write(self:path("contents.txt"), contents(self)))
  local names = {}
  for i, file in ipairs(self.made) do names[i] = file.name end
  print(("in %s: %s"):format(self.options.out, table.concat(names, ", ")))
end

return results
