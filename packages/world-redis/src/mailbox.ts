/**
 * The mailbox: what others leave for a run. A delivery and a parking commit are scripts in one partition, so one of them
 * sees the other. How a message finds the run that has a name is told in `names.ts`.
 */
import type { DeliverResult, Delivery, Message } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { CONFIRM, DELIVER } from "./lua/mailbox.ts";
import { type Claim, firstClaim } from "./name-entry.ts";
import type { NameReads } from "./name-reads.ts";
import { divide } from "./partitions.ts";
import { packMail, packTarget, type Reply, targetIn } from "./schema.ts";
import { writing } from "./script.ts";
import { address } from "./sending.ts";
import { type Stored, toStored } from "./text.ts";

const putIn = writing("deliver", DELIVER);
const confirm = writing("confirm address", CONFIRM);

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

/** A message on its way. */
interface Letter {
  readonly place: number;
  readonly message: Message;
  readonly runId: string;
  /** What it is for where it is addressed to a run. */
  readonly target: Stored;
}

/** A message over a name. */
interface NamedLetter extends Letter {
  readonly name: string;
  readonly messageId: string;
  /** The claim under which its run has the name, as the name's partition tells. */
  readonly claim: Claim;
  /** The last claim whose run has not taken it, and all of those. */
  readonly refused: Buffer | null;
  readonly tried: readonly Buffer[];
  /** Those of their runs that have ended. */
  readonly ended: readonly string[];
}

export function deliver(connection: Connection, { getNames }: NameReads): Deliver {
  const { partitions } = connection;

  async function put(letters: readonly Letter[], now: number): Promise<readonly Reply[]> {
    const shares = divide(letters, ({ runId }) => partitions.of(toStored(runId)));
    return connection.runShares(putIn, shares, ({ items }) => [
      ...connection.clock(now),
      ...items.flatMap((letter) => [
        toStored(letter.runId),
        toStored(letter.message.messageId),
        packMail(letter.message),
        ...(isNamed(letter)
          ? ["=", toStored(letter.name), letter.claim.mark]
          : [letter.message.atEnd === true ? "e" : "+", letter.target]),
      ]),
    ]);
  }

  /** A message that no run takes; `null` where a run that was not seen to have ended has got the name since. */
  async function refusalOf({ name, tried, ended }: NamedLetter, now: number): Promise<DeliverResult | null> {
    const [first] = ended;
    if (first === undefined) return { outcome: "no_such_name" };
    if (tried.length === 1) return { outcome: "finished", runId: first };
    const [held] = await getNames([name], now);
    if (held === null || held === undefined) return { outcome: "no_such_name" };
    return ended.includes(held.runId) ? { outcome: "finished", runId: held.runId } : null;
  }

  return async (batch, now) => {
    const results: DeliverResult[] = [];
    const runIds = new Set<string>();
    let due = false;
    let direct: readonly Letter[] = batch.flatMap((message, place) => letterTo(message, place) ?? []);
    let open: readonly NamedLetter[] = batch.flatMap((message, place) => letterOver(message, place) ?? []);
    const delivered: NamedLetter[] = [];
    while (open.length > 0 || direct.length > 0) {
      const claims = await address(connection, open);
      const addressed: Letter[] = [...direct];
      const next: NamedLetter[] = [];
      direct = [];
      for (const [index, letter] of open.entries()) {
        const bytes = claims[index] ?? null;
        if (bytes === null || letter.tried.some((one) => one.equals(bytes))) {
          const refusal = await refusalOf(letter, now);
          if (refusal === null) next.push({ ...letter, refused: null, tried: [], ended: [] });
          else results[letter.place] = refusal;
        } else {
          const { claim } = firstClaim(bytes);
          const found: NamedLetter = {
            ...letter,
            claim,
            runId: claim.runId,
            refused: bytes,
            tried: [...letter.tried, bytes],
          };
          addressed.push(found);
        }
      }
      addressed.sort((a, b) => a.place - b.place);
      const answers = await put(addressed, now);
      for (const [index, letter] of addressed.entries()) {
        const answer = answers[index] ?? null;
        const { place, runId } = letter;
        if (Array.isArray(answer)) {
          const [state, target] = answer as unknown as readonly [Buffer, Buffer];
          results[place] = { outcome: "delivered", runId, id: targetIn(target).id };
          if (isNamed(letter)) delivered.push(letter);
          if ("WD".includes(String(state))) runIds.add(runId);
          due ||= String(state) === "W";
        } else if (isNamed(letter)) {
          next.push(String(answer) === "F" ? { ...letter, ended: [...letter.ended, runId] } : letter);
        } else {
          results[place] =
            String(answer) === "N" ? { outcome: "no_such_run" } : { outcome: "finished", runId };
        }
      }
      open = next;
    }
    await connection.runShares(
      confirm,
      divide(delivered, ({ name }) => partitions.of(toStored(name))),
      ({ items }) => items.map(({ messageId }) => toStored(messageId)),
    );
    return { results, runIds: [...runIds], due };
  };
}

function isNamed(letter: Letter): letter is NamedLetter {
  return "name" in letter;
}

function letterTo(message: Message, place: number): Letter | null {
  const { to } = message;
  if (!("runId" in to)) return null;
  return { place, message, runId: to.runId, target: packTarget(to.id ?? null) };
}

function letterOver(message: Message, place: number): NamedLetter | null {
  const { to, messageId } = message;
  if (!("name" in to)) return null;
  const nowhere = { runId: "", target: "", claim: { mark: "", runId: "" } };
  return { place, message, messageId, name: to.name, ...nowhere, refused: null, tried: [], ended: [] };
}
