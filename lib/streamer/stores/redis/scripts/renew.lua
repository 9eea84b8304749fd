-- ARGV: key, epoch, owner, lease. The renewed lease stands in the family's set again, wherever that had gone.
local log = load()
if log and not log.state and log.epoch == tonumber(ARGV[2]) and log.owner == ARGV[3] then
  log.lease = now() + tonumber(ARGV[4])
  redis.call("HSET", META, "lease", integer(log.lease))
  redis.call("ZADD", OPEN, integer(log.lease), KEY)
end
return head(log)
