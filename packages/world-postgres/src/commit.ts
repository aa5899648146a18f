/**
 * THE write verb: one call per batch, which is one transaction; see `functions/commit.ts`.
 *
 * Level: READ COMMITTED (see `connection.ts`). The call first locks the rows of its runs, in the order of their ids, then
 * acts on names, in the order of the names, which locks each of them. So two commits of one run, a commit and a delivery, and
 * a commit and a claim follow one after the other on the row; and two claims of one name follow one after the other on its
 * row, where the unique key makes the second wait. Within a batch, names change hands in the order of the commits.
 *
 * A batch of one run that does nothing unusual, as sequential workflows make them, has a call of its own with the same
 * answers; see `functions/commit-run.ts`.
 */
import type { CommitResult, NameConflict, RunCommit, RunPatch } from "@perdure/core/world";
import { actsOf, actsOnNames } from "./acts.ts";
import { changesOf } from "./changes.ts";
import type { Connection } from "./connection.ts";
import { COMMIT, type CommitCall } from "./functions/commit.ts";
import { COMMIT_RUN } from "./functions/commit-run.ts";
import { Bytes, inCalls, whole } from "./packing.ts";
import { answerOf, callOf, valuesOf } from "./parameters.ts";
import type { Tables } from "./tables.ts";
import { fromStored } from "./text.ts";

interface AnswerRow {
  /** Position in the batch, from 1. */
  readonly place: number;
  readonly outcome: "committed" | "fenced" | "finished" | "out_of_step" | "conflict";
  /** The run's last message; the length of its journal; the event of a conflict. */
  readonly number: number;
  /** The run's last end mail. */
  readonly end_seq: number;
  /** The run that has the name of a conflict. */
  readonly holder: string | null;
}

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

export function commit(connection: Connection, tables: Tables, callersClock: boolean): Commit {
  const text = callOf(tables.functions.commit, COMMIT);
  const runText = answerOf(tables.functions.commitRun, COMMIT_RUN);

  async function send(batch: readonly RunCommit[], now: number): Promise<CommitResult[]> {
    const call = callWith(batch, callersClock ? whole(now) : null);
    const [only] = call.commits;
    if (batch.length === 1 && only !== undefined && isPlain(only.commit)) {
      const values = valuesOf(COMMIT_RUN, { ...call, only });
      const rows = await connection.call<{ answer: string }>("commit", runText, values);
      return toResults(
        batch,
        rows.map(({ answer }) => toRow(answer)),
      );
    }
    return toResults(batch, await connection.call<AnswerRow>("commit", text, valuesOf(COMMIT, call)));
  }

  return async (batch, now) => {
    const results: CommitResult[] = [];
    for (const part of inCalls(batch, bytesIn)) results.push(...(await send(part, now)));
    return results;
  };
}

function bytesIn({ run, events }: RunCommit): (Uint8Array | null | undefined)[] {
  return [
    run.output,
    run.error,
    run.state,
    ...events.map(({ data }) => data),
    ...events.map(({ claim }) => claim?.data),
  ];
}

/** Of the row, a commit of one run changes these; what a later contract adds goes the general way until it is here. */
const CHANGES_OF_ONE: ReadonlySet<string> = new Set<keyof RunPatch>([
  ...(["status", "startedAt", "completedAt", "lostClaims", "output", "error"] as const),
]);

function isPlain(one: RunCommit): boolean {
  if (one.restart === true || actsOnNames(one)) return false;
  return Object.keys(one.run).every((name) => CHANGES_OF_ONE.has(name));
}

function callWith(batch: readonly RunCommit[], now: number | null): CommitCall {
  const bytes = new Bytes();
  const commits = batch.map((commit) => ({
    commit,
    size: commit.events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0),
    output: bytes.add(commit.run.output),
    error: bytes.add(commit.run.error),
  }));
  const events = batch.flatMap(({ events, seq }, index) =>
    events.map((event, offset) => ({
      event,
      commit: index + 1,
      seq: seq + offset + 1,
      data: bytes.add(event.data),
    })),
  );
  const names = actsOf(batch, bytes);
  const changes = changesOf(
    batch.map(({ run, restart }) => ({ ...run, ...(restart !== undefined && { restart }) })),
    bytes,
  );
  return { now, commits, events, names, changes, bytes: bytes.toBuffer() };
}

/** The answer to a commit of one run, such as `committed 3 0`, as a row. */
function toRow(answer: string): AnswerRow {
  const [outcome, number, endSeq] = answer.split(" ");
  return {
    place: 1,
    outcome: outcome as AnswerRow["outcome"],
    number: Number(number),
    end_seq: Number(endSeq),
    holder: null,
  };
}

function toResults(batch: readonly RunCommit[], rows: readonly AnswerRow[]): CommitResult[] {
  const conflicts = rows.filter(({ outcome }) => outcome === "conflict").sort((a, b) => a.number - b.number);
  const results = new Array<CommitResult>(batch.length);
  for (const { place, outcome, number, end_seq: endSeq } of rows) {
    const commit = batch[place - 1];
    if (commit === undefined) continue;
    switch (outcome) {
      case "committed": {
        const own = conflicts.filter((row) => row.place === place);
        results[place - 1] = { outcome, mailSeq: number, endSeq, conflicts: own.map(toConflict(commit)) };
        break;
      }
      case "out_of_step":
        results[place - 1] = { outcome, seq: number };
        break;
      case "fenced":
      case "finished":
        results[place - 1] = { outcome };
        break;
      case "conflict":
        break;
    }
  }
  return results;
}

function toConflict({ seq, events }: RunCommit): (row: AnswerRow) => NameConflict {
  return ({ number, holder }) => ({
    id: events[number - seq - 1]?.claim?.id ?? "",
    runId: fromStored(holder ?? ""),
  });
}
