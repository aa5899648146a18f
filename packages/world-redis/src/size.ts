/** How large things may be, so that the server takes them and every later reader can read them. */

// The server takes 512 MB as one argument. It holds that several times while a script reads or writes it, a reader as
// bytes and as text, and by default it drops a replica that is 256 MB behind.
const LARGEST_VALUE = 128 * 1_024 * 1_024;
// What stands beside a value in its argument: the event's id, name and header.
const BESIDE_A_VALUE = 16 * 1_024;

/** @param longestArgument `proto-max-bulk-len` of the server */
export function largestValueOf(longestArgument: number): number {
  return Math.min(LARGEST_VALUE, longestArgument - BESIDE_A_VALUE);
}
