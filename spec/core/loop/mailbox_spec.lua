local M = require("spec.core.loop.probe")
local C = M.C

describe("loop/mailbox", function()
  local loop, mailbox
  before_each(function()
    loop = M.loop()
    mailbox = loop.make("peri_mailbox", C.peri_mailbox_new)
  end)
  after_each(function()
    loop.free()
  end)

  it("runs messages in the order posted", function()
    for name in ("abc"):gmatch(".") do
      assert.equal(0, C.peri_mailbox_post(mailbox, loop.probe({ name = name }).message))
    end
    assert.equal("", loop.names())
    C.peri_loop_step(loop.ptr, 1000)
    assert.equal("abc", loop.names())
    C.peri_mailbox_close(mailbox)
  end)

  it("does not keep the loop alive", function()
    C.peri_loop_run(loop.ptr)
    C.peri_mailbox_close(mailbox)
  end)

  it("runs what was posted before it is closed, and refuses what comes after", function()
    local before, after = loop.probe({ name = "b" }), loop.probe({ name = "a" })
    C.peri_mailbox_ref(mailbox)
    C.peri_mailbox_post(mailbox, before.message)
    C.peri_mailbox_close(mailbox)
    assert.equal("b", loop.names())
    assert.equal(C.PERI_ECLOSED, C.peri_mailbox_post(mailbox, after.message))
    C.peri_loop_step(loop.ptr, 0)
    assert.equal(C.PERI_ECLOSED, C.peri_mailbox_post(mailbox, after.message))
    assert.equal("b", loop.names())
    C.peri_mailbox_unref(mailbox)
  end)

  it("can be closed by one of its messages without losing the others", function()
    local close = loop.probe({ name = "c", action = C.PERI_PROBE_CLOSE_MAILBOX, target = mailbox })
    C.peri_mailbox_post(mailbox, close.message)
    C.peri_mailbox_post(mailbox, loop.probe({ name = "x" }).message)
    C.peri_mailbox_post(mailbox, loop.probe({ name = "y" }).message)
    C.peri_loop_step(loop.ptr, 1000)
    assert.equal("cxy", loop.names())
  end)

  it("brings every message of four threads, each thread's in order", function()
    assert.equal(40000, C.peri_posters_run(loop.ptr, mailbox, 4, 10000))
    C.peri_mailbox_close(mailbox)
  end)

  it("runs exactly what it accepted when it is closed under posters", function()
    assert.is_true(C.peri_posters_race_close(loop.ptr, mailbox, 4, 1000))
  end)
end)
