--- Loads the project's own C headers and its test library into LuaJIT's FFI, so
--- that specs call C through the very headers that C includes.
local ffi = require("ffi")

local M = {}

local root = assert(os.getenv("PERI_ROOT"), "PERI_ROOT is not set: run specs through spec/support/run")
local build = assert(os.getenv("PERI_BUILD"), "PERI_BUILD is not set: run specs through spec/support/run")

local seen = {}

---@param path string
---@return string
local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Declares a header and, before it, every project header that it includes.
---@param name string as C includes it: "base/slice.h", or a shim's header below spec/core
function M.header(name)
  if seen[name] then
    return
  end
  seen[name] = true
  local path = root .. "/core/" .. name
  local probe = io.open(path, "rb")
  if probe then
    probe:close()
  else
    path = root .. "/spec/core/" .. name
  end
  local lines = {}
  for line in read(path):gmatch("([^\n]*)\n?") do
    local quoted = line:match('^#include "([^"]+)"')
    if quoted then
      M.header(quoted)
    elseif not line:match("^#include <") then
      -- LuaJIT skips the bodies of inline functions but refuses `inline bool`.
      lines[#lines + 1] = line:gsub("^static inline ", "static ")
    end
  end
  local ok, err = pcall(ffi.cdef, table.concat(lines, "\n"))
  if not ok then
    error(name .. ": " .. tostring(err), 2)
  end
end

ffi.cdef([[
void free(void *pointer);
void *malloc(size_t bytes);
void *dlopen(const char *path, int flags);
]])

local RTLD_NOW, RTLD_NODELETE = 2, 0x1000

---@param names string[] headers to declare
---@return table library the test library's C functions
---@return table ffi
function M.load(names)
  for _, name in ipairs(names) do
    M.header(name)
  end
  if not M.lib then
    local path = build .. "/libperigee_test.so"
    -- Kept until the process ends: TSan does not bear that a library goes.
    ffi.C.dlopen(path, RTLD_NOW + RTLD_NODELETE)
    M.lib = ffi.load(path)
  end
  return M.lib, ffi
end

--- The texts of the last slices: one that is made within the arguments of a call must outlive
--- the making of the others, each of which may collect garbage.
M.lately = {}
local turn = 0

--- A `struct peri_slice` over a Lua string, which the caller must keep alive if it is to last
--- longer than one call.
---@param text string
function M.slice(text)
  M.header("base/types.h")
  turn = turn % 32 + 1
  M.lately[turn] = text
  return ffi.new("struct peri_slice", { text, #text })
end

--- The Lua string of a slice.
function M.string(slice)
  if slice.len == 0 then
    return ""
  end
  return ffi.string(slice.ptr, slice.len)
end

return M
