-- Compares the documentation, which make reference writes to help/meta.lua, with the library. Every public function,
-- method, field and option is documented, with its type, default and description. Whatever is documented exists. A test
-- calls every function. Layers, losses and optimisers are documented from the registry, so they are not compared. Each
-- comparison returns a list of problems, and is also run on wrong documentation and on a wrong library, where it must
-- find the problem.
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local paths = dofile("spec/support/paths.lua")(moon)
local samples = dofile "spec/support/samples.lua"
local annotations = dofile "lua/moonglass/help/annotations.lua"

local text = files.read("lua/moonglass/help/meta.lua")
local interface = annotations.parse(text)

-- A list with f("words %s", ...) to add to it.
local function problems()
  local list = {}
  return list, function(format, ...) list[#list + 1] = format:format(...) end
end

local keys = dofile "spec/support/sorted_keys.lua"

-- {a = true, b = true}
local function set(list, of)
  local result = {}
  for _, element in ipairs(list) do result[of and element[of] or element] = true end
  return result
end

-- ---- existing functions and methods ----

local function is_callable(v)
  local meta = type(v) == "table" and getmetatable(v)
  return type(v) == "function" or (meta and meta.__call ~= nil) or false
end

-- {["moon.zeros"] = true, ["moon.plot.lines"] = true, ...}; a callable table counts as a function too.
local function public_functions(module)
  local found = {}
  for name, value in pairs(module) do
    if type(value) == "function" then found["moon." .. name] = true end
    for part, f in pairs(type(value) == "table" and value or {}) do
      if type(f) == "function" then found[("moon.%s.%s"):format(name, part)] = true end
    end
  end
  return found
end

-- The functions of moonglass.mpi, as its file defines them: loading it takes an MPI.
local function functions_of_mpi()
  local code, found = files.read("lua/moonglass/mpi/init.lua"), {}
  for name in code:gmatch("\nfunction mpi%.(%l+)%(") do found[name] = print end
  for name in code:gmatch("\nmpi%.(%l+) = ") do found[name] = print end
  for name in code:gmatch("(%l+) = module%.%l+,") do found[name] = print end
  found.join = nil -- fit's and evaluate's
  return found
end

-- Methods by class, a set of names each. Those of a class in Lua are its metatable's, those of autoencoders what a net
-- gets: seen on one that is a table, as a net with a layer written in Lua is.
local function public_methods()
  local found = {["moonglass.session"] = require("moonglass.session").globals, ["moonglass.mpi"] = functions_of_mpi()}
  for class, object in pairs(samples.of_classes()) do
    if type(object) == "table" then found["moonglass." .. class] = getmetatable(object) end
  end
  for noun, methods in pairs(core.methods) do
    local class = "moonglass." .. noun:match("%l+$"):gsub("^%l", string.upper)
    found[class] = {}
    for name, method in pairs(methods) do found[class][name] = method or nil end -- false declares a field
  end
  local own = {forward = function(_, v) return v end, backward = function(_, dy) return dy end}
  local ae = moon.autoencoder{encoder = {own}, decoder = {moon.dense(4, 4)}}
  found["moonglass.Autoencoder"] = ae
  local drawn = moon.autoencoder{encoder = {own, moon.gaussian_code(2)}, decoder = {moon.dense(2, 4)}}
  for name, method in pairs(ae) do
    if drawn[name] == method then drawn[name] = nil end -- those that every autoencoder has
  end
  found["moonglass.Variational"] = drawn
  for class, methods in pairs(found) do
    local names = {}
    for name, method in pairs(methods) do
      if type(method) == "function" and not name:find("^__") then names[name] = true end
    end
    found[class] = names
  end
  return found, getmetatable(ae)
end

-- ---- functions and methods compared with stubs ----

local function stubbed(of)
  local functions, methods = {}, {}
  for _, f in ipairs(of.functions) do
    if f.path:find("^moon%.") then
      functions[f.path] = f
    else
      local class = f.owner and f.owner.name or f.path
      methods[class] = methods[class] or {}
      methods[class][f.name] = f
    end
  end
  return functions, methods
end

local function compare_names(found, stubs, prefix, add)
  for _, name in ipairs(keys(found)) do
    if not stubs[name] then
      add("%s%s is not documented: write a block above its code, make reference", prefix, name)
    end
  end
  for _, name in ipairs(keys(stubs)) do
    if not found[name] then add("%s%s is documented, but is not there", prefix, name) end
  end
end

local function compare_functions(module, of)
  local list, add = problems()
  local functions, methods = stubbed(of)
  compare_names(public_functions(module), functions, "", add)
  local found = public_methods()
  for _, class in ipairs(keys(found)) do compare_names(found[class], methods[class] or {}, class .. ":", add) end
  for _, class in ipairs(keys(methods)) do
    if not found[class] then add("methods of %s are documented, but none is known", class) end
  end
  for _, class in ipairs(of.classes) do -- callable tables
    local value = class.path and class.path:match("^moon%.(%l+)$") and module[class.path:match("%l+$")]
    if value and is_callable(value) ~= (#class.overloads > 0) then
      add("%s can be called, or has an overload, but not both", class.path)
    end
  end
  return list
end

-- ---- texts and types ----

local scalar = set{"any", "boolean", "integer", "number", "string", "table", "true", "nil", "self", "fun"}

-- Names in a type that are not defined.
local function unknown_types(of, type_text)
  local list = {}
  for name in type_text:gsub('"[^"]*"', ""):gsub("[%w_]+:%s", ""):gmatch("[%a_][%w_.]*") do
    if not (scalar[name] or of.classes[name] or of.aliases[name] or name:find("^moonglass$")) then
      list[#list + 1] = name
    end
  end
  return list
end

local function check_type(of, where, entry, add)
  for _, name in ipairs(unknown_types(of, entry.type)) do add("%s: there is no type %s", where, name) end
  if entry.type == "" then add("%s has no type", where) end
end

local function check_function(of, f, add)
  local first = f.doc:match("^[^\n]*")
  if not first:find("%w+ %w+") and not first:find("%w+%.") then
    add("%s has no words: write them in the block above its code, make reference", f.path)
  elseif not (f.doc:find("[.:]$") or first:find("[.?:]")) then
    add("%s: its description is not a sentence", f.path)
  end
  local names = {}
  for i, p in ipairs(f.params) do
    names[i] = p.name
    check_type(of, ("%s: argument %s"):format(f.path, p.name), p, add)
  end
  if table.concat(names, ", ") ~= table.concat(f.arguments, ", ") then
    add("%s takes (%s), but (%s) are described", f.path, table.concat(f.arguments, ", "), table.concat(names, ", "))
  end
  for i, r in ipairs(f.returns) do
    check_type(of, ("%s: result %d"):format(f.path, i), r, add)
    if r.name == "" then add("%s: result %d has no name", f.path, i) end
  end
end

local function check_words(of)
  local list, add = problems()
  for _, f in ipairs(of.functions) do check_function(of, f, add) end
  for _, class in ipairs(of.classes) do
    if not (class.doc:find("%w+ %w+") or class.doc:find("^%w+ `")) then add("%s is not described", class.name) end
    for _, parent in ipairs(class.parents) do
      if not of.classes[parent] then add("%s: there is no class %s", class.name, parent) end
    end
    for _, field in ipairs(class.fields) do
      check_type(of, ("%s: field %s"):format(class.name, field.name), field, add)
    end
  end
  for _, alias in ipairs(of.aliases) do check_type(of, alias.name, alias, add) end
  return list
end

-- ---- tests ----

local function specs()
  local texts = {}
  for path in files.run("find spec -name '*_spec.lua' -o -name '*_mpi.lua'"):gmatch("[^\n]+") do
    if not path:find("interface_spec") and not path:find("docs_spec") then texts[#texts + 1] = files.read(path) end
  end
  return table.concat(texts, "\n")
end

-- Is it called by name, passed to pcall and the like, or assigned to a local? A function of `moon` may be called
-- through the core, and one in a table, like plot.lines, has the table's name before it.
local function is_called(specs_text, f)
  local before = "[.:]"
  if not f.path:find(":") then
    local of = f.path:match("([%w_]+)%.[%w_]+$")
    if of == "moon" and specs_text:find("%f[%w_]core%." .. f.name .. "%f[^%w_]") then return true end
    before = of == "session" and "%f[%w_]" or "%f[%w_]" .. of .. "%." -- functions of the session are globals
  end
  return specs_text:find(before .. f.name .. "%f[^%w_]%s*[({\"',)\n]") ~= nil
end

-- Constructors of registered classes, activations as methods, callbacks, and functions that take a path: registry_spec
-- reports those without a test.
local function is_registered(f)
  if f.path:find("^moon%.callbacks%.") or paths.taken_by(f) then return true end
  local name = f.path:match("^moon%.([%w_]+)$") or f.path:match("^Tensor:([%w_]-)_?$")
  for _, family in ipairs{"layers", "losses", "optimizers", "activations"} do
    for _, known in ipairs(core.registered(family)) do
      if name == known then return true end
    end
  end
  return false
end

local function find_untested(of, specs_text)
  local list, add = problems()
  for _, f in ipairs(of.functions) do
    if not (is_registered(f) or is_called(specs_text, f)) then add("%s is called in no spec", f.path) end
  end
  return list
end

-- ---- options ----

-- The rules of the library's option checkers, from a separate process that records them: a list of
-- {what =, rules = {name = {kind, default, required =}}}. Checkers that are made when they are needed are made here.
local teller = [[
local options = require "moonglass.support.options"
local checker = options.checker
local seen = {}
function options.checker(what, rules)
  seen[#seen + 1] = {what = what, rules = rules}
  return checker(what, rules)
end
local moon = require "moonglass"
require "moonglass.pictures.show"
local nowhere = "build/no such folder/x.png"
pcall(moon.plot.lines, nowhere, {{y = {1, 2}}})
pcall(moon.plot.bars, nowhere, {"a"}, {{y = {1}}})
pcall(moon.plot.histogram, nowhere, {{values = {1, 2}}})
pcall(moon.plot.panels, nowhere, {{series = {{y = {1, 2}}}}, {series = {{y = {1}}}, labels = {"a"}}})
local function show(v)
  if type(v) == "table" then
    local parts = {}
    for key, element in pairs(v) do parts[#parts + 1] = ("[%s] = %s"):format(show(key), show(element)) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return type(v) == "string" and ("%q"):format(v) or type(v) == "function" and '"a function"' or tostring(v)
end
io.write("return " .. show(seen))
]]

local function known_options()
  local path = os.tmpname()
  files.write(path, teller)
  local output, errors, status = files.run(files.quote(os.getenv("LUA") or "lua5.4") .. " " .. path)
  os.remove(path)
  assert(status == 0, errors)
  return assert(load(output))()
end

local parts_of = {
  {"^plot%.lines: series %d+$", "LineSeries"}, {"^plot%.bars: series %d+$", "BarSeries"},
  {"^plot%.histogram: distribution %d+$", "Distribution"}, {"^plot%.panels: panel %d+$", "Panel"},
  {"^plot%.panels: panel %d+: series %d+$", "Series of a panel"}, {"^heads$", "HeadOptions"},
}

-- The name of the class of a checker's options. A checker is named after its function, "fit", "early_stopping" or
-- "plot.lines", or after a callable table.
local function class_of(of, checker)
  for _, part in ipairs(parts_of) do
    if checker.what:find(part[1]) then return part[2] end
  end
  -- Learning and coding with a dictionary are both checked under its name.
  if checker.what == "dictionary" then
    return checker.rules.atoms and "DictionaryOptions" or "DictionaryBatchOptions"
  end
  local exact, ending
  for _, f in ipairs(of.functions) do
    local class = annotations.options_of(of, f)
    if class and f.path == "moon." .. checker.what then exact = class end
    local ends = class and f.path:gsub(":", "."):sub(-#checker.what - 1) == "." .. checker.what
    -- The checker of a method has its bare name.
    if ends and (not ending or f.path:find(":", 1, true)) then ending = class end
  end
  local class = exact or ending
  if class then return class.name:match("%w+$") end
  for _, called in ipairs(of.classes) do
    if called.path == "moon." .. checker.what and called.overloads[1] then
      return called.overloads[1]:match("moonglass%.(%w+Options)")
    end
  end
end

-- For each kind of rule: the pattern of the type, and the required words.
local kinds = {
  count = {"^integer"}, size = {"^integer"}, seed = {"^integer"}, number = {"^number"}, flag = {"^boolean"},
  positive = {"^number", "above 0"}, fraction = {"^number", "above 0 and below 1"}, ["function"] = {"^%(?fun%("},
  list = {"%[%]"}, texts = {"string.*%[%]$"}, text = {"^string"}, any = {"."},
}

local function default_in(words) return words:match('^default "([^"]*)"') or words:match("^default ([^,:;%s]+)") end

-- Options whose default comes from the layer.
local of_the_layer = {
  ["autoencoder.sparse: option l1"] = 1e-5, ["autoencoder.sparse: option reduction"] = "batchmean",
  ["autoencoder.sparse: option layers"] = "code", ["autoencoder.sparse: option kl_target"] = 0.05,
}

local function check_default(where, words, default, add)
  local said = default_in(words)
  if default == nil then default = of_the_layer[where] end
  if default == nil or default == "a function" then
    if default == nil and said then add("%s has no default, but '%s' is described", where, said) end
  elseif said ~= tostring(default) and (tonumber(said) == nil or tonumber(said) ~= tonumber(default)) then
    add("%s: the default is %s, described is '%s'", where, tostring(default), tostring(said))
  end
end

local function check_choices(of, where, field, choices, add)
  local said = set(annotations.choices(of, field.type))
  for _, choice in ipairs(choices) do
    if not said[choice] then add("%s: the choice %s is not in its type", where, tostring(choice)) end
    said[choice] = nil
  end
  for choice in pairs(said) do add("%s: its type has %s, which is no choice", where, tostring(choice)) end
end

local function check_option(of, where, field, rule, add)
  local kind, default = rule[1], rule[2]
  if type(kind) == "table" then
    check_choices(of, where, field, kind, add)
  else
    local of_kind, named = kinds[kind], kind == "text" and of.aliases[field.type]
    if not (named or field.type:find(of_kind[1]) or (kind == "list" and of.classes[field.type])) then
      add("%s is a %s, described as %s", where, kind, field.type)
    end
    if of_kind[2] and not field.text:find(of_kind[2], 1, true) then
      add("%s has to be %s, which is not described", where, of_kind[2])
    end
  end
  if (rule.required or false) == field.optional then
    add("%s is %s, described as the opposite", where, rule.required and "required" or "optional")
  end
  check_default(where, field.text, default, add)
end

-- The class of a panel has the options of both kinds of panels; each kind lacks some.
local shared_by_panels = {title = true, xlabel = true, ylabel = true, legend = true}

local function compare_checker(of, checker, name, seen, add)
  local fields = {}
  for _, field in ipairs(annotations.fields(of, of.classes["moonglass." .. name])) do fields[field.name] = field end
  for _, option in ipairs(keys(checker.rules)) do
    local where = ("%s: option %s"):format(checker.what, option)
    seen[option] = true
    if not fields[option] then
      add("%s is not documented: a field for %s, make reference", where, name)
    elseif name ~= "Panel" or shared_by_panels[option] then
      check_option(of, where, fields[option], checker.rules[option], add)
    end
  end
end

-- Not compared: a panel's series, which has two kinds, and "predict" (see above).
local left_out = {["Series of a panel"] = true, BatchOptions = true}

local function compare_options(of, checkers)
  local list, add = problems()
  local seen = {}
  for _, checker in ipairs(checkers) do
    local name = class_of(of, checker)
    if not (left_out[name] or of.classes["moonglass." .. tostring(name)]) then
      add("the options of %s have no class", checker.what)
    elseif not left_out[name] then
      seen[name] = seen[name] or {}
      compare_checker(of, checker, name, seen[name], add)
    end
  end
  for _, name in ipairs(keys(seen)) do
    for _, field in ipairs(annotations.fields(of, of.classes["moonglass." .. name])) do
      if not seen[name][field.name] then add("%s has the field %s, which is no option", name, field.name) end
    end
  end
  return list
end

-- ---- fields ----

-- The names that the core lists in its message for an unknown one.
local function registered_options(name)
  local _, message = pcall(moon[name], {["no option"] = true})
  local list = {}
  for option in message:match("%(known: (.*)%)$"):gmatch("[%w_]+") do list[#list + 1] = option end
  return list
end

-- Objects with fields, and whether they may have fields that are not described.
local function examples_of_fields()
  moon.seed(1)
  local x = moon.rand(8, 4)
  local labels = moon.tensor({0, 1, 0, 1, 0, 1, 0, 1}, {dtype = "uint8"})
  local ae = moon.autoencoder.plain{input = 4, hidden = 2}
  local batch_state, state = {}, {}
  local history = ae:fit(x, {loss = "mse", validation_split = 0.5, callbacks = {
    {on_batch_end = function(_, s) for k, v in pairs(s) do batch_state[k] = v end end},
    function(s) for k, v in pairs(s) do state[k] = v end end,
  }})
  for k, v in pairs(batch_state) do state[k] = v end
  local path = os.tmpname()
  assert(moon.checkpoint.save(path, state))
  local loaded = assert(moon.checkpoint.load(path))
  os.remove(path)
  local _, details = moon.gradcheck(moon.dense(4, 2), x)
  local stopping = moon.callbacks.early_stopping()
  stopping:on_train_begin{directions = {val_loss = "min"}}
  return {
    State = state, History = history, Checkpoint = loaded, Info = moon.info(), Pca = moon.pca(x, 2),
    Dictionary = moon.dictionary(x, {atoms = 2, l1 = 0.1}), GradcheckDetail = details[1], EarlyStopping = stopping,
    Roc = moon.metrics.roc(x:sum(2), labels), Parameter = ae:parameters()[1],
  }, {Knn = moon.knn(x, labels), Probe = moon.probe(x, labels, {epochs = 1}), GradcheckDetails = details}, {
    Dense = ae:layer(1), Autoencoder = ae, Tensor = x, Loss = moon.mse(), Optimizer = moon.adam(),
  }
end

local function check_fields(of, name, object, closed, add)
  local fields = {}
  for _, field in ipairs(annotations.fields(of, of.classes["moonglass." .. name])) do
    if not field.name:find("^%[") then fields[field.name] = field end
  end
  for _, field in ipairs(keys(fields)) do
    local ok, value = pcall(function() return object[field] end)
    if (not ok or value == nil) and not fields[field].optional then add("%s has no field %s", name, field) end
  end
  if not closed then return end
  for _, key in ipairs(keys(object)) do
    if type(key) == "string" and not fields[key] then add("%s: the field %s is not described", name, key) end
  end
end

local function compare_fields(of)
  local list, add = problems()
  local closed, open, userdata = examples_of_fields()
  for _, name in ipairs(keys(closed)) do check_fields(of, name, closed[name], true, add) end
  for _, name in ipairs(keys(open)) do check_fields(of, name, open[name], false, add) end
  -- The class of optimizers or losses has the fields of all kinds: each field must belong to some kind.
  for _, name in ipairs{"Dense", "Autoencoder", "Tensor"} do check_fields(of, name, userdata[name], false, add) end
  for class, family in pairs{Optimizer = "optimizers", Loss = "losses"} do
    local fields = set(of.classes["moonglass." .. class].fields, "name")
    for _, kind in ipairs(moon.registered(family)) do
      for _, option in ipairs(registered_options(kind)) do
        if fields[option] == nil then add("%s: the field %s is not described", class, option) end
        fields[option] = false
      end
    end
    for name, missing in pairs(fields) do
      if missing then add("%s has no field %s", class, name) end
    end
  end
  return list
end

-- ---- the comparisons, and tests that each can fail ----

-- The annotations with one change.
local function changed(from, to)
  local first, last = text:find(from, 1, true)
  assert(first, from)
  return annotations.parse(text:sub(1, first - 1) .. to .. text:sub(last + 1))
end

-- Every problem in one text.
local function all(list) return table.concat(list, "\n") end

-- The problems caused by a change, without those that exist already.
local function brought(compare, with, without)
  local known, list = set(compare(table.unpack(without))), {}
  for _, problem in ipairs(compare(table.unpack(with))) do
    if not known[problem] then list[#list + 1] = problem end
  end
  return all(list)
end

describe("the annotations", function()
  local checkers = known_options()

  it("document every function and method, and no others", function()
    assert.equal("", all(compare_functions(moon, interface)))
    assert.is_true(#interface.functions > 240)
  end)

  it("are reported if they are missing, or if their function does not exist", function()
    local module = setmetatable({new_thing = function() end, plot = {new_kind = function() end}}, {__index = moon})
    for name, value in pairs(moon) do module[name] = module[name] or value end
    local list = all(compare_functions(module, interface))
    assert.matches("moon.new_thing is not documented", list, 1, true)
    assert.matches("moon.plot.new_kind is not documented", list, 1, true)
    assert.matches("moon.plot.lines is documented, but is not there", list, 1, true)
    local function with(from, to) return brought(compare_functions, {moon, changed(from, to)}, {moon, interface}) end
    local unknown = " is not documented: write a block above its code, make reference"
    assert.equal("moonglass.Tensor:numel" .. unknown .. "\nmoonglass.Tensor:number_of is documented, but is not there",
      with("function Tensor:numel()", "function Tensor:number_of()"))
    assert.equal("moonglass.Pca:encode" .. unknown .. "\nmoonglass.Pca:code is documented, but is not there",
      with("function Pca:encode(", "function Pca:code("))
    assert.equal("moonglass.Autoencoder:decode" .. unknown,
      with("function Autoencoder:decode(code, options) end", ""))
  end)

  it("describe each function: text, arguments, results, types", function()
    assert.equal("", all(check_words(interface)))
  end)

  it("are reported if texts are missing or wrong", function()
    local function wrong(from, to, problem)
      assert.equal(problem, brought(check_words, {changed(from, to)}, {interface}))
    end
    wrong("---The number of elements.\n", "",
      "Tensor:numel has no words: write them in the block above its code, make reference")
    wrong("---@param exponent number\n", "", "Tensor:pow takes (exponent), but () are described")
    wrong("---@param ... integer each from", "---@param x moonglass.Tenso each from",
      "Tensor:get: argument x: there is no type moonglass.Tenso\nTensor:get takes (...), but (x) are described")
    wrong("---@return integer n\nfunction Tensor:numel", "---@return integer\nfunction Tensor:numel",
      "Tensor:numel: result 1 has no name")
    wrong("---@class moonglass.Pca\n", "---@class moonglass.Pca: moonglass.Net2\n",
      "moonglass.Pca: there is no class moonglass.Net2")
    assert.has_error(function() changed("function Tensor:numel() end", "function Tensor:numel()") end)
    assert.has_error(function() changed("---@return integer n\n", "---@returns integer n\n") end)
  end)

  it("describe every option as the library checks it: name, type, default, bounds, choices", function()
    assert.equal("", all(compare_options(interface, checkers)))
    assert.is_true(#checkers > 35)
  end)

  it("describe the defaults that sparse takes from the layer", function()
    local l1 = moon.autoencoder.sparse{input = 8, hidden = {6, 4}}
    assert.same({0, 1e-5, 0, 0}, {l1:layer(1).activity_l1, l1:layer(2).activity_l1, l1:layer(3).activity_l1,
      l1:layer(4).activity_l1})
    assert.equal("batchmean", l1:layer(2).activity_reduction)
    assert.equal(0.05, moon.autoencoder.sparse{input = 8, hidden = 4, kl_weight = 1}:layer(1).kl_target)
  end)

  it("are reported if options are missing or wrong", function()
    local function wrong(from, to, problem)
      assert.equal(problem, brought(compare_options, {changed(from, to), checkers}, {interface, checkers}))
    end
    wrong("---@field patience integer? default 0:", "---@field patience integer? default 1:",
      "early_stopping: option patience: the default is 0, described is '1'")
    wrong("---@field bins integer? default 50", "---@field bins number? default 50",
      "plot.histogram: option bins is a count, described as number")
    wrong("---@field restore_best ", "---@field restore_worst ",
      "early_stopping: option restore_best is not documented: a field for EarlyStoppingOptions, make reference\n"
      .. "EarlyStoppingOptions has the field restore_worst, which is no option")
    wrong('---@field on_nan "error"|"stop"|"ignore"?', '---@field on_nan "error"|"go on"|"ignore"?',
      "fit: option on_nan: the choice stop is not in its type\n"
      .. "fit: option on_nan: its type has go on, which is no choice")
    wrong("---@field every integer required: ", "---@field every integer? ",
      "step_decay: option every is required, described as the opposite")
    wrong("---@field peak number? default 1, above 0:", "---@field peak number? default 1:",
      "psnr: option peak has to be above 0, which is not described")
    local more = {{what = "brew", rules = {strength = {"number"}}}}
    assert.equal("the options of brew have no class", all(compare_options(interface, more)))
  end)

  it("have every field", function() assert.equal("", all(compare_fields(interface))) end)

  it("are reported if fields are missing or wrong", function()
    local function wrong(from, to, problem)
      assert.equal(problem, brought(compare_fields, {changed(from, to)}, {interface}))
    end
    wrong("---@field batches integer", "---@field batch_count integer",
      "State has no field batch_count\nState: the field batches is not described")
    wrong("---@field rho number", "---@field row number",
      "Optimizer: the field rho is not described\nOptimizer has no field row")
    wrong("---@field encoder moonglass.Net", "---@field front moonglass.Net", "Autoencoder has no field front")
  end)
end)

describe("the specs", function()
  it("call every function and method", function() assert.equal("", all(find_untested(interface, specs()))) end)

  it("are reported if a call is missing", function()
    local without = specs():gsub("[.:]soft_threshold%f[^%w_]", "")
    assert.matches("moon.dictionary.soft_threshold is called in no spec", all(find_untested(interface, without)))
  end)
end)

describe("nets walked from Lua", function()
  it("have only methods of nets", function()
    local _, methods = stubbed(interface)
    local _, mixed = public_methods()
    for name, method in pairs(mixed) do
      local is_method = type(method) == "function" and not name:find("^__")
      if is_method then assert.is_table(methods["moonglass.Net"][name], name) end
    end
  end)
end)
