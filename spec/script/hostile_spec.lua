local corpus = require("spec.script.corpus")

setup(corpus.open)
teardown(corpus.close)

for _, attack in ipairs(corpus.attacks()) do
  describe("hostile " .. attack.name, function()
    for _, case in ipairs(attack.cases) do
      it(("in %s: %s"):format(case.stage, case.name), function()
        for stage, took in pairs(corpus.make(attack, case, false)) do
          if os.getenv("PERI_SHOW") then
            print(("%8.2f ms %s %s/%s"):format(took, stage, attack.name, case.name))
          end
        end
      end)
    end
  end)
end
