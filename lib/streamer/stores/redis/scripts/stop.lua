-- ARGV: key, epoch.
local log = load()
if log and not log.state and log.epoch == tonumber(ARGV[2]) then
  redis.call("HSET", META, "stop", ARGV[2])
  log.stop = ARGV[2]
end
return head(log)
