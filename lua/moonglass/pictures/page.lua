--- A page of text, tables and pictures as one HTML file, for the results of an experiment.
--   local page = moon.page("Autoencoders on MNIST")
--   page:heading("The data")   page:text("...")   page:code("...")   page:table(rows)   page:picture(png, "caption")
--   page:contents()   page:link("log.txt", "all that it printed")   page:html()
-- Whatever is given is text: it is escaped, and nothing of it becomes markup.
local arity = require "moonglass.support.arity"
local base64 = require "moonglass.support.base64"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"


local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

local function escape(v) return (tostring(v):gsub('[&<>"]', entities)) end

---Text, tables and pictures as one HTML file. What is given is escaped: none of it becomes markup.
---@class moonglass.Page
local Page = {}
Page.__index = Page

local function add(page, format, ...)
  page.parts[#page.parts + 1] = format:format(...)
  return page
end

---A heading.
---@param text string
---@return moonglass.Page self
function Page:heading(text)
  self.headings[#self.headings + 1] = text
  return add(self, '<a id="s%d"></a><h2>%s</h2>', #self.headings, escape(text))
end

---The table of contents: links to all headings of the page, later ones included.
---@return moonglass.Page self
function Page:contents()
  self.parts[#self.parts + 1] = function()
    local links = {}
    for i, text in ipairs(self.headings) do links[i] = ('<li><a href="#s%d">%s</a></li>'):format(i, escape(text)) end
    return "<nav><ul>\n" .. table.concat(links, "\n") .. "\n</ul></nav>"
  end
  return self
end

---A paragraph.
---@param text string
---@return moonglass.Page self
function Page:text(text) return add(self, "<p>%s</p>", escape(text)) end

---Preformatted lines.
---@param text string
---@return moonglass.Page self
function Page:code(text) return add(self, "<pre><code>%s</code></pre>", escape(text)) end

---A table.
---@param rows any[][] a list of rows; the first is the head
---@return moonglass.Page self
function Page:table(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local cells, tag = {}, i == 1 and "th" or "td"
    for k, v in ipairs(row) do cells[k] = ("<%s>%s</%s>"):format(tag, escape(v), tag) end
    lines[i] = "<tr>" .. table.concat(cells) .. "</tr>"
  end
  return add(self, "<table>\n%s\n</table>", table.concat(lines, "\n"))
end

---A line with a link to a file.
---@param path string relative to the page
---@param text string
---@return moonglass.Page self
function Page:link(path, text) return add(self, '<p><a href="%s">%s</a></p>', escape(path), escape(text)) end

local png_signature = "\137PNG\r\n\26\n"

---A picture.
---@param picture string the bytes of a PNG, which are embedded, or a path relative to the page
---@param caption string?
---@return moonglass.Page self
function Page:picture(picture, caption)
  if type(picture) ~= "string" then
    errors.raise("page: picture is %s, expected the bytes of a PNG or its path", options.show(picture))
  end
  local inlined = picture:sub(1, #png_signature) == png_signature
  local source = inlined and "data:image/png;base64," .. base64(picture) or escape(picture)
  return add(self, '<figure><img alt="%s" src="%s"><figcaption>%s</figcaption></figure>', escape(caption or ""), source,
    escape(caption or ""))
end

local style = [[
body { max-width: 84rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color: #222; }
p, ul { max-width: 60rem; } nav ul { columns: 18rem; }
h2 { margin-top: 3rem; border-top: 1px solid #ddd; padding-top: 1rem; }
pre { background: #f4f4f4; padding: .6rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
figure { margin: 1rem 0; } img { max-width: 100%; } figcaption { color: #666; }
]]

---The page as HTML.
---@return string html
function Page:html()
  local parts = {}
  for i, part in ipairs(self.parts) do parts[i] = type(part) == "function" and part() or part end
  return ([[<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>%s</title>
<style>
%s</style>
</head>
<body>
<h1>%s</h1>
%s
</body>
</html>
]]):format(escape(self.title), style, escape(self.title), table.concat(parts, "\n"))
end

arity.check_class(Page)

---A page for the results of an experiment: `moon.page("Autoencoders"):heading("Data"):html()`.
---@name moon.page(title)
---@param title string
---@return moonglass.Page page
return function(title) return setmetatable({title = title, parts = {}, headings = {}}, Page) end
