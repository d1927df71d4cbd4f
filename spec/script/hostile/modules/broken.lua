local half = { ready = true }
error("raised halfway")
return half
