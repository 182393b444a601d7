-- Pauses the bucket KEYS[1] for ARGV[4] microseconds, or slows it down: ARGV[3] is 'pause' or 'slow'.
local bucket = read(redis.call('GET', KEYS[1]))
if ARGV[3] == 'pause' then
  bucket.paused_until = math.max(bucket.paused_until, now + ARGV[4])
elseif math.abs(now - bucket.slowed_at) >= EPISODE then
  bucket.share, bucket.slowed_at = math.max(share_now(bucket) / 2, LEAST), now
end
write(KEYS[1], bucket)
return redis.status_reply('OK')
