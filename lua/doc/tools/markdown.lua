--- Markdown, as far as this project's pages use it: links, anchors and blocks of code for the specs, and HTML for
-- make docs.
local markdown = {}

-- ---- lines ----

-- Calls f(line, number, fenced); fenced is the word behind the fence that the line is in, nil outside of code.
local function each_line(text, f)
  local fence, number = nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local mark = line:match("^```(.*)$")
    if mark then
      fence = not fence and mark or nil
    else
      f(line, number, fence)
    end
  end
  return not fence
end

-- The cells of a line of a table.
local function cells(line)
  local list = {}
  line = line:gsub("\\|", "\3"):gsub("^%s*|", ""):gsub("|%s*$", "")
  for cell in (line .. "|"):gmatch("(.-)|") do list[#list + 1] = cell:gsub("\3", "|"):match("^%s*(.-)%s*$") end
  return list
end

--- The programs in a page, a list of {line =, text =}: the blocks marked with that word, each with those behind it that
-- are marked "lua continued". Of a table whose second column is headed "Moonglass" that column belongs to the program,
-- line by line, as calls of row(line number, code). A block that is not closed raises.
function markdown.programs(text, mark)
  local list, in_table, last = {}, false, nil
  local closed = each_line(text .. "\n", function(line, number, fence)
    in_table = fence == nil and line:find("^|") and (in_table or cells(line)[2] == "Moonglass")
    local program = list[#list]
    if fence == mark or fence == mark .. " continued" then
      if fence == mark and number ~= (last or 0) + 1 then
        program = {line = number - 1, text = ""}
        list[#list + 1] = program
      end
      program.text, last = program.text .. line .. "\n", number
    elseif in_table and program then
      local code = cells(line)[2]:match("^`(.*)`$")
      if code then program.text = program.text .. ("row(%d, %q)\n"):format(number, code) end
    end
  end)
  if not closed then error("a block is not closed", 2) end
  return list
end

-- ---- anchors and links ----

-- A heading's text without markup.
local function plain(text) return (text:gsub("!?%[(.-)%]%b()", "%1"):gsub("`", ""):gsub("%*%*", "")) end

--- The anchor that a heading gets: GitHub's rule.
function markdown.slug(heading)
  local words = plain(heading):lower():gsub("[^%w%s%-_\128-\255]", "")
  return (words:gsub("%s", "-"))
end

--- The headings: a list of {level =, text =, anchor =}; of equal ones the second has "-1" behind its anchor.
function markdown.headings(text)
  local list, seen = {}, {}
  each_line(text, function(line, _, fence)
    local marks, heading = line:match("^(#+)%s+(.*)$")
    if fence or not marks then return end
    local slug = markdown.slug(heading)
    local anchor = seen[slug] and ("%s-%d"):format(slug, seen[slug]) or slug
    seen[slug] = (seen[slug] or 0) + 1
    list[#list + 1] = {level = #marks, text = heading, anchor = anchor}
  end)
  return list
end

--- The targets of links and pictures, outside of code.
function markdown.links(text)
  local list, outside = {}, {}
  each_line(text, function(line, _, fence)
    if not fence then outside[#outside + 1] = line:gsub("`[^`]*`", "") end
  end)
  for target in table.concat(outside, "\n"):gmatch("%]%(([^%s)]+)%)") do list[#list + 1] = target end
  return list
end

-- ---- HTML ----

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

local function escape(text) return (text:gsub('[&<>"]', entities)) end

-- Text with markup. Code is set aside first, because nothing in it is markup.
local function inline(text, link)
  local kept = {}
  local function keep(html)
    kept[#kept + 1] = html
    return ("\1%d\2"):format(#kept)
  end
  text = text:gsub("`([^`]+)`", function(code) return keep("<code>" .. escape(code) .. "</code>") end)
  text = escape(text:gsub("\\([|*_#])", "%1"))
  text = text:gsub("!%[(.-)%]%(([^%s)]+)%)", function(alt, target)
    return keep(('<img alt="%s" src="%s">'):format(alt, link(target)))
  end)
  text = text:gsub("%[([^%[%]]-)%]%(([^%s)]+)%)", function(words, target)
    return ('%s%s</a>'):format(keep(('<a href="%s">'):format(link(target))), words)
  end)
  text = text:gsub("%*%*(.-)%*%*", "<strong>%1</strong>"):gsub("%f[%w*]%*([^%s*][^*]*)%*", "<em>%1</em>")
  return (text:gsub("\1(%d+)\2", function(i) return kept[tonumber(i)] end))
end

local function table_html(lines, link)
  local out = {"<table>"}
  for i, line in ipairs(lines) do
    local row, tag = {}, i == 1 and "th" or "td"
    for k, cell in ipairs(cells(line)) do row[k] = ("<%s>%s</%s>"):format(tag, inline(cell, link), tag) end
    if i ~= 2 then out[#out + 1] = "<tr>" .. table.concat(row) .. "</tr>" end -- the second line is the rule
  end
  return table.concat(out, "\n") .. "\n</table>"
end

local function list_html(lines, link)
  local items, ordered = {}, lines[1]:find("^%d") ~= nil
  for _, line in ipairs(lines) do
    local item = line:match("^[*-]%s+(.*)$") or line:match("^%d+%.%s+(.*)$")
    if item then items[#items + 1] = item else items[#items] = items[#items] .. "\n" .. line:match("^%s*(.*)$") end
  end
  for i, item in ipairs(items) do items[i] = "<li>" .. inline(item, link) .. "</li>" end
  local tag = ordered and "ol" or "ul"
  return ("<%s>\n%s\n</%s>"):format(tag, table.concat(items, "\n"), tag)
end

-- The first line of a paragraph tells what it is: a table, a list, a quotation or text.
local function paragraph_html(lines, link)
  local first = lines[1]
  if first:find("^|") then return table_html(lines, link) end
  if first:find("^[*-]%s") or first:find("^%d+%.%s") then return list_html(lines, link) end
  if first:find("^>%s?") then
    for i, line in ipairs(lines) do lines[i] = line:gsub("^>%s?", "") end
    return "<blockquote>" .. inline(table.concat(lines, "\n"), link) .. "</blockquote>"
  end
  return "<p>" .. inline(table.concat(lines, "\n"), link) .. "</p>"
end

--- The body of a page as HTML. link(target) returns the address that a link gets.
function markdown.html(text, link)
  local out, paragraph, code, heading = {}, {}, nil, 0
  local headings = markdown.headings(text)
  local function close()
    if #paragraph > 0 then out[#out + 1] = paragraph_html(paragraph, link) end
    paragraph = {}
    if code then out[#out + 1] = "<pre><code>" .. escape(table.concat(code, "\n")) .. "</code></pre>" end
    code = nil
  end
  local number = 0
  each_line(text, function(line, at, fence)
    if at ~= number + 1 then close() end -- there was a fence
    number = at
    if fence then
      code = code or {}
      code[#code + 1] = line
    elseif line:find("^#+%s") then
      close()
      heading = heading + 1
      local h = headings[heading]
      out[#out + 1] = ('<h%d id="%s">%s</h%d>'):format(h.level, h.anchor, inline(h.text, link), h.level)
    elseif line == "" then
      close()
    else
      paragraph[#paragraph + 1] = line
    end
  end)
  close()
  return table.concat(out, "\n")
end

return markdown
