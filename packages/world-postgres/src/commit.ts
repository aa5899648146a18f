/**
 * THE write verb: one call per batch, which is one transaction; see `functions/commit.ts`.
 *
 * Level: READ COMMITTED (see `connection.ts`). The call first locks the rows of its runs, in the order of their ids, then
 * the buckets of the tokens it asks for, in the order of their numbers, and only then reads and writes what they protect.
 * So two commits of one run, a commit and a delivery, and a commit and a claim follow one after the other on the row; and
 * two claims of one token follow one after the other on its bucket, with the unique index of the tokens behind it. Within
 * a batch, tokens change hands in the order of the commits.
 *
 * A batch of one run without hooks, as sequential workflows make them, has a call of its own with the same answers; see
 * `functions/commit-run.ts`.
 */
import type { CommitResult, HookConflict, RunCommit, RunPatch } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { answerOf, Bytes, callOf, inCalls, numbers, whole } from "./packing.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored, toStoredOrNull } from "./text.ts";

const TYPES: readonly string[] = [
  ...[
    "bigint",
    "bigint",
    "text[]",
    "int[]",
    "text[]",
    "int[]",
    "int[]",
    "bigint[]",
    "int[]",
    "text[]",
    "bigint[]",
  ],
  ...["text[]", "bigint[]", "bigint[]", "int[]", "int[]", "int[]", "int[]", "int[]"],
  ...["int[]", "int[]", "text[]", "bigint[]", "text[]", "text[]", "int[]", "int[]"],
  ...["int[]", "text[]", "int[]", "text[]", "text[]", "bytea"],
];

const RUN_TYPES: readonly string[] = [
  ...["bigint", "bigint", "text", "int", "text", "int", "bigint", "int", "text", "bigint"],
  ...["boolean", "text", "bigint", "bigint", "int", "int", "int", "int", "int"],
  ...["text[]", "bigint[]", "text[]", "text[]", "int[]", "int[]", "bytea"],
];

interface AnswerRow {
  /** Position in the batch, from 1. */
  readonly place: number;
  readonly outcome: "committed" | "fenced" | "finished" | "out_of_step" | "conflict";
  /** The run's last message; the length of its journal; the event of a conflict. */
  readonly number: number;
  readonly hook_id: string | null;
  readonly owner: string | null;
}

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

export function commit(connection: Connection, tables: Tables, callersClock: boolean): Commit {
  const text = callOf(tables.functions.commit, TYPES);
  const runText = answerOf(tables.functions.commitRun, RUN_TYPES);

  async function send(batch: readonly RunCommit[], now: number): Promise<CommitResult[]> {
    const given = callersClock ? whole(now) : null;
    const [first] = batch;
    const isOne = batch.length === 1 && first !== undefined && isPlain(first);
    if (isOne) {
      const values = [given, whole(now), ...valuesOfOne(first)];
      const rows = await connection.call<{ answer: string }>("commit", runText, values);
      return toResults(
        batch,
        rows.map(({ answer }) => toRow(answer)),
      );
    }
    const values = [given, whole(now), ...columnsOf(batch)];
    return toResults(batch, await connection.call<AnswerRow>("commit", text, values));
  }

  return async (batch, now) => {
    const results: CommitResult[] = [];
    for (const part of inCalls(batch, valuesOf)) results.push(...(await send(part, now)));
    return results;
  };
}

function valuesOf({ run, events }: RunCommit): (Uint8Array | null | undefined)[] {
  return [run.output, run.error, ...events.map(({ data }) => data)];
}

/** Of the row, a commit of one run changes these; what a later contract adds goes the general way until it is here. */
const CHANGES_OF_ONE: ReadonlySet<string> = new Set<keyof RunPatch>([
  ...(["status", "startedAt", "completedAt", "lostClaims", "output", "error"] as const),
]);

function isPlain(one: RunCommit): boolean {
  return !hasHooks(one) && Object.keys(one.run).every((name) => CHANGES_OF_ONE.has(name));
}

function hasHooks({ events }: RunCommit): boolean {
  return events.some(({ type }) => type.startsWith("hook_"));
}

function sizeOf({ events }: RunCommit): number {
  return events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
}

/** The parameters of a commit of one run. */
function valuesOfOne(one: RunCommit): unknown[] {
  const { runId, epoch, claimId, seq, mailDone, run, events, lease } = one;
  const bytes = new Bytes();
  const output: number[] = [];
  const error: number[] = [];
  bytes.add(run.output, output, output);
  bytes.add(run.error, error, error);
  const columns = new EventColumns(bytes);
  for (const [offset, event] of events.entries()) columns.add(1, seq + offset + 1, event);
  const changes = lease.type !== "hold" || Object.values(run).some((value) => value !== undefined);
  return [
    ...[
      toStored(runId),
      epoch,
      toStored(claimId),
      seq,
      sizeOf(one),
      mailDone,
      lease.type,
      wholeOrNull(dueOf(lease)),
    ],
    ...[changes, run.status, wholeOrNull(run.startedAt), wholeOrNull(run.completedAt), run.lostClaims],
    ...output,
    ...error,
    ...columns.contents(),
    bytes.toBuffer(),
  ];
}

