-- What is left of an evicted log keeps its key taken: the same ids must not get other bytes.
if redis.call("EXISTS", META, LOG, TEXT) > 0 then return 0 end

redis.call("HSET", META, "epoch", 0, "sequence", 0, "text_epoch", 0, "stop", 0, "interrupted", 0, "bytes", 0, "created", integer(now()))
return 1
