-- ARGV: key, epoch, owner.
local log = load()
if log and not log.state and log.epoch == tonumber(ARGV[2]) and log.owner == ARGV[3] then
  redis.call("HDEL", META, "owner", "lease")
  redis.call("ZREM", OPEN, KEY)
  log.owner = false
end
return head(log)
