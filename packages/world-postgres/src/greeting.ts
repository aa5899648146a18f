/** Whether what answers on a connection is Postgres at all. The driver would wait for the rest of a message that is none. */
import type { Socket } from "node:net";
import type { Client } from "pg";

// Asks for the login, refuses it, says something, takes or refuses TLS, or offers another version of the protocol.
const FIRST_MESSAGES = "RENSv";
const LONGEST = 64 * 1024;

/** Ends a connection that is about to be made as soon as the other side says something that Postgres would not. */
export function endIfForeign(client: Client): void {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } }).connection;
  stream.once("data", (bytes: Buffer) => {
    // As the driver says it of what it does not know.
    if (!isGreeting(bytes)) stream.destroy(new Error(`received invalid response: ${bytes[0]?.toString(16)}`));
  });
}

/** A message of Postgres is a letter and its length; the answer to the question for TLS is a letter alone. */
export function isGreeting(bytes: Buffer): boolean {
  if (!FIRST_MESSAGES.includes(String.fromCharCode(bytes[0] ?? 0))) return false;
  const length = bytes.length < 5 ? 4 : bytes.readInt32BE(1);
  return length >= 4 && length <= LONGEST;
}
