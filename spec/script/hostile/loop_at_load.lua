-- A loop that never ends where the file loads.
-- kind: balancer
-- case load: load: budget of
while true do
  pcall(function()
    while true do
    end
  end)
end
