local corpus = require("spec.script.corpus")

setup(corpus.open)
teardown(corpus.close)

-- The same attacks with a collector that never rests.
for _, attack in ipairs(corpus.attacks()) do
  describe("hostile " .. attack.name, function()
    for _, case in ipairs(attack.cases) do
      it(("in %s, while garbage is collected: %s"):format(case.stage, case.name), function()
        corpus.make(attack, case, true)
      end)
    end
  end)
end
