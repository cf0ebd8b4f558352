-- Run a program in a real terminal (tmux): local terminal = dofile "spec/support/terminal.lua".
--   terminal.there            is tmux installed?
--   terminal.open(command, {columns =, lines =}) -> t: a screen on which the shell runs the command
--   t.screen(flags)           its text; with "-e" also the colour sequences
--   t.wait_for(part)          waits until the screen contains the part, and returns the screen
--   t.ready()                 waits for a prompt: input typed earlier would be shown twice, as in any shell
--   t.type(text), t.press(key, ...), t.enter(text), t.paste(text), t.paste_file(path), t.run(command), t.close()
local terminal = {there = os.execute("command -v tmux >/dev/null 2>&1")}

local quote = dofile("spec/support/files.lua").quote

local opened = 0

function terminal.open(command, size)
  local t = {}
  opened = opened + 1
  local socket = ("moonglass_%s_%d"):format(os.tmpname():match("[^/_]*$"), opened)

  local function tmux(arguments)
    local pipe = assert(io.popen(("tmux -L %s -f /dev/null %s 2>&1"):format(socket, arguments)))
    local text = pipe:read("a")
    pipe:close()
    return text
  end

  function t.screen(flags) return tmux("capture-pane -p -J " .. (flags or "")) end

  -- A terminal does not signal in another way that it is done.
  function t.wait_for(part)
    local text
    for _ = 1, 100 do
      text = t.screen()
      if text:find(part, 1, true) then return text end
      os.execute("sleep 0.1")
    end
    error(("%q did not appear in:\n%s"):format(part, text), 2)
  end

  function t.ready()
    for _ = 1, 100 do
      if ("\n" .. t.screen()):find("\n>+%s*$") then return end
      os.execute("sleep 0.1")
    end
    error("no prompt appeared in:\n" .. t.screen(), 2)
  end

  -- tmux interprets a semicolon at the end.
  function t.type(text) tmux("send-keys -l " .. quote((text:gsub(";$", "\\;")))) end
  function t.press(...) tmux("send-keys " .. table.concat({...}, " ")) end

  function t.enter(text)
    t.type(text)
    t.press("Enter")
  end

  -- Paste as a terminal with bracketed paste does.
  function t.paste(text)
    tmux("set-buffer " .. quote(text))
    tmux("paste-buffer -p")
  end

  -- For texts too long for a command line.
  function t.paste_file(path)
    tmux("load-buffer " .. quote(path))
    tmux("paste-buffer -p")
  end

  function t.run(shell_command) tmux("respawn-pane -k " .. quote(shell_command)) end
  function t.close() tmux("kill-server") end

  size = size or {columns = 100, lines = 60}
  tmux(("new-session -d -x %d -y %d %s"):format(size.columns, size.lines, quote(command)))
  return t
end

return terminal
