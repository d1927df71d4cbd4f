--- What the policies share, loaded here on a clock that the spec turns.
describe("the examples' notion of failing", function()
  local failing, now

  setup(function()
    now = 1000
    package.loaded["perigee.clock"] = {
      now_ms = function()
        return now
      end,
    }
    failing = dofile(os.getenv("PERI_ROOT") .. "/examples/policies/lib/failing.lua")
  end)
  teardown(function()
    package.loaded["perigee.clock"] = nil
  end)

  local function endpoint(failures, suspect)
    return {
      failures = function()
        return failures
      end,
      suspect = function()
        return suspect or false
      end,
    }
  end

  it("is half of the endpoints, by failures or by suspicion", function()
    local good, bad, gone = endpoint(5), endpoint(5.1), endpoint(0, true)
    for _, case in ipairs({
      { {}, false },
      { { good }, false },
      { { bad }, true },
      { { good, bad }, true },
      { { good, good, bad }, false },
      { { gone, good, bad }, true },
    }) do
      assert.equal(case[2], failing.half_of({ view = case[1] }, 5))
    end
  end)

  it("is looked at again after a while", function()
    local part = { view = { endpoint(9) } }
    assert.is_true(failing.half_of(part, 5))
    part.view[1] = endpoint(0)
    now = now + 9
    assert.is_true(failing.half_of(part, 5))
    now = now + 1
    assert.is_false(failing.half_of(part, 5))
  end)
end)
