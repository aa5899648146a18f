/** How large things may be, so that the server takes them and every later reader can read them. */
import type { WorldCapabilities } from "@perdure/core/world";
import type { ServerSettings } from "./durability.ts";

// The server takes 512 MB as one argument. It holds that several times while a script reads or writes it, a reader as
// bytes and as text, and by default it drops a replica that is 256 MB behind.
const LARGEST_VALUE = 128 * 1_024 * 1_024;
const LARGEST_BATCH = 16 * 1_024 * 1_024;
// What stands beside a value in its argument and command: the event's id, name and header, and the run's row.
const BESIDE_A_VALUE = 64 * 1_024;

/** The limits of a World on these servers; the smallest counts. */
export function sizesOf(
  servers: readonly Pick<ServerSettings, "longestArgument" | "longestCommand">[],
): Required<Pick<WorldCapabilities, "largestValue" | "largestBatch">> {
  const longestCommand = Math.min(...servers.map((server) => server.longestCommand));
  const longestArgument = Math.min(longestCommand, ...servers.map((server) => server.longestArgument));
  return {
    largestValue: Math.min(LARGEST_VALUE, longestArgument - BESIDE_A_VALUE),
    // The server also counts what it has received of the next command.
    largestBatch: Math.min(LARGEST_BATCH, Math.floor(longestCommand / 2)),
  };
}
