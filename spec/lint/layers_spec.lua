local layers = require("spec.lint.layers")
local tree = require("spec.lint.tree")

--- The complaints about one file, or about several.
local function check(path, text, more)
  local files = more or {}
  files[path] = text
  return table.concat(layers.check(files), "\n")
end

local function refuses(path, include, why)
  local complaint = check(path, "\n#include " .. include .. "\n")
  assert.truthy(complaint:find(path .. ":2: ", 1, true), path .. " may include " .. include)
  assert.truthy(complaint:find(why, 1, true), complaint)
end

local function accepts(path, include)
  assert.equal("", check(path, "#include " .. include .. "\n"))
end

describe("the layers", function()
  it("hold in core", function()
    local files = {}
    for _, path in ipairs(tree.files("core", ".c", ".h")) do
      files[path] = tree.read(path)
    end
    assert.is_truthy(next(files))
    assert.equal("", table.concat(layers.check(files), "\n"))
  end)

  it("are the folders of core", function()
    for _, path in ipairs(tree.files("core", ".c", ".h")) do
      local room = path:match("^core/([%w_]+)/[%w_]+%.[ch]$")
      assert.truthy(path == "core/main.c" or layers.levels[room], path)
    end
  end)
end)

describe("the check of layers", function()
  it("refuses siblings and rooms above", function()
    refuses("core/store/lru.c", '"loop/timer.h"', "is not below")
    refuses("core/cache/find.c", '"script/script.h"', "is not below")
    refuses("core/base/text.c", '"model/config.h"', "is not below")
    refuses("core/model/config.h", '"cache/find.h"', "is not below")
    refuses("core/app/serve.c", '"cli/get.h"', "is not below")
  end)

  it("accepts rooms below and the own room", function()
    accepts("core/store/lru.c", '"base/list.h"')
    accepts("core/store/lru.c", '"store/lru.h"')
    accepts("core/main.c", '"app/serve.h"')
    accepts("core/app/serve.c", '"script/script.h"')
  end)

  it("refuses what is no header of a room", function()
    refuses("core/store/lru.c", '"lru.h"', "is no header of a room")
    refuses("core/store/lru.c", '"../base/list.h"', "is no header of a room")
    refuses("core/store/lru.c", '"attic/list.h"', "is no header of a room")
    refuses("core/attic/lru.c", '"base/list.h"', "the design does not know")
  end)

  it("keeps a room's private header in it", function()
    refuses("core/h2/client.c", '"loop/private.h"', "is private")
    refuses("core/app/serve.c", '"cache/mesh_private.h"', "is private")
    accepts("core/loop/timer.c", '"loop/private.h"')
  end)

  it("keeps libraries in their rooms", function()
    refuses("core/cache/find.c", "<uv.h>", "stay elsewhere")
    refuses("core/h2/client.h", "<uv.h>", "stay elsewhere")
    accepts("core/h2/client.c", "<uv.h>")
    refuses("core/cache/find.c", "<nghttp2/nghttp2.h>", "stay elsewhere")
    refuses("core/cli/get.c", "<grpc/grpc.h>", "stay elsewhere")
    refuses("core/cache/find.c", "<lua.h>", "stay elsewhere")
    refuses("core/app/other.c", "<microhttpd.h>", "stay elsewhere")
    accepts("core/app/admin.c", "<microhttpd.h>")
    refuses("core/model/config.c", "<jansson.h>", "stay elsewhere")
    refuses("core/model/config.c", "<zlib.h>", "stay elsewhere")
    refuses("core/model/config.c", "<glib.h>", "neither the system's")
    accepts("core/model/config.c", "<sys/stat.h>")
  end)

  it("lets one file only see curl", function()
    accepts("core/script/http.c", "<curl/curl.h>")
    local two = check("core/script/a.c", "#include <curl/curl.h>", { ["core/script/b.c"] = "#include <curl/multi.h>" })
    assert.truthy(two:find("core/script/b.c:1: ", 1, true), two)
  end)

  it("keeps generated headers and container.h out of headers", function()
    refuses("core/cache/wire.h", '"groupcache.pb-c.h"', "only .c files")
    accepts("core/cache/wire.c", '"groupcache.pb-c.h"')
    refuses("core/cache/wire.h", "<groupcache.pb-c.h>", "only .c files")
    accepts("core/cache/wire.c", "<groupcache.pb-c.h>")
    refuses("core/cache/wire.h", "<protobuf-c/protobuf-c.h>", "stay elsewhere")
    refuses("core/store/lru.h", '"base/container.h"', "only .c files")
    accepts("core/store/lru.c", '"base/container.h"')
  end)
end)
