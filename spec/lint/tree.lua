--- The files of the project, as the lint specs read them.
local M = {}

M.root = assert(os.getenv("PERI_ROOT"), "PERI_ROOT is not set: run specs through spec/support/run")

---@param path string below the project's root
---@return string text
function M.read(path)
  local file = assert(io.open(M.root .. "/" .. path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

---@param path string below the project's root
---@return boolean
function M.exists(path)
  local file = io.open(M.root .. "/" .. path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

---@param folders string space-separated, below the project's root
---@param ... string endings: ".c", ".lua"
---@return string[] paths below the root, sorted
function M.files(folders, ...)
  local found = {}
  for folder in folders:gmatch("%S+") do
    local pipe = assert(io.popen(("cd '%s' && find %s -type f 2>/dev/null"):format(M.root, folder)))
    for path in pipe:lines() do
      for _, ending in ipairs({ ... }) do
        if path:sub(-#ending) == ending then
          found[#found + 1] = path
        end
      end
    end
    pipe:close()
  end
  table.sort(found)
  return found
end

---@param command string for the shell
---@return integer status
---@return string output of both streams
function M.run(command)
  local pipe = assert(io.popen(("( cd '%s' && %s ) 2>&1; echo \"exit $?\""):format(M.root, command)))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)exit (%d+)\n$")
  return tonumber(status), output
end

---@param tool string
---@return boolean
function M.has(tool)
  return M.run("command -v " .. tool) == 0
end

---@param text string
---@return fun(): integer?, string?
function M.lines(text)
  local number = 0
  local each = text:gmatch("([^\n]*)\n?")
  return function()
    local line = each()
    number = number + 1
    if line then
      return number, line
    end
  end
end

return M
