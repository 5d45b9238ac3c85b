-- What a node has committed, as it stands at one moment: its row, its key, its evidence and the network's rotation.
-- KEYS: the hashes of nodes, keys, evidence, rotation
-- ARGV: node id
local id = ARGV[1]
return { redis.call('HGET', KEYS[1], id), redis.call('HGET', KEYS[2], id), redis.call('HGET', KEYS[3], id),
  redis.call('HGET', KEYS[4], 'current') }
