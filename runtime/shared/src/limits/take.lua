-- Takes tokens, for each ask from all of its buckets or from none.
-- KEYS: the buckets. ARGV[3]: rate and burst of each. ARGV[4]: for each ask the number of its buckets, one byte, and
-- their places in KEYS, two bytes each.
-- Gives for each ask one byte, 0 or the place in it of the bucket to wait for, and how long to wait, a double.
local buckets, position = {}, 1
for place, packed in ipairs(redis.call('MGET', unpack(KEYS))) do
  local bucket = read(packed)
  local rate, burst
  rate, burst, position = struct.unpack('<dd', ARGV[3], position)
  bucket.interval = 1e6 / (rate * share_now(bucket))
  bucket.window = math.max(burst * 1e6 / rate, bucket.interval)
  bucket.refused = 0
  -- It owes nothing, of a limit that was lower or of a clock that was set back.
  if bucket.full_at > now + bucket.window then
    bucket.full_at, bucket.changed = now + bucket.window, true
  end
  buckets[place] = bucket
end

local answers, asks, at = {}, ARGV[4], 1
while at <= #asks do
  local count = string.byte(asks, at)
  local latest, waits_for, waits_in = now + TOLERANCE, nil, 0
  for place = 1, count do
    local low, high = string.byte(asks, at + 2 * place - 1, at + 2 * place)
    local bucket = buckets[low + 256 * high + 1]
    local level = math.max(bucket.full_at, now)
    local free_at = level + bucket.interval * (bucket.refused + 1) - bucket.window
    -- Who was refused before waits for a token of its own; who comes later may still take one that is there.
    local token_at = level + bucket.interval - bucket.window
    local blocked_until = math.max(token_at, bucket.paused_until)
    if blocked_until > now + TOLERANCE then
      local moment = math.max(free_at, bucket.paused_until)
      if moment > latest then
        latest, waits_for, waits_in = moment, bucket, place
      end
    end
  end
  if waits_for then
    waits_for.refused = waits_for.refused + 1
  else
    for place = 1, count do
      local low, high = string.byte(asks, at + 2 * place - 1, at + 2 * place)
      local bucket = buckets[low + 256 * high + 1]
      bucket.full_at = math.max(bucket.full_at, now) + bucket.interval
      bucket.changed = true
    end
  end
  answers[#answers + 1] = struct.pack('<Bd', waits_in, latest - now)
  at = at + 1 + 2 * count
end

for place, bucket in ipairs(buckets) do
  if bucket.changed then
    write(KEYS[place], bucket)
  end
end
return table.concat(answers)
