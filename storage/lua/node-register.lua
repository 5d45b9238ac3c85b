-- Takes in where a node listens: "current" where that is known, "replayed" where the owner has replaced it before, "full"
-- where too many have been taken in from this owner.
-- KEYS: hash of the registrations, set of the hashes that were taken in from this owner for this node
-- ARGV: node's id, hash of what was signed, registration (JSON), most hashes
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[3] then return 'current' end
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then return 'replayed' end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[4]) then return 'full' end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'registered'
