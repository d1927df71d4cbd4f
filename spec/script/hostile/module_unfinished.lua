-- A module that is no Lua.
-- kind: balancer
-- case load: load: unfinished.lua:
return require("unfinished")
