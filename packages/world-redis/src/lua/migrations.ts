/**
 * Makes a partition, or reads what it is: version, number of partitions. Answers what the store has.
 *
 * The only script that does not require that the partition exists.
 */
export const OPEN: string = `
redis.call('HSETNX', KEYS[1], 'version', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
return redis.call('HMGET', KEYS[1], 'version', 'partitions')
`;
