/** Where messages over names go: written down in the partition of the name, so that a message that is sent again goes there. */
import type { Connection } from "./connection.ts";
import { ADDRESS } from "./lua/mailbox.ts";
import { divide } from "./partitions.ts";
import { writing } from "./script.ts";
import { toStored } from "./text.ts";

const findAddress = writing("find address", ADDRESS);

// For so long (ms) a message that was addressed and, as far as anybody said, not delivered finds the same run again.
const ADDRESS_TTL = 24 * 60 * 60 * 1_000;

/** A message over a name. */
export interface Addressed {
  readonly messageId: string;
  readonly name: string;
  /** A claim whose run does not take it; another address is written down then. */
  readonly refused: Buffer | null;
}

/** The claims to whose runs these messages go; `null` where there is none. */
export async function address(
  connection: Connection,
  messages: readonly Addressed[],
): Promise<readonly (Buffer | null)[]> {
  const shares = divide(messages, ({ name }) => connection.partitions.of(toStored(name)));
  const answers = await connection.runShares(findAddress, shares, ({ items }) => [
    String(ADDRESS_TTL),
    ...items.flatMap(({ messageId, name, refused }) => [toStored(name), toStored(messageId), refused ?? ""]),
  ]);
  return messages.map((_, index) => (Buffer.isBuffer(answers[index]) ? answers[index] : null));
}
