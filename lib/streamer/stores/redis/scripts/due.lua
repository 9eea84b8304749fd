-- KEYS: one of a family's sorted sets. ARGV: how many milliseconds ago, and how many keys at most.
local time = redis.call("TIME")
local latest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
return redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", string.format("%.0f", latest), "LIMIT", 0, ARGV[2])
