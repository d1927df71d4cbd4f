--- A busted output handler for many runs in a row: prints failures with their
--- place and message, and leaves the counts in the file $PERI_COUNTS.
return function()
  local busted = require("busted")
  local handler = require("busted.outputHandlers.base")()
  local close_handles = require("spec.support.handles")
  local passed, failed, skipped = 0, 0, 0

  local function report(kind, element, message)
    local trace = element.trace or {}
    io.write(("\n%s: %s\n  at %s:%s\n"):format(kind, handler.getFullName(element), trace.short_src or "?", trace.currentline or "?"))
    local text = type(message) == "table" and (message.message or message[1]) or message
    io.write("  " .. tostring(text):gsub("\n", "\n  ") .. "\n")
    io.flush()
  end

  handler.testEnd = function(element, _, status)
    if status == "success" then
      passed = passed + 1
    elseif status == "pending" then
      skipped = skipped + 1
      io.write("\nskipped: " .. handler.getFullName(element) .. "\n")
    else
      failed = failed + 1
    end
    if os.getenv("PERI_VERBOSE") then
      io.write(("%-8s %s\n"):format(status, handler.getFullName(element)))
    end
    return nil, true
  end

  handler.failure = function(element, _, message)
    report("failed", element, message)
    if element.descriptor ~= "it" then
      failed = failed + 1
    end
    return nil, true
  end

  handler.error = function(element, _, message, trace)
    report("error", { name = element.name, trace = trace, descriptor = element.descriptor, attributes = element.attributes }, message)
    if element.descriptor ~= "it" then
      failed = failed + 1
    end
    return nil, true
  end

  handler.suiteEnd = function()
    close_handles()
    local file = assert(io.open(assert(os.getenv("PERI_COUNTS")), "w"))
    file:write(passed, " ", failed, " ", skipped, "\n")
    file:close()
    return nil, true
  end

  busted.subscribe({ "test", "end" }, handler.testEnd, { predicate = handler.cancelOnPending })
  busted.subscribe({ "failure" }, handler.failure)
  busted.subscribe({ "error" }, handler.error)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