function columnsOf(batch: readonly RunCommit[]): unknown[] {
  const bytes = new Bytes();
  const outputs: number[] = [];
  const outputLengths: number[] = [];
  const errors: number[] = [];
  const errorLengths: number[] = [];
  const events = new EventColumns(bytes);
  const acts = new ActColumns();
  const hooks = batch.some(hasHooks);
  for (const [index, { run, seq, events: added, lease }] of batch.entries()) {
    bytes.add(run.output, outputs, outputLengths);
    bytes.add(run.error, errors, errorLengths);
    for (const [offset, event] of added.entries()) {
      const place = events.add(index + 1, seq + offset + 1, event);
      if (!hooks || event.id === null) continue;
      if (event.type === "hook_created" && event.name !== null) {
        acts.add(index + 1, "take", place, event.id, event.name);
      } else if (event.type === "hook_disposed") acts.add(index + 1, "free", place, event.id, null);
    }
    if (hooks && lease.type === "finish") acts.add(index + 1, "free all", null, null, null);
  }
  return [
    batch.map(({ runId }) => toStored(runId)),
    numbers(batch.map(({ epoch }) => epoch)),
    batch.map(({ claimId }) => toStored(claimId)),
    numbers(batch.map(({ seq }) => seq)),
    numbers(batch.map(({ events }) => events.length)),
    numbers(batch.map(sizeOf)),
    numbers(batch.map(({ mailDone }) => mailDone)),
    batch.map(({ lease }) => lease.type),
    numbers(batch.map(({ lease }) => dueOf(lease))),
    batch.map(({ run }) => run.status ?? null),
    numbers(batch.map(({ run }) => run.startedAt ?? null)),
    numbers(batch.map(({ run }) => run.completedAt ?? null)),
    numbers(batch.map(({ run }) => run.lostClaims ?? null)),
    ...[outputs, outputLengths, errors, errorLengths].map(numbers),
    ...events.toParameters(),
    ...acts.toParameters(),
    bytes.toBuffer(),
  ];
}

function wholeOrNull(time: number | null | undefined): number | null {
  return time === null || time === undefined ? null : whole(time);
}

/** The length of a lease that is held, the next due time of a run that parks. */
function dueOf(lease: RunCommit["lease"]): number | null {
  switch (lease.type) {
    case "hold":
      return lease.ttl;
    case "park":
      return lease.dueAt;
    case "finish":
      return null;
  }
}

class EventColumns {
  readonly #bytes: Bytes;
  readonly #commits: number[] = [];
  readonly #seqs: number[] = [];
  readonly #types: string[] = [];
  readonly #ats: number[] = [];
  readonly #ids: (string | null)[] = [];
  readonly #names: (string | null)[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** Returns the event's place, from 1. */
  add(commit: number, seq: number, event: RunCommit["events"][number]): number {
    this.#commits.push(commit);
    this.#seqs.push(seq);
    this.#types.push(event.type);
    this.#ats.push(event.at);
    this.#ids.push(toStoredOrNull(event.id));
    this.#names.push(toStoredOrNull(event.name));
    this.#bytes.add(event.data, this.#offsets, this.#lengths);
    return this.#commits.length;
  }

  toParameters(): unknown[] {
    return [numbers(this.#commits), numbers(this.#seqs), ...this.contents()];
  }

  /** All but the places. */
  contents(): unknown[] {
    return [
      this.#types,
      numbers(this.#ats),
      this.#ids,
      this.#names,
      numbers(this.#offsets),
      numbers(this.#lengths),
    ];
  }
}

/** What the batch does to tokens, in its order. */
class ActColumns {
  readonly #commits: number[] = [];
  readonly #kinds: string[] = [];
  readonly #events: (number | null)[] = [];
  readonly #hooks: (string | null)[] = [];
  readonly #tokens: (string | null)[] = [];

  add(
    commit: number,
    kind: "take" | "free" | "free all",
    event: number | null,
    hook: string | null,
    token: string | null,
  ): void {
    this.#commits.push(commit);
    this.#kinds.push(kind);
    this.#events.push(event);
    this.#hooks.push(toStoredOrNull(hook));
    this.#tokens.push(toStoredOrNull(token));
  }

  toParameters(): unknown[] {
    return [numbers(this.#commits), this.#kinds, numbers(this.#events), this.#hooks, this.#tokens];
  }
}

/** The answer to a commit of one run, such as `committed 3`, as a row. */
function toRow(answer: string): AnswerRow {
  const [outcome, number] = answer.split(" ");
  return {
    place: 1,
    outcome: outcome as AnswerRow["outcome"],
    number: Number(number),
    hook_id: null,
    owner: null,
  };
}

function toResults(batch: readonly RunCommit[], rows: readonly AnswerRow[]): CommitResult[] {
  const conflicts = rows.filter(({ outcome }) => outcome === "conflict").sort((a, b) => a.number - b.number);
  const results = new Array<CommitResult>(batch.length);
  for (const { place, outcome, number } of rows) {
    switch (outcome) {
      case "committed":
        results[place - 1] = { outcome, mailSeq: number, conflicts: conflictsOf(place, conflicts) };
        break;
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

function conflictsOf(place: number, conflicts: readonly AnswerRow[]): HookConflict[] {
  return conflicts
    .filter((row) => row.place === place)
    .map(({ hook_id, owner }) => ({ hookId: fromStored(hook_id ?? ""), runId: fromStored(owner ?? "") }));
}
