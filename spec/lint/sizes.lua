--- How large files and functions may be. There are no exceptions.
local functions = require("spec.lint.functions")
local tree = require("spec.lint.tree")

local M = { file_lines = 500, function_lines = 60 }

---@param path string decides the language, and what counts
---@param text string
---@return string[] complaints
function M.check(path, text)
  local complaints = {}
  local lines = select(2, text:gsub("\n", "")) + ((text == "" or text:sub(-1) == "\n") and 0 or 1)
  if lines > M.file_lines then
    complaints[1] = ("%s: %d lines are more than %d"):format(path, lines, M.file_lines)
  end
  local is_lua = path:match("%.lua$") ~= nil
  for _, each in ipairs((is_lua and functions.in_lua or functions.in_c)(text)) do
    -- In specs, describe() and its like hold other functions as a file does,
    -- so there each line counts for the innermost function it belongs to.
    local length = path:match("^spec/") and each.own or each.last - each.first + 1
    if length > M.function_lines then
      complaints[#complaints + 1] = ("%s:%d: a function of %d lines is longer than %d"):format(
        path,
        each.first,
        length,
        M.function_lines
      )
    end
  end
  return complaints
end

---@return string[] complaints about the whole project
function M.check_all()
  local complaints = {}
  for _, path in ipairs(tree.files("core lua plugins spec examples", ".c", ".h", ".lua")) do
    for _, complaint in ipairs(M.check(path, tree.read(path))) do
      complaints[#complaints + 1] = complaint
    end
  end
  return complaints
end

return M
