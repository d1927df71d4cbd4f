-- Two modules that require each other.
-- kind: balancer
-- case load: load: requires itself
return require("circle_a")
