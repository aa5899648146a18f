/**
 * THE write verb: one script per batch and partition. Commits that ask for hook tokens get them first.
 */
import type { CommitResult, LeaseChange, RunCommit } from "@perdure/core/world";
import { attributesToArgs, bytesToArg } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { conflictsOf, type Entry, entriesOf, packEvents, settleTokens, type TokenVerdicts } from "./hooks.ts";
import { COMMIT } from "./lua/commit.ts";
import { type GivenUp, type Names, readGivenUp } from "./names.ts";
import { divide } from "./partitions.ts";
import { type Reply, statusCode } from "./schema.ts";
import { writing } from "./script.ts";
import { type Stored, toStored } from "./text.ts";

const writeCommits = writing("commit", COMMIT);

const NO_TOKENS: TokenVerdicts = new Map();

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

export function commit(connection: Connection, names: Names): Commit {
  const { partitions } = connection;
  const { release } = names;
  const settle = settleTokens(connection, names);

  async function write(
    entries: readonly Entry[],
    verdictsOf: (entry: Entry) => TokenVerdicts,
    now: number,
    results: CommitResult[],
  ): Promise<Entry[]> {
    const shares = divide(entries, ({ request }) => partitions.of(toStored(request.runId)));
    const answers = await connection.runShares(writeCommits, shares, ({ items }) => {
      const args: Stored[] = [...connection.clock(now)];
      for (const entry of items) pushArgs(args, entry, verdictsOf(entry));
      return args;
    });
    const again: Entry[] = [];
    const names: GivenUp[] = [];
    for (const [index, entry] of entries.entries()) {
      const { result, givenUp } = readAnswer(answers[index] ?? null);
      if (result === null) again.push(entry);
      else results[entry.place] = result;
      if (givenUp.length > 0) names.push(...readGivenUp(entry.request.runId, givenUp));
    }
    await release(names);
    return again;
  }

  return async (batch, now) => {
    const results: CommitResult[] = [];
    let waiting: readonly Entry[] = entriesOf(batch);
    if (waiting.every(({ tokens }) => tokens.length === 0)) {
      await write(waiting, () => NO_TOKENS, now, results);
      return results;
    }
    while (waiting.length > 0) {
      const settled = await settle(waiting, now);
      const again = await write(
        [...settled.keys()],
        (entry) => settled.get(entry) ?? NO_TOKENS,
        now,
        results,
      );
      const later = waiting.filter((entry) => !settled.has(entry));
      waiting = [...again, ...later].sort((a, b) => a.place - b.place);
    }
    return results;
  };
}

function pushArgs(args: Stored[], entry: Entry, verdicts: TokenVerdicts): void {
  const { runId, epoch, claimId, seq, mailDone, lease, run, events } = entry.request;
  args.push(toStored(runId), String(epoch), toStored(claimId), String(seq), String(mailDone));
  args.push(...leaseArgs(lease), run.status === undefined ? "" : statusCode(run.status));
  args.push(String(run.startedAt ?? ""), String(run.completedAt ?? ""), String(run.lostClaims ?? ""));
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
  switch (lease.type) {
    case "hold":
      return ["h", String(lease.ttl)];
    case "park":
      return ["p", String(lease.dueAt ?? "")];
    case "finish":
      return ["f", ""];
  }
}

interface Answer {
  /** `null`: a token was lost on the way, so the commit has to ask for it again. */
  readonly result: CommitResult | null;
  /** Names and entries that wait to be released. */
  readonly givenUp: readonly Buffer[];
}

function readAnswer(reply: Reply): Answer {
  if (typeof reply === "number") {
    return { result: { outcome: "committed", mailSeq: reply, conflicts: [] }, givenUp: [] };
  }
  if (Buffer.isBuffer(reply)) {
    const code = String(reply);
    if (code === "R") return { result: null, givenUp: [] };
    return { result: { outcome: code === "F" ? "finished" : "fenced" }, givenUp: [] };
  }
  const [number, conflicts, givenUp] = reply as readonly [number, (readonly Buffer[])?, (readonly Buffer[])?];
  if (conflicts === undefined) return { result: { outcome: "out_of_step", seq: number }, givenUp: [] };
  const result: CommitResult = { outcome: "committed", mailSeq: number, conflicts: conflictsOf(conflicts) };
  return { result, givenUp: givenUp ?? [] };
}
