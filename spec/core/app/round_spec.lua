local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/round_shim.h", "loop/loop.h" })

describe("a round", function()
  local shim

  before_each(function()
    shim = ffi.new("struct shim_round")
    C.shim_round_new(shim)
  end)

  after_each(function()
    if shim then
      assert.is_true(C.shim_round_done(shim))
    end
  end)

  local function ask(hold)
    shim.hold = hold or false
    assert.equal(0, C.shim_round_ask(shim, shim, nil))
    assert.equal(0, shim.done, "it does not end from within its start")
  end

  local function codes()
    return { shim.codes[0], shim.codes[1], shim.codes[2] }
  end

  it("asks every worker once and brings the answers together", function()
    ask()
    C.shim_round_run(shim)
    assert.equal(1, shim.done)
    for i = 0, 2 do
      assert.equal(1, shim.workers[i].asked)
      assert.is_true(ffi.cast("const void *", shim) == shim.workers[i].question)
    end
    assert.same({ 0, 0, 0 }, codes())
    C.shim_round_run(shim)
    assert.equal(1, shim.done)
  end)

  it("waits for the last one, in whatever order they answer", function()
    ask(true)
    C.shim_round_run(shim)
    C.shim_round_answer(shim, 2, 0)
    C.shim_round_answer(shim, 0, C.PERI_ESCRIPT)
    C.shim_round_run(shim)
    assert.equal(0, shim.done)
    C.shim_round_answer(shim, 1, C.PERI_ELIMIT)
    C.shim_round_run(shim)
    assert.equal(1, shim.done)
    assert.same({ C.PERI_ESCRIPT, C.PERI_ELIMIT, 0 }, codes())
    assert.equal(("words of %d"):format(C.PERI_ESCRIPT), ffi.string(shim.words))
  end)

  it("can be one of several at a time", function()
    ask()
    assert.equal(0, C.shim_round_ask(shim, nil, nil))
    C.shim_round_run(shim)
    assert.equal(2, shim.done)
  end)

  it("asks nobody until it is told to", function()
    C.shim_round_drop(shim)
    C.shim_round_run(shim)
    assert.equal(0, shim.done)
    for i = 0, 2 do
      assert.equal(0, shim.workers[i].asked)
    end
  end)

  it("ends although a worker ends while it is asked", function()
    ask(true)
    C.shim_round_run(shim)
    C.shim_round_answer(shim, 0, 0)
    C.shim_round_answer(shim, 1, 0)
    C.shim_round_close(shim, 2)
    C.shim_round_run(shim)
    assert.equal(1, shim.done)
    assert.same({ 0, 0, C.PERI_ECLOSED }, codes())
    assert.equal("", ffi.string(shim.words), "a worker that ended is no problem")
  end)

  it("ends although a worker ends before it hears the question", function()
    ask()
    C.shim_round_close(shim, 1)
    C.shim_round_run(shim)
    assert.equal(1, shim.done)
    assert.same({ 0, C.PERI_ECLOSED, 0 }, codes())
  end)

  it("ends although some or all workers have ended before", function()
    C.shim_round_close(shim, 0)
    ask()
    C.shim_round_run(shim)
    assert.same({ C.PERI_ECLOSED, 0, 0 }, codes())
    C.shim_round_close(shim, 1)
    C.shim_round_close(shim, 2)
    shim.done = 0
    ask()
    C.shim_round_run(shim)
    assert.equal(1, shim.done)
    assert.same({ C.PERI_ECLOSED, C.PERI_ECLOSED, C.PERI_ECLOSED }, codes())
  end)

  it("ends with the control thread's mailbox at the latest", function()
    ask(true)
    for i = 0, 2 do
      C.peri_loop_step(shim.workers[i].loop, 5)
    end
    assert.is_true(C.shim_round_done(shim))
    assert.equal(1, shim.done)
    shim = nil
  end)
end)
