import type { Clock } from "../clock.ts";
import { needsCode, writeDebtsOf } from "../engine/run/last-debts.ts";
import { Outbox } from "../engine/run/outbox.ts";
import { WorldError } from "../errors/index.ts";
import type { IdSource } from "../ids.ts";
import { wholeJournal } from "../journal-pages.ts";
import {
  type ClaimedRun,
  type ClaimResult,
  isTerminal,
  type JournalEvent,
  type RunRecord,
  type World,
} from "../world/index.ts";
import { patienceWith, tellsOf, untilSeen } from "./looking.ts";

/**
 * Ending a run without calling its code: its owner does it when it hears of it, and whoever asked for it where there is no owner. Only
 * code that has followed the journal can tell which payloads it has read: where that is in doubt, workers have some time to claim the run.
 */

const TTL = 15_000;
/** Between two looks at a run that others are claiming at the moment, in milliseconds. */
const SHORTEST = 250;
/** So long workers have, in milliseconds. */
const FOR_WORKERS = 2_000;

export interface Termination {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly runId: string;
  readonly reason: string | undefined;
}

/**
 * Resolves when the run has ended. The message that asks its owner for it has been sent: its end is notified, and that the owner is
 * dead shows when its lease has run out.
 */
export async function terminate(world: World, termination: Termination): Promise<void> {
  const { clock, runId } = termination;
  const until = clock.elapsed() + FOR_WORKERS;
  let known: { readonly seq: number; readonly inDoubt: boolean } | null = null;
  const isInDoubt = async (row: RunRecord): Promise<boolean> => {
    if (known?.seq !== row.seq) known = { seq: row.seq, inDoubt: needsCode(await journalOf(world, row)) };
    return known.inDoubt;
  };
  await untilSeen({ world, clock, signal: undefined, tells: tellsOf(runId) }, async () => {
    const [row] = await world.getRuns([runId]);
    if (row === null || row === undefined || isTerminal(row.status)) return { seen: null };
    const left = until - clock.elapsed();
    if (left > 0 && (await isInDoubt(row))) return { again: left };
    const { runs, nextDueAt, now } = await claim(world, row, termination);
    for (const claimed of runs) await end(world, claimed, termination, now);
    if (runs.length > 0) return { again: 0 };
    const lease = Math.max((nextDueAt ?? now) - now, SHORTEST);
    return { again: world.capabilities.notifications ? lease : Math.min(lease, patienceWith(world)) };
  });
}

/** As far as it can be read: a damaged one says nothing of what the run owes. */
async function journalOf(world: World, row: RunRecord): Promise<readonly JournalEvent[]> {
  try {
    return await wholeJournal((...page) => world.listEvents(...page), row);
  } catch (error) {
    if (WorldError.is(error) && error.damaged) return [];
    throw error;
  }
}

/** Takes the run, if it is due. */
async function claim(
  world: World,
  { runId, claimId, seq }: RunRecord,
  { clock, ids }: Termination,
): Promise<ClaimResult> {
  return await world.claim({
    queues: [],
    runIds: [runId],
    limit: 1,
    byteLimit: 0,
    owner: `terminate_${ids.token()}`,
    claimId: ids.token(),
    ttl: TTL,
    now: clock.now(),
    cached: new Map([[runId, { claimId: claimId ?? "", seq }]]),
    eventLimit: 1,
  });
}

/** `now`: the time by which the World found it due. */
async function end(world: World, { run }: ClaimedRun, { reason }: Termination, now: number): Promise<void> {
  if (isTerminal(run.status)) return;
  const { runId, epoch, claimId, seq, mailDone } = run;
  const outbox = new Outbox(runId);
  const journal = await journalOf(world, run);
  outbox.notBefore(journal.at(-1)?.at ?? now);
  writeDebtsOf(outbox, journal, now);
  outbox.endUnheard(reason, now);
  const { events, patch } = outbox.take(Number.POSITIVE_INFINITY);
  const request = {
    runId,
    epoch,
    claimId: claimId ?? "",
    seq,
    events,
    // Its mail stays unread: payloads in it are owed, as is what its journal says, and a worker looks.
    mailDone,
    run: patch,
    lease: { type: "park", dueAt: now } as const,
  };
  await world.commit([request], now);
}
