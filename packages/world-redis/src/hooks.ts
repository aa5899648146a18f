/**
 * Hook tokens, as far as a commit asks for them: which of its commits must wait for others of the batch, and what each
 * tells the script about its tokens. The protocol is in `names.ts`.
 */
import type { HookConflict, NewEvent, RunCommit } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { ANNOUNCE } from "./lua/names.ts";
import { type Names, newMark } from "./names.ts";
import { divide } from "./partitions.ts";
import { conflictIn, type Name, packEvent, tokenName } from "./schema.ts";
import { writing } from "./script.ts";
import { type Stored, toBytes, toStored } from "./text.ts";

const announce = writing("announce tokens", ANNOUNCE);

/** A token that a commit asks for, and what became of it. */
interface AskedToken {
  readonly name: Name;
  /** The mark under which it is reserved. */
  readonly mark: string;
  /** The other run that has it. */
  readonly owner: string | null;
}

/** By the text of the token. */
export type TokenVerdicts = ReadonlyMap<string, AskedToken>;

/** One commit of a batch. */
export interface Entry {
  readonly place: number;
  readonly request: RunCommit;
  /** The tokens that it asks for, each once. */
  readonly tokens: readonly string[];
}

export function entriesOf(batch: readonly RunCommit[]): Entry[] {
  return batch.map((request, place) => {
    const asked = request.events.filter(asksForToken).map(({ name }) => name as string);
    return { place, request, tokens: asked.length > 1 ? [...new Set(asked)] : asked };
  });
}

function asksForToken(event: NewEvent): boolean {
  return event.type === "hook_created" && event.id !== null && event.name !== null;
}

/**
 * Gets the tokens of these commits, as far as they are free. Not in the answer: commits that have to wait, because a
 * commit before them in the batch wants the same token or may give it up.
 */
export type SettleTokens = (entries: readonly Entry[], now: number) => Promise<Map<Entry, TokenVerdicts>>;

export function settleTokens(connection: Connection, names: Names): SettleTokens {
  const { partitions } = connection;

  return async (entries, now) => {
    const ready = withoutRivals(entries);
    const settled = new Map<Entry, TokenVerdicts>(ready.map((entry) => [entry, new Map()]));
    const asking = ready.filter(({ tokens }) => tokens.length > 0);
    const shares = divide(asking, ({ request }) => partitions.of(toStored(request.runId)));
    const answers = await connection.runShares(announce, shares, ({ items }) =>
      items.flatMap(({ request, tokens }) => [
        toStored(request.runId),
        String(request.epoch),
        toStored(request.claimId),
        String(request.seq),
        String(tokens.length),
        ...tokens.flatMap((token) => [tokenName(token), newMark()]),
      ]),
    );

    const wanted: { entry: Entry; token: string; name: Name; mark: string; runId: string; state: string }[] =
      [];
    for (const [index, entry] of asking.entries()) {
      const marks = answers[index] as readonly Buffer[] | null;
      if (marks === null) continue; // It will not be written: the commit's own answer says why.
      for (const [place, token] of entry.tokens.entries()) {
        const text = String(marks[place]);
        const { runId } = entry.request;
        wanted.push({
          entry,
          token,
          name: tokenName(token),
          mark: text.slice(1),
          runId,
          state: text.charAt(0),
        });
      }
    }
    const free = wanted.filter(({ state }) => state === "P");
    const holders = new Map(
      (await names.reserveAll(free, now)).map((holder, index) => [free[index], holder]),
    );
    const earlier = new Map(entries.map(({ request, place }) => [request.runId, place]));
    for (const want of wanted) {
      const { entry, token, name, mark, runId } = want;
      const owner = holders.get(want)?.runId ?? null;
      if (owner !== null && (earlier.get(owner) ?? entry.place) < entry.place) {
        settled.delete(entry); // Its owner's commit comes first, and may give the token up.
        continue;
      }
      const verdicts = settled.get(entry) as Map<string, AskedToken> | undefined;
      // Whether a run conflicts with itself is the script's to say.
      verdicts?.set(token, { name, mark, owner: owner === runId ? null : owner });
    }
    return settled;
  };
}

/** The commits whose tokens no commit before them asks for. */
function withoutRivals(entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  return entries.filter(({ tokens }) => {
    const alone = tokens.every((token) => !seen.has(token));
    for (const token of tokens) seen.add(token);
    return alone;
  });
}

/** The events and acts of a commit, as its script takes them. */
export function packEvents({ request, tokens }: Entry, verdicts: TokenVerdicts): Stored[] {
  const { events } = request;
  const packed: Stored[] = [String(events.length)];
  const acts: Stored[] = [];
  let count = 0;
  for (const [index, event] of events.entries()) {
    const place = String(index + 1);
    if (event.type === "hook_disposed" && event.id !== null) {
      packed.push(packEvent(event));
      acts.push(place, "-", toStored(event.id));
      count++;
      continue;
    }
    const verdict = tokens.length > 0 && asksForToken(event) ? verdicts.get(event.name as string) : undefined;
    if (event.type !== "hook_created" || event.id === null || event.name === null) {
      packed.push(packEvent(event));
      continue;
    }
    count++;
    if (verdict !== undefined && verdict.owner !== null) {
      packed.push(packEvent(conflictOf(event, verdict.owner)));
      acts.push(place, "!", verdict.name);
      continue;
    }
    const hookId = toBytes(event.id);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(hookId.length);
    packed.push(packEvent(event));
    const mark = verdict?.mark ?? "";
    acts.push(
      place,
      "+",
      hookId,
      length,
      tokenName(event.name),
      mark,
      packEvent(conflictOf(event, request.runId)),
    );
  }
  return [...packed, String(count), ...acts];
}

function conflictOf(event: NewEvent, owner: string): NewEvent {
  return { ...event, type: "hook_conflict", data: Buffer.from(owner) };
}

/** @param events packed `hook_conflict` events */
export function conflictsOf(events: readonly Buffer[]): HookConflict[] {
  return events.flatMap((event) => conflictIn(event) ?? []);
}
