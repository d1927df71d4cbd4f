--- Which header may be included where: the rooms of the design, and the
--- libraries that stay in theirs.
local tree = require("spec.lint.tree")

local M = {}

M.levels = {
  base = 0,
  loop = 1,
  store = 1,
  h2 = 2,
  rpc = 2,
  etcd = 3,
  model = 4,
  proxy = 5,
  cache = 5,
  script = 5,
  registry = 5,
  app = 6,
  cli = 6,
  main = 7,
}

--- A pattern for the header, and patterns for the files that may include it.
M.libraries = {
  { "^uv%.h$", { "^core/loop/", "^core/h2/[%w_]+%.c$" } },
  { "^nghttp2/", { "^core/h2/" } },
  { "^openssl/", { "^core/h2/" } },
  { "^grpc/", { "^core/rpc/" } },
  { "^luajit%.h$", { "^core/script/" } },
  { "^lua%.h$", { "^core/script/" } },
  { "^lualib%.h$", { "^core/script/" } },
  { "^lauxlib%.h$", { "^core/script/" } },
  { "^curl/", { "^core/script/[%w_]+%.c$" }, most = 1 },
  { "^microhttpd%.h$", { "^core/app/admin%.c$" } },
  { "^jansson%.h$", { "^core/base/json%.c$" } },
  { "^md5%.h$", { "^core/base/hash%.c$" } },
  { "^xxhash%.h$", { "^core/base/hash%.c$" } },
  { "^zlib%.h$", { "^core/base/hash%.c$", "^core/h2/[%w_]+%.c$" } },
  { "^protobuf%-c/", { "%.c$" } },
}

local system = {}
for name in
  ([[
  assert.h ctype.h errno.h fcntl.h float.h glob.h grp.h inttypes.h limits.h locale.h malloc.h math.h
  netdb.h poll.h pthread.h pwd.h sched.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h
  stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h syslog.h termios.h time.h unistd.h
  dirent.h getopt.h ifaddrs.h libgen.h semaphore.h link.h dlfcn.h endian.h byteswap.h immintrin.h
]]):gmatch("%S+")
do
  system[name] = true
end

---@param header string
local function is_system(header)
  local folder = header:match("^(%w+)/")
  return system[header] or folder == "sys" or folder == "netinet" or folder == "arpa" or folder == "linux"
end

---@param text string
---@return { line: integer, quoted: boolean, header: string }[]
function M.includes(text)
  local found = {}
  for number, line in tree.lines(text) do
    local quoted, angled = line:match('^%s*#%s*include%s*"([^"]+)"'), line:match("^%s*#%s*include%s*<([^>]+)>")
    if quoted or angled then
      found[#found + 1] = { line = number, quoted = quoted ~= nil, header = quoted or angled }
    end
  end
  return found
end

---@param header string
---@return table? library
function M.library(header)
  for _, library in ipairs(M.libraries) do
    if header:match(library[1]) then
      return library
    end
  end
end

---@param path string below the root: "core/h2/client.c"
local function room_of(path)
  return path == "core/main.c" and "main" or path:match("^core/([%w_]+)/")
end

--- Whether a header is for the `.c` files of its own room only.
---@param header string
function M.is_private(header)
  return header:match("[/_]private%.h$") ~= nil
end

local function judge_project(path, header)
  local is_source = path:match("%.c$") ~= nil
  local own, other = room_of(path), header:match("^([%w_]+)/[%w_]+%.h$")
  if not other or not M.levels[other] then
    return "is no header of a room"
  elseif not M.levels[own] then
    return "stands in a room the design does not know"
  elseif header == "base/container.h" and not is_source then
    return "only .c files include base/container.h"
  elseif own == other then
    return nil
  elseif M.is_private(header) then
    return "is private to its room"
  elseif M.levels[other] >= M.levels[own] then
    return ("%s (%d) is not below %s (%d)"):format(other, M.levels[other], own, M.levels[own])
  end
end

local function judge_generated(path)
  return not path:match("%.c$") and "only .c files include generated headers"
end

local function judge_library(path, header, uses)
  local library = M.library(header)
  if not library then
    return not is_system(header) and "is neither the system's nor a library the design names"
  end
  local allowed = false
  for _, place in ipairs(library[2]) do
    allowed = allowed or path:match(place) ~= nil
  end
  if not allowed then
    return "this library's headers stay elsewhere"
  end
  uses[library] = uses[library] or {}
  uses[library][path] = true
  if library.most then
    local count = 0
    for _ in pairs(uses[library]) do
      count = count + 1
    end
    return count > library.most and ("more than %d file includes this library"):format(library.most)
  end
end

---@param files table<string, string> text by path
---@return string[] complaints
function M.check(files)
  local complaints, paths, uses = {}, {}, {}
  for path in pairs(files) do
    paths[#paths + 1] = path
  end
  table.sort(paths)
  for _, path in ipairs(paths) do
    for _, include in ipairs(M.includes(files[path])) do
      local judge = include.quoted and judge_project or judge_library
      if include.header:match("^[%w_]+%.pb%-c%.h$") then
        judge = judge_generated
      end
      local fault = judge(path, include.header, uses)
      if fault then
        complaints[#complaints + 1] = ("%s:%d: %s: %s"):format(path, include.line, include.header, fault)
      end
    end
  end
  return complaints
end

return M
