std = "luajit"
max_line_length = 120
-- A method keeps its `self`, and a policy its parameters, also where it needs none.
self = false
-- Specs hold their data and their titles on one line each.
files["spec"] = { std = "+busted", max_line_length = false }
-- Type notes declare functions without bodies.
files["lua/perigee/_meta"] = { ignore = { "211", "212", "221", "241" }, max_line_length = false }
-- What a configuration has at hand.
files["examples"] = { read_globals = { "env", "secret_file" } }
-- These do what no policy should.
exclude_files = { "spec/script/hostile" }
