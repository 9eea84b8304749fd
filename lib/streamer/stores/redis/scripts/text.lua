-- The pieces of the current text, and none of one that lost some.
local log = load()
return log and redis.call("XRANGE", TEXT, log.text_epoch .. "-0", "+") or {}
