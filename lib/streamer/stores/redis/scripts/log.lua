-- What the scripts of one log share; it stands before each of them. The numbers of a log are below 2^53, times are milliseconds.
--
-- KEYS: the hash of what is known of the log, the stream of its batches, the stream of its text's pieces, and its family's two sorted sets:
-- logs that somebody writes by the end of the lease, and closed logs by the time of their close. ARGV[1]: the log's key.
local META, LOG, TEXT, OPEN, CLOSED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEY = ARGV[1]
local FIELDS = { "epoch", "sequence", "state", "text_epoch", "pruned", "compacted", "stop", "owner", "lease", "interrupted", "bytes", "created",
                 "first", "whole" }

local function integer(number) return string.format("%.0f", number) end

local function position(epoch, sequence) return integer(epoch) .. "-" .. integer(sequence) end

local function now()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Redis deletes a log's keys one by one when it is short of memory and was allowed to. What is left is no log: an answer with a hole in it
-- must not pass for one.
local function damaged(log)
  if log.epoch > 0 and not log.entries and not log.whole then return true end
  return log.compacted and redis.call("EXISTS", TEXT) == 0
end

-- The log as a table; nil when there is none, which its family's sets then know, too.
local function load()
  local values = redis.call("HMGET", META, unpack(FIELDS))
  local log = {}
  for index, name in ipairs(FIELDS) do log[name] = values[index] end
  if log.epoch then
    log.epoch, log.sequence, log.lease = tonumber(log.epoch), tonumber(log.sequence), tonumber(log.lease or 0)
    log.entries = redis.call("EXISTS", LOG) == 1
    if not damaged(log) then return log end
  end
  redis.call("ZREM", OPEN, KEY)
  redis.call("ZREM", CLOSED, KEY)
end

-- The log in the order in which Redis::Reply reads it; false, which is null to a client, for none.
local function head(log)
  if not log then return false end

  local leased = not log.state and log.owner and now() < log.lease
  if log.owner and not log.state and not leased then redis.call("ZADD", OPEN, "NX", integer(log.lease), KEY) end
  local pruned = log.pruned
  if log.state and not log.entries then pruned = position(log.epoch, log.first - 1) end
  return { log.epoch, log.sequence, log.state or "", tonumber(log.text_epoch), pruned or "0-0", log.compacted or "0-0", tonumber(log.stop),
           log.owner or "", leased and 1 or 0, tonumber(log.interrupted), tonumber(log.bytes), tonumber(log.created) }
end
