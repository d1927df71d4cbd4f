-- A yield where the file loads.
-- kind: balancer
-- case load: load: yield
coroutine.yield()
return require("hostile")("balancer", "yield_at_load", {})
