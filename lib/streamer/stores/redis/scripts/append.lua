-- ARGV: key, epoch, after, last, frames; with a piece or a close also state ("" for open), and the milliseconds that entries and the result
-- are kept behind a close; with a piece also its text and its events. 1 when it is stored, otherwise the head.
local epoch, after, last, frames = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local state = ARGV[6] and ARGV[6] ~= "" and ARGV[6]
local piece = ARGV[9]

local meta = redis.call("HMGET", META, "epoch", "sequence", "state", "stop", "bytes", "compacted", "text_epoch")
local compacted = meta[6]
if meta[1] ~= epoch or meta[2] ~= after or meta[3] or not (state or tonumber(meta[4]) < tonumber(epoch)) then return head(load()) end
if compacted and redis.call("EXISTS", TEXT) == 0 then return head(load()) end

local time = state and now()
-- NOMKSTREAM: a writer that was away for long must not bring back what was deleted.
local id, first = epoch .. "-" .. last, integer(after + 1)
local batch = { "XADD", LOG, "NOMKSTREAM", id, "n", first, "f", frames }
if state then batch[9], batch[10] = "s", state end
if not redis.call(unpack(batch)) then return head(load()) end

redis.call("HSET", META, "sequence", last, "bytes", integer(meta[5] + #frames))
if piece then
  redis.call("XADD", TEXT, id, "t", piece, "e", ARGV[10])
  redis.call("HSET", META, "compacted", id)
end
if not state then return 1 end

-- Entries whose text is in no piece are the result, and are kept as long.
local whole = piece or compacted == epoch .. "-" .. after or (after == "0" and meta[7] == epoch)
local result = integer(time + ARGV[8])
redis.call("HSET", META, "state", state, "close", frames, "first", first)
if whole then redis.call("HSET", META, "whole", 1) end
redis.call("HDEL", META, "owner", "lease")
redis.call("ZREM", OPEN, KEY)
redis.call("ZADD", CLOSED, integer(time), KEY)
redis.call("ZREMRANGEBYSCORE", CLOSED, "-inf", integer(time - ARGV[8]))
redis.call("PEXPIREAT", META, result)
redis.call("PEXPIREAT", TEXT, result)
redis.call("PEXPIREAT", LOG, whole and integer(time + ARGV[7]) or result)
return 1
