/**
 * Makes a partition, or reads what it is: version, number of partitions. Answers what the store has.
 *
 * The only script that does not require that the partition exists.
 */
export const OPEN: string = `
-- A server whose memory is full lets nobody begin to write; a store that is there is opened, so that runs can be deleted.
local known = redis.call('HMGET', KEYS[1], 'version', 'partitions')
if known[1] and known[2] then return known end
redis.call('HSETNX', KEYS[1], 'version', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
return redis.call('HMGET', KEYS[1], 'version', 'partitions')
`;
