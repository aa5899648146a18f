/**
 * Names, as far as a commit is about them: which commits of a batch must wait for others, and what each tells the script about
 * its claims and releases. The protocol is in `names.ts`.
 */
import type { Claiming, CommitEvent, NameConflict, NewEvent, RunCommit } from "@perdure/core/world";
import type { Contest } from "./contest.ts";
import { packEntry } from "./name-entry.ts";
import type { Asking, Names } from "./names.ts";
import { packEvent, packType, type Reply, unpackEvent } from "./schema.ts";
import { type Stored, toStored } from "./text.ts";

/** What became of a name that a commit asks for. */
interface AskedName {
  /** The mark under which it is reserved. */
  readonly mark: string;
  /** The other run that has it. */
  readonly holder: string | null;
}

/** By the name. */
export type NameVerdicts = ReadonlyMap<string, AskedName>;

const NO_NAMES: NameVerdicts = new Map();

/** One commit of a batch. */
export interface Entry {
  readonly place: number;
  readonly request: RunCommit;
  /** The names that it asks for, each once. */
  readonly names: readonly string[];
}

export function entriesOf(batch: readonly RunCommit[]): Entry[] {
  return batch.map((request, place) => {
    const asked = request.events.flatMap(({ claim }) => (claim === undefined ? [] : [claim.name]));
    return { place, request, names: asked.length > 1 ? [...new Set(asked)] : asked };
  });
}

/** Which commits can be written now, and with which names. */
export interface Settled {
  readonly ready: ReadonlyMap<Entry, NameVerdicts>;
  /** Somebody else is getting a name that another one asks for. */
  readonly undecided: boolean;
}

/**
 * Gets the names of these commits, as far as they are free. Not ready are commits that have to wait, because a commit before
 * them in the batch wants the same name or may give it up, or because another process is getting it.
 */
export async function settleNames(
  names: Names,
  entries: readonly Entry[],
  contest: Contest,
  now: number,
): Promise<Settled> {
  const free = withoutRivals(entries);
  const ready = new Map<Entry, NameVerdicts>(free.map((entry) => [entry, NO_NAMES]));
  const asking = free.filter((entry) => entry.names.length > 0);
  if (asking.length === 0) return { ready, undecided: false };
  const verdicts = await names.ask(asking.map(askingOf), contest, { now, rows: false });
  const earlier = new Map(entries.map(({ request, place }) => [request.runId, place]));
  let undecided = false;
  for (const [index, entry] of asking.entries()) {
    const verdict = verdicts[index] ?? "unwritable";
    if (verdict === "unwritable") continue; // The commit's own answer says why.
    if (verdict === "undecided") {
      undecided = true;
      ready.delete(entry);
      continue;
    }
    const { runId } = entry.request;
    const found = verdict.map(({ name, mark, holder }): [string, AskedName] => {
      // Whether a run conflicts with itself is the script's to say.
      const other = holder === null || holder.runId === runId ? null : holder.runId;
      return [name, { mark, holder: other }];
    });
    const waits = found.some(
      ([, { holder }]) => holder !== null && (earlier.get(holder) ?? entry.place) < entry.place,
    );
    // The holder's commit comes first, and may give the name up.
    if (waits) ready.delete(entry);
    else ready.set(entry, new Map(found));
  }
  return { ready, undecided };
}

function askingOf({ request, names }: Entry): Asking {
  const { runId, epoch, claimId, seq } = request;
  return {
    runId,
    wishes: names.map((name) => ({ name, from: null })),
    commit: { epoch, claimId, seq },
  };
}

/** The commits whose names no commit before them asks for. */
function withoutRivals(entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  return entries.filter(({ names }) => {
    const alone = names.every((name) => !seen.has(name));
    for (const name of names) seen.add(name);
    return alone;
  });
}

/** The events and acts of a commit, as its script takes them. */
export function packEvents({ request }: Entry, verdicts: NameVerdicts): Stored[] {
  const { events } = request;
  const packed: Stored[] = [String(events.length)];
  const acts: Stored[] = [];
  let count = 0;
  for (const [index, event] of events.entries()) {
    const { claim, release } = event;
    const verdict = claim && verdicts.get(claim.name);
    packed.push(packEvent(claim && verdict?.holder ? refused(event, claim, verdict.holder) : event));
    if (claim !== undefined) {
      acts.push(...claimArgs(request.runId, index + 1, event, claim, verdict));
      count++;
    }
    if (release !== undefined) {
      acts.push("-", toStored(release));
      count++;
    }
  }
  return [...packed, String(count), ...acts];
}

function claimArgs(
  runId: string,
  place: number,
  event: CommitEvent,
  claim: Claiming,
  verdict: AskedName | undefined,
): Stored[] {
  const where = [String(place), packType(claim.refusedAs), toStored(claim.name)];
  if (verdict !== undefined && verdict.holder !== null) return ["!", ...where];
  return [
    "+",
    ...where,
    verdict?.mark ?? "",
    toStored(claim.id),
    packEntry(claim, event.at),
    packEvent(refused(event, claim, runId)),
  ];
}

function refused(event: NewEvent, { refusedAs }: Claiming, holder: string): NewEvent {
  return { ...event, type: refusedAs, data: Buffer.from(holder) };
}

/** @param refusals per claim of the commit its event where it was refused, else `null` */
export function conflictsOf({ events }: RunCommit, refusals: readonly Reply[]): NameConflict[] {
  const claims = events.flatMap(({ claim }) => (claim === undefined ? [] : [claim]));
  return claims.flatMap(({ id }, index): NameConflict[] => {
    const event = refusals[index];
    if (!Buffer.isBuffer(event)) return [];
    const { data } = unpackEvent(event, 0);
    return [{ id, runId: new TextDecoder("utf-8", { ignoreBOM: true }).decode(data ?? new Uint8Array()) }];
  });
}
