--- libuv's handles must be closed while Lua still lives, or luv crashes at its end.
return function()
  local uv = package.loaded.luv
  if uv then
    uv.walk(function(handle)
      if not handle:is_closing() then
        handle:close()
      end
    end)
    uv.run()
  end
end
