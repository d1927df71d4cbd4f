--- What a header may hold, so that C and LuaJIT's FFI read the very same one.
local layers = require("spec.lint.layers")
local tree = require("spec.lint.tree")

local M = {}

--- The one header with a macro, which only .c files include.
M.macro_header = "core/base/container.h"

---@param path string
---@param text string
---@return string[] complaints
function M.check(path, text)
  local complaints = {}
  local function complain(line, fault)
    complaints[#complaints + 1] = ("%s:%d: %s"):format(path, line, fault)
  end
  if text:sub(1, 13) ~= "#pragma once\n" then
    complain(1, "does not begin with #pragma once")
  end
  local macros = 0
  for number, line in tree.lines(text) do
    local directive = line:match("^%s*#%s*(%w+)")
    if directive == "define" and path == M.macro_header and macros == 0 then
      macros = 1
    elseif directive and directive ~= "include" and not line:match("^#pragma once$") then
      complain(number, "#" .. directive .. " is not for headers")
    end
  end
  return complaints
end

--- Whether a header stands for C alone: it holds the macro, or is private to its
--- room's sources, or holds a library's types (the layers keep those in their
--- room), also through what it includes.
---@param path string
---@return boolean
function M.is_inner(path)
  if path == M.macro_header or layers.is_private(path) then
    return true
  end
  for _, include in ipairs(layers.includes(tree.read(path))) do
    if not include.quoted and layers.library(include.header) then
      return true
    end
    local project = "core/" .. include.header
    if include.quoted and tree.exists(project) and M.is_inner(project) then
      return true
    end
  end
  return false
end

--- Declares one header, given as C includes it, in a fresh LuaJIT.
---@param name string
---@param loader string? Lua that runs instead
---@return string fault empty when all is well
function M.declare(name, loader)
  loader = loader or ("require('spec.support.ffi').header('%s')"):format(name)
  local status, output = tree.run(("LUA_PATH='%s/?.lua' luajit -e \"%s\""):format(tree.root, loader))
  return status == 0 and "" or output
end

return M
