-- The arithmetic of bucket.rs, and how a bucket lies in Redis: four doubles. Times in microseconds.
local RECOVERY, LEAST, EPISODE, TOLERANCE = 0.01, 1 / 64, 2e6, 1

-- ARGV[1]: the time in a test that stands still, else empty. ARGV[2]: milliseconds that a key stays longer than needed.
local now
if ARGV[1] ~= '' then
  now = tonumber(ARGV[1])
else
  local time = redis.call('TIME')
  now = time[1] * 1e6 + time[2]
end

local function read(packed)
  if not packed then
    return { full_at = 0, paused_until = 0, share = 1, slowed_at = 0 }
  end
  local full_at, paused_until, share, slowed_at = struct.unpack('<dddd', packed)
  return { full_at = full_at, paused_until = paused_until, share = share, slowed_at = slowed_at }
end

local function write(key, bucket)
  local needed_until = math.max(bucket.full_at, bucket.paused_until)
  if bucket.share < 1 then
    needed_until = math.max(needed_until, bucket.slowed_at + (1 - bucket.share) / RECOVERY * 1e6)
  end
  local milliseconds = math.ceil((needed_until - now) / 1000) + ARGV[2]
  if milliseconds > 0 then
    local packed = struct.pack('<dddd', bucket.full_at, bucket.paused_until, bucket.share, bucket.slowed_at)
    redis.call('SET', key, packed, 'PX', string.format('%.0f', milliseconds))
  end
end

local function share_now(bucket)
  return math.min(bucket.share + math.max(now - bucket.slowed_at, 0) / 1e6 * RECOVERY, 1)
end
