/**
 * THE write verb: one call per batch, which is one transaction; see `functions/commit.ts`.
 *
 * Level: READ COMMITTED (see `connection.ts`). The call first locks the rows of its runs, in the order of their ids, then
 * the buckets of the tokens it asks for, in the order of their numbers, and only then reads and writes what they protect.
 * So two commits of one run, a commit and a delivery, and a commit and a claim follow one after the other on the row; and
 * two claims of one token follow one after the other on its bucket, with the unique index of the tokens behind it. Within
 * a batch, tokens change hands in the order of the commits.
 *
 * A batch of one run that only adds events, as a sequential workflow makes them, has a call of its own with the same
 * answers; see `functions/commit-step.ts`.
 */
import type { CommitResult, HookConflict, RunCommit } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { Bytes, callOf, inCalls, numbers, whole } from "./packing.ts";
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

const STEP_TYPES: readonly string[] = [
  ...["bigint", "text", "int", "text", "int", "int", "bigint"],
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
  const stepText = callOf(tables.functions.commitStep, STEP_TYPES);

  async function send(batch: readonly RunCommit[], now: number): Promise<CommitResult[]> {
    const given = callersClock ? whole(now) : null;
    const [first] = batch;
    const step = batch.length === 1 && first !== undefined ? stepOf(first) : null;
    const rows = await (step === null
      ? connection.call<AnswerRow>("commit", text, [given, whole(now), ...columnsOf(batch)])
      : connection.call<AnswerRow>("commit", stepText, [given, ...step]));
    return toResults(batch, rows);
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

/** The parameters of a commit that adds events and holds the lease; `null` where it does anything else. */
function stepOf({ runId, epoch, claimId, seq, mailDone, run, events, lease }: RunCommit): unknown[] | null {
  if (lease.type !== "hold" || Object.values(run).some((value) => value !== undefined)) return null;
  if (events.some(({ type }) => type.startsWith("hook_"))) return null;
  const bytes = new Bytes();
  const columns = new EventColumns(bytes);
  for (const [offset, event] of events.entries()) columns.add(1, seq + offset + 1, event);
  const numbered = [toStored(runId), epoch, toStored(claimId), seq, mailDone, whole(lease.ttl)];
  return [...numbered, ...columns.contents(), bytes.toBuffer()];
}

function columnsOf(batch: readonly RunCommit[]): unknown[] {
  const bytes = new Bytes();
  const outputs: number[] = [];
  const outputLengths: number[] = [];
  const errors: number[] = [];
  const errorLengths: number[] = [];
  const events = new EventColumns(bytes);
  const acts = new ActColumns();
  const hooks = batch.some(({ events }) => events.some(({ type }) => type.startsWith("hook_")));
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
    numbers(batch.map(({ events }) => events.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0))),
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
