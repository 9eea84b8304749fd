-- ARGV: key, epoch and sequence up to which entries are wanted no more. What is in no piece stays, and so does the close.
local function parse(text)
  local epoch, sequence = text:match("(%d+)-(%d+)")
  return tonumber(epoch), tonumber(sequence)
end

local log = load()
if not log then return false end

-- Whether nothing is left that could be pruned another time.
local done = true
if log.entries and log.compacted then
  local epoch, sequence = tonumber(ARGV[2]), tonumber(ARGV[3])
  local compacted_epoch, compacted_sequence = parse(log.compacted)
  done = epoch > compacted_epoch or (epoch == compacted_epoch and sequence >= compacted_sequence)
  if done then epoch, sequence = compacted_epoch, compacted_sequence end
  if log.state and epoch == log.epoch and sequence >= tonumber(log.first) then sequence = log.first - 1 end

  local gone = redis.call("XREVRANGE", LOG, position(epoch, sequence), "-", "COUNT", 1)[1]
  if gone then
    -- First what frees memory: it is done also where Redis has none left, and what follows then is, too.
    redis.call("XTRIM", LOG, "MINID", position(epoch, sequence + 1))
    redis.call("HSET", META, "pruned", gone[1])
    log.pruned = gone[1]
  end
end
if log.state and (done or redis.call("XLEN", LOG) <= 1) then redis.call("ZREM", CLOSED, KEY) end
return head(log)
