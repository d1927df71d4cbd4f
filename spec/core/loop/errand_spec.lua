local M = require("spec.core.loop.probe")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "loop/errand_shim.h" })

describe("loop/errand", function()
  local loop, mailbox
  before_each(function()
    loop = M.loop()
    mailbox = loop.make("peri_mailbox", M.C.peri_mailbox_new)
  end)
  after_each(function()
    loop.free()
  end)

  -- What became of it, and whether that was on this thread.
  local function ending(errand)
    local same = ffi.new("bool[1]")
    return string.char(C.shim_errand_end(errand, loop.ptr, same)), same[0]
  end

  it("runs on another thread and is done on the loop's", function()
    local errand = C.shim_errand_start(mailbox)
    C.shim_errand_let(errand)
    assert.same({ "d", true }, { ending(errand) })
    M.C.peri_mailbox_close(mailbox)
  end)

  it("keeps no loop alive while it hangs", function()
    local errand = C.shim_errand_start(mailbox)
    M.C.peri_loop_run(loop.ptr)
    C.shim_errand_let(errand)
    assert.same({ "d", true }, { ending(errand) })
    M.C.peri_mailbox_close(mailbox)
  end)

  it("is lost when nobody listens any more", function()
    local errand = C.shim_errand_start(mailbox)
    M.C.peri_mailbox_close(mailbox)
    C.shim_errand_let(errand)
    assert.same({ "l", false }, { ending(errand) })
  end)
end)
