--- Whether sources and specs stand opposite each other.
local M = {}

--- Where sources live, their ending, and where their specs do. A spec may also
--- stand for a header that has no source. What is `free` needs no spec.
M.mirrors = {
  { source = "core/", ending = ".c", also = ".h", spec = "spec/core/", free = "^core/main%.c$" },
  { source = "lua/", ending = ".lua", spec = "spec/lua/", free = "/_meta/" },
  { source = "plugins/", ending = ".lua", spec = "spec/plugins/" },
  { source = "examples/policies/", ending = ".lua", spec = "spec/examples/policies/", free = "/perigee%.lua$" },
}

---@param mirror table
---@param paths string[] of sources and specs
---@return string[] complaints
function M.check(mirror, paths)
  local complaints, known = {}, {}
  for _, path in ipairs(paths) do
    known[path] = true
  end
  for _, path in ipairs(paths) do
    local source = path:sub(1, #mirror.source) == mirror.source
      and path:sub(-#mirror.ending) == mirror.ending
      and path:sub(#mirror.source + 1, -#mirror.ending - 1)
    local spec = path:sub(1, #mirror.spec) == mirror.spec and path:sub(#mirror.spec + 1):match("^(.*)_spec%.lua$")
    if source and not (mirror.free and path:match(mirror.free)) then
      local want = mirror.spec .. source .. "_spec.lua"
      complaints[#complaints + 1] = not known[want] and ("%s has no spec %s"):format(path, want) or nil
    elseif spec then
      local want = mirror.source .. spec
      local found = known[want .. mirror.ending] or (mirror.also and known[want .. mirror.also])
      complaints[#complaints + 1] = not found and ("%s has no source %s%s"):format(path, want, mirror.ending) or nil
    end
  end
  return complaints
end

return M
