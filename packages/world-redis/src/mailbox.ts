/**
 * The mailbox: what others leave for a run. A delivery and a parking commit are scripts in one partition, so one of them
 * sees the other. How a message finds the run that has a token is told in `names.ts`.
 */
import type { DeliverResult, Delivery, Message } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { ADDRESS, CONFIRM, DELIVER } from "./lua/mailbox.ts";
import { type Claim, readClaim } from "./names.ts";
import { divide } from "./partitions.ts";
import { hookIn, packMail, type Reply, tokenName } from "./schema.ts";
import { writing } from "./script.ts";
import { toStored } from "./text.ts";

const putIn = writing("deliver", DELIVER);
const findAddress = writing("find address", ADDRESS);
const confirm = writing("confirm address", CONFIRM);

// For so long (ms) a message that was addressed and, as far as anybody said, not delivered finds the same run again.
const ADDRESS_TTL = 24 * 60 * 60 * 1_000;

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

/** A message on its way. */
interface Letter {
  readonly place: number;
  readonly message: Message;
  /** `null` where it is addressed to a run. */
  readonly token: string | null;
  readonly runId: string;
  /** The hook that has the token, as the token's partition tells. */
  readonly claim: Claim | null;
  readonly claimBytes: Buffer | null;
}

export function deliver(connection: Connection): Deliver {
  const { partitions } = connection;
  const tokenPartition = ({ token }: Letter): number => partitions.of(tokenName(token ?? ""));

  /** Finds the runs of tokens. A claim that a letter brings along is known to be void. */
  async function address(letters: readonly Letter[]): Promise<Letter[]> {
    const answers = await connection.runShares(findAddress, divide(letters, tokenPartition), ({ items }) => [
      String(ADDRESS_TTL),
      ...items.flatMap(({ token, message, claimBytes }) => [
        tokenName(token ?? ""),
        toStored(message.messageId),
        claimBytes ?? "",
      ]),
    ]);
    return letters.map((letter, index) => {
      const bytes = answers[index];
      if (!Buffer.isBuffer(bytes)) return { ...letter, claim: null };
      const claim = readClaim(bytes);
      return { ...letter, claim, claimBytes: bytes, runId: claim.runId };
    });
  }

  async function put(letters: readonly Letter[], now: number): Promise<readonly Reply[]> {
    const shares = divide(letters, ({ runId }) => partitions.of(toStored(runId)));
    return connection.runShares(putIn, shares, ({ items }) => [
      ...connection.clock(now),
      ...items.flatMap(({ runId, message, token, claim }) => [
        toStored(runId),
        toStored(message.messageId),
        packMail(message),
        claim?.mark ?? "",
        ...(token === null ? [] : [tokenName(token)]),
      ]),
    ]);
  }

  return async (batch, now) => {
    const results: DeliverResult[] = [];
    const runIds = new Set<string>();
    let due = false;
    let open: readonly Letter[] = batch.map((message, place) => {
      const token = "token" in message.to ? message.to.token : null;
      const runId = "token" in message.to ? "" : message.to.runId;
      return { place, message, token, runId, claim: null, claimBytes: null };
    });
    const delivered: Letter[] = [];
    while (open.length > 0) {
      const found = await address(open.filter(({ token }) => token !== null));
      const addressed: Letter[] = [];
      for (const letter of [...found, ...open.filter(({ token }) => token === null)]) {
        if (letter.token !== null && letter.claim === null)
          results[letter.place] = { outcome: "no_such_hook" };
        else addressed.push(letter);
      }
      addressed.sort((a, b) => a.place - b.place);
      const answers = await put(addressed, now);
      const next: Letter[] = [];
      for (const [index, letter] of addressed.entries()) {
        const answer = answers[index] ?? null;
        const { place, runId } = letter;
        if (answer !== null && typeof answer === "object" && !Buffer.isBuffer(answer)) {
          const [state, hook] = answer as readonly [Buffer, Buffer];
          results[place] = { outcome: "delivered", runId, hookId: hookIn(hook).hookId };
          if (letter.token !== null) delivered.push(letter);
          if (String(state) !== "S") runIds.add(runId);
          due ||= String(state) === "W";
        } else if (String(answer) === "G") {
          next.push(letter);
        } else {
          results[place] =
            String(answer) === "N" ? { outcome: "no_such_run" } : { outcome: "finished", runId };
        }
      }
      open = next;
    }
    await connection.runShares(confirm, divide(delivered, tokenPartition), ({ items }) =>
      items.map(({ message }) => toStored(message.messageId)),
    );
    return { results, runIds: [...runIds], due };
  };
}
