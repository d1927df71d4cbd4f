-- A loop that never ends where a module loads.
-- kind: balancer
-- case load: load: budget of
return require("endless")
