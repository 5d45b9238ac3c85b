-- Ends reservations whose lease is over without a charge; returns how many.
-- KEYS: balance, leases, entries, usage
-- ARGV: prefix of open records, prefix of limits, most to end in one call, most usage records kept
local now = nowMs()
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', integer(now), 'LIMIT', 0, ARGV[3])
local usage = { inputTokens = 0, cachedInputTokens = 0, outputTokens = 0, images = 0, imagePixels = 0 }
for _, id in ipairs(ids) do
  local open = ARGV[1] .. id
  local endpoint = redis.call('HGET', open, 'endpoint')
  local keys = { balance = KEYS[1], open = open, leases = KEYS[2], entries = KEYS[3] }
  local charged, key, model = resolve(keys, ARGV[2], id, 'expire', '0', 0, '', now)
  if charged then
    local record = cjson.encode({ timeMs = now, requestId = id, keyId = key, model = model, endpoint = endpoint,
      nodeId = '', priceVersion = '', usage = usage, estimated = false, status = 0, ending = 'expired' })
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], '*', 'charged', '0', 'record', record)
  else
    redis.call('ZREM', KEYS[2], id)
  end
end
return #ids
