/**
 * THE write verb: one script per batch and partition. Commits that ask for names get them first.
 */
import { type CommitResult, endsRun, type LeaseChange, type RunCommit } from "@perdure/core/world";
import { attributesToArgs, bytesToArg } from "./attributes.ts";
import {
  conflictsOf,
  type Entry,
  entriesOf,
  type NameVerdicts,
  packEvents,
  settleNames,
} from "./commit-names.ts";
import type { Connection } from "./connection.ts";
import { Contest } from "./contest.ts";
import type { Leftover, Leftovers } from "./leftovers.ts";
import { COMMIT } from "./lua/commit.ts";
import type { Names } from "./names.ts";
import { divide } from "./partitions.ts";
import { type Reply, statusCode } from "./schema.ts";
import { writing } from "./script.ts";
import { type Stored, toStored } from "./text.ts";

const writeCommits = writing("commit", COMMIT);

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

export function commit(connection: Connection, names: Names, { release }: Leftovers): Commit {
  const { partitions } = connection;

  async function write(
    entries: ReadonlyMap<Entry, NameVerdicts>,
    now: number,
    results: CommitResult[],
  ): Promise<Entry[]> {
    const written = [...entries];
    const shares = divide(written, ([{ request }]) => partitions.of(toStored(request.runId)));
    const answers = await connection.runShares(writeCommits, shares, ({ items }) => {
      const args: Stored[] = [...connection.clock(now)];
      for (const [entry, verdicts] of items) pushArgs(args, entry, verdicts);
      return args;
    });
    const again: Entry[] = [];
    const leftovers: Leftover[] = [];
    for (const [index, [entry]] of written.entries()) {
      const { result, left } = readAnswer(entry.request, answers[index] ?? null);
      if (result === null) again.push(entry);
      else results[entry.place] = result;
      for (const packed of left) leftovers.push({ runId: entry.request.runId, packed });
    }
    await release(leftovers);
    return again;
  }

  return async (batch, now) => {
    for (const request of batch) check(request);
    const results: CommitResult[] = [];
    const contest = new Contest();
    let waiting: readonly Entry[] = entriesOf(batch);
    while (waiting.length > 0) {
      const { ready, undecided } = await settleNames(names, waiting, contest, now);
      const again = await write(ready, now, results);
      const later = waiting.filter((entry) => !ready.has(entry));
      if (undecided) await contest.pause();
      waiting = [...again, ...later].sort((a, b) => a.place - b.place);
    }
    return results;
  };
}

/** Refuses what no caller may send. */
function check(request: RunCommit): void {
  const { runId, restart, events } = request;
  if (restart !== true) return;
  if (events.length === 0)
    throw new TypeError(`commit: run ${runId} begins its journal anew without an event`);
  if (endsRun(request)) throw new TypeError(`commit: run ${runId} begins its journal anew and ends`);
}

function pushArgs(args: Stored[], entry: Entry, verdicts: NameVerdicts): void {
  const { runId, epoch, claimId, seq, mailDone, lease, run, events } = entry.request;
  args.push(toStored(runId), String(epoch), toStored(claimId), String(seq), String(mailDone));
  args.push(...leaseArgs(lease), ...changesOf(entry.request));
  for (const value of [run.output, run.error, run.state]) {
    if (value === undefined) args.push("");
    else if (value === null) args.push("-");
    else args.push("+", bytesToArg(value));
  }
  args.push(
    ...(run.queue === undefined ? [""] : ["+", toStored(run.queue)]),
    ...attributesToArgs(run.attributes),
  );
  args.push(String(events.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)));
  args.push(...packEvents(entry, verdicts));
}

function leaseArgs(lease: LeaseChange): readonly [string, string] {
  return lease.type === "hold" ? ["h", String(lease.ttl)] : ["p", String(lease.dueAt ?? "")];
}

/** How many, then names and values. */
function changesOf({ run, restart }: RunCommit): string[] {
  const changes: string[] = [];
  if (run.status !== undefined) changes.push("status", statusCode(run.status));
  for (const field of ["startedAt", "completedAt", "lostClaims", "endDone"] as const) {
    const value = run[field];
    if (value !== undefined) changes.push(field, String(value));
  }
  if (restart === true) changes.push("restart", "1");
  return [String(changes.length / 2), ...changes];
}

interface Answer {
  /** `null`: a name was lost on the way, so the commit has to ask for it again. */
  readonly result: CommitResult | null;
  /** What the run has left in other partitions. */
  readonly left: readonly Buffer[];
}

function readAnswer(request: RunCommit, reply: Reply): Answer {
  if (typeof reply === "number") {
    return { result: { outcome: "committed", mailSeq: reply, endSeq: 0, conflicts: [] }, left: [] };
  }
  if (Buffer.isBuffer(reply)) {
    const code = String(reply);
    if (code === "R") return { result: null, left: [] };
    return { result: { outcome: code === "F" ? "finished" : "fenced" }, left: [] };
  }
  const [number, endSeq, refusals, left] = reply as readonly [
    number,
    number?,
    (readonly Reply[])?,
    (readonly Buffer[])?,
  ];
  if (endSeq === undefined) return { result: { outcome: "out_of_step", seq: number }, left: [] };
  const conflicts = conflictsOf(request, refusals ?? []);
  return { result: { outcome: "committed", mailSeq: number, endSeq, conflicts }, left: left ?? [] };
}
