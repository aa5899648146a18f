import { equal } from "node:assert/strict";
import type {
  ClaimedRun,
  ClaimRequest,
  CommitResult,
  CreateRun,
  CreateRunResult,
  DeliverResult,
  HeldName,
  JournalEvent,
  Lease,
  Mail,
  Message,
  NameConflict,
  RunCommit,
  RunRecord,
  World,
} from "@perdure/core/world";
import { claiming, leaseOf, newRun, START } from "./requests.ts";

/** Batches of one, and the first moves that most cases begin with. */

export async function createOne(world: World, run: CreateRun, now: number = START): Promise<CreateRunResult> {
  return only(await world.createRuns([run], now));
}

export async function commitOne(world: World, commit: RunCommit, now: number = START): Promise<CommitResult> {
  return only(await world.commit([commit], now));
}

export async function deliverOne(
  world: World,
  message: Message,
  now: number = START,
): Promise<DeliverResult> {
  return only(await world.deliver([message], now));
}

/** The run that a claim took, if it took one. */
export async function claimOne(
  world: World,
  change: Partial<ClaimRequest> = {},
): Promise<ClaimedRun | undefined> {
  const { runs } = await world.claim(claiming(change));
  return runs[0];
}

/** The row of a run that must be stored. */
export async function rowOf(world: World, runId: string): Promise<RunRecord> {
  const row = only(await world.getRuns([runId]));
  if (row === null) throw new Error(`run ${runId} is not stored`);
  return row;
}

export async function journalOf(world: World, runId: string): Promise<readonly JournalEvent[]> {
  return world.listEvents(runId, 0, 1_000_000);
}

export async function mailOf(world: World, runId: string, after = 0): Promise<readonly Mail[]> {
  return only(await world.listMail([{ runId, after }]));
}

export async function endMailOf(world: World, runId: string): Promise<readonly Mail[]> {
  return world.listEndMail(runId, 0, 1_000_000);
}

/** Who has a name. */
export async function holderOf(world: World, name: string, now: number = START): Promise<HeldName | null> {
  return only(await world.getNames([name], now));
}

/** The claims that an accepted commit lost. */
export function conflictsOf(result: CommitResult | undefined): readonly NameConflict[] {
  equal(result?.outcome, "committed");
  return result?.outcome === "committed" ? result.conflicts : [];
}

/** The row of a new run that `ALICE` holds until {@link START} + `TTL`. */
export async function leasedRun(world: World, change: Partial<CreateRun> = {}): Promise<RunRecord> {
  const run = newRun({ lease: leaseOf(), ...change });
  equal((await createOne(world, run)).outcome, "created");
  return rowOf(world, run.runId);
}

/** The lease that a row names. */
export function leaseIn({ runId, epoch, claimId }: RunRecord): Lease {
  return { runId, epoch, claimId: claimId ?? "no claim" };
}

/** Writes a commit that must be accepted; gives the row after it. */
export async function write(world: World, commit: RunCommit, now: number = START): Promise<RunRecord> {
  const result = await commitOne(world, commit, now);
  equal(result.outcome, "committed", `commit of run ${commit.runId}`);
  return rowOf(world, commit.runId);
}

/** The one element of an answer to a batch of one. */
export function only<T>(answers: readonly T[]): T {
  equal(answers.length, 1, "one answer for one request");
  return answers[0] as T;
}
