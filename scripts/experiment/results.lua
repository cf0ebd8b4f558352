--- The results of a script, as methods of a run. A failure raises a text for the person who called the script.
local moon = require "moonglass"
local files = require "experiment.files"

local results = {}

local function must(value, message)
  if not value then error(message, 0) end
  return value
end

-- What prints or writes: with --distributed only rank 0 does.
results.leaving = {
  "print", "write", "save", "save_tensors", "picture", "plot", "figure", "say", "remark", "table", "columns",
  "published", "finish",
}

function results.print(_, ...) print(...) end

-- ---- files ----

function results:path(name) return self.options.out .. "/" .. name end

-- Records a file. caption: what it shows, for the page of experiments.lua.
local function left(run, name, caption) run.made[#run.made + 1] = {name = name, caption = caption} end

function results:write(name, content, caption)
  must(files.write(self:path(name), content))
  left(self, name, caption)
  return true
end

--- The bytes of a file that the script has written.
function results:read(name)
  return must(files.read(self.name, self:path(name)))
end

--- Saves a net as <name>.safetensors.
function results:save(net, name)
  must(net:save(self:path(name .. ".safetensors")))
  left(self, name .. ".safetensors")
end

--- Saves tensors by name as <name>.safetensors.
function results:save_tensors(name, tensors)
  must(moon.safetensors.save(self:path(name .. ".safetensors"), tensors))
  left(self, name .. ".safetensors")
end

--- Writes a picture, uint8 [h x w] or [h x w x 3], as <name>.png.
function results:picture(name, picture, caption)
  must(moon.png.write(self:path(name .. ".png"), picture))
  left(self, name .. ".png", caption)
end

--- moon.plot[kind](<name>.png, ...). The last argument, the options, may also have a caption. Without gnuplot the
-- script says so once and continues. Returns true if the plot was drawn.
function results:plot(kind, name, ...)
  local arguments, choices = table.pack(...), {}
  for key, v in pairs(arguments[arguments.n]) do choices[key] = v end
  arguments[arguments.n], choices.caption = choices, nil
  local ok, message = moon.plot[kind](self:path(name .. ".png"), table.unpack(arguments, 1, arguments.n))
  if ok then
    left(self, name .. ".png", (select(-1, ...)).caption)
  elseif not self.no_plots then
    self.no_plots = true
    self:print(("no plots: %s"):format(message))
  end
  return ok
end

-- ---- numbers ----

--- Adds a figure to the summary: a number and its format.
function results:figure(name, value, format)
  self.figures[#self.figures + 1] = {name = name, value = value, text = (format or "%.4g"):format(value)}
end

--- Prints a sentence about the results, and puts it on the page of experiments.lua.
function results:say(format, ...)
  local text = format:format(...)
  self:print(text)
  self.sentences[#self.sentences + 1] = text
end

--- The same for a remark, which comes after all sentences. Returns it.
function results:remark(format, ...)
  local text = format:format(...)
  self:print(text)
  self.remarks[#self.remarks + 1] = text
  return text
end

--- Prints a table in columns and writes it as <name>.csv. The first row has the names; formats[i] is that of column i.
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
    self:print(table.concat(line, "  "))
  end
  self:write(name .. ".csv", files.csv(rows), caption)
end

--- Writes named columns, lists or tensors [n], as <name>.csv: the numbers of a plot. A shorter column ends with empty
-- fields.
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

--- Do the nets learn the whole of MNIST, so that the results can be compared with published ones?
function results:is_mnist() return self.description:find("^MNIST in ") ~= nil and #self.train == mnist_images end

--- And do they learn it as the published nets did, by Adam at 0.001 in batches of 32? Only then losses can be compared.
function results:is_published_training()
  local o = self.options
  return self:is_mnist() and o.batch == 32 and o.lr == 0.001 and o.schedule == "none"
end

--- Writes published figures beside those of this run as published.csv: a list of {name, measured, published}. Rows
-- without a measured figure are left out. The caption names the source.
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

-- "plain: this 1, that 2", in lines of at most `widest` characters.
local function summary(run)
  local lines = {run.name .. ":"}
  for i, f in ipairs(run.figures) do
    local text = (" %s %s%s"):format(f.name, f.text, i < #run.figures and "," or "")
    if #lines[#lines] + #text > widest then lines[#lines + 1] = " " end
    lines[#lines] = lines[#lines] .. text
  end
  return table.concat(lines, "\n")
end

-- The text of contents.txt: one line for the data set, each sentence and each file, with tabs between its parts.
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

--- Writes figures and contents, and prints the list of files, at the end of a script.
function results:finish()
  if #self.figures > 0 then
    local rows = {{"figure", "value"}}
    for _, f in ipairs(self.figures) do rows[#rows + 1] = {f.name, f.value} end
    self:write("figures.csv", files.csv(rows), "The figures of this run")
    self:print(summary(self))
  end
  must(files.write(self:path("contents.txt"), contents(self)))
  local names = {}
  for i, file in ipairs(self.made) do names[i] = file.name end
  self:print(("in %s: %s"):format(self.options.out, table.concat(names, ", ")))
end

return results
