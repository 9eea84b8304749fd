-- ARGV: key, owner, lease, mode, and the frames of a log's first attempt and of a later one, with numbers to be replaced:
-- 2000000011 the attempt, 2000000022 and 2000000033 the position before it.
local owner, lease, mode = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local log = load()
if not log or log.state then return false end

local time = now()
local over = log.owner and time >= log.lease
if log.owner and log.owner ~= owner and not over then return false end

local epoch, begun = integer(log.epoch + 1), log.epoch > 0
local frames = (begun and ARGV[6] or ARGV[5]):gsub("2000000011", epoch)
if begun then frames = frames:gsub("2000000022", integer(log.epoch)):gsub("2000000033", integer(log.sequence)) end

local id = epoch .. "-0"
if begun then
  redis.call("XADD", LOG, "NOMKSTREAM", id, "n", 0, "f", frames)
else
  redis.call("XADD", LOG, id, "n", 0, "f", frames)
end
local text_epoch = (begun and mode ~= "reset") and log.text_epoch or epoch
local interrupted = tonumber(log.interrupted) + ((over and log.owner ~= owner) and 1 or 0)
redis.call("HSET", META, "epoch", epoch, "sequence", 0, "owner", owner, "lease", integer(time + lease), "text_epoch", text_epoch,
           "interrupted", integer(interrupted), "bytes", integer(log.bytes + #frames))
redis.call("ZADD", OPEN, integer(time + lease), KEY)
return head(load())
