-- A module that requires itself.
-- kind: balancer
-- case load: load: requires itself
return require("itself")
