/**
 * Starting runs: row, `run_created` event, start key and first lease in one call, which is one transaction.
 *
 * Level: READ COMMITTED (see `connection.ts`). Two starts with one key meet on the unique index of the keys: the second one
 * waits for the first one's transaction and then finds its key. Two sendings of one request meet on the unique index of
 * the run ids. Keys are taken in the order of `(workflow, key)`, then runs in the order of their ids.
 */
import type { CreateRun, CreateRunResult, StartOutcome } from "@perdure/core/world";
import { changesOf } from "./changes.ts";
import type { Connection } from "./connection.ts";
import { Bytes, callOf, inCalls, numbers, whole } from "./packing.ts";
import type { GetRuns } from "./reads.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored, toStoredOrNull } from "./text.ts";

const TYPES: readonly string[] = [
  ...[
    "bigint",
    "bigint",
    "text[]",
    "text[]",
    "text[]",
    "bigint[]",
    "text[]",
    "text[]",
    "bigint[]",
    "text[]",
    "text[]",
    "bigint[]",
  ],
  ...["text[]", "bigint[]", "text[]", "text[]", "int[]", "int[]", "jsonb", "bytea"],
];

interface AnswerRow {
  readonly place: number;
  readonly outcome: "new" | "created" | "exists" | "mismatch";
  readonly leased: boolean;
  readonly holder: string | null;
}

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

export function createRuns(
  connection: Connection,
  tables: Tables,
  callersClock: boolean,
  getRuns: GetRuns,
): CreateRuns {
  const text = callOf(tables.functions.createRuns, TYPES);

  /** The answers by run id. */
  async function send(batch: readonly CreateRun[], now: number): Promise<Map<string, CreateRunResult>> {
    const values = [callersClock ? whole(now) : null, whole(now), ...columnsOf(batch)];
    const rows = await connection.call<AnswerRow>("create runs", text, values);
    const holderIds = rows.flatMap(({ holder }) => (holder === null ? [] : [fromStored(holder)]));
    const holders = holderIds.length === 0 ? [] : await getRuns(holderIds);
    const answers = new Map<string, CreateRunResult>();
    const again: CreateRun[] = [];
    for (const { place, outcome, leased, holder } of rows) {
      const request = batch[place - 1];
      if (request === undefined) continue;
      if (outcome === "new" || outcome === "created") {
        answers.set(request.runId, {
          outcome: "created",
          lease:
            leased && request.lease !== null
              ? { runId: request.runId, epoch: 1, claimId: request.lease.claimId }
              : null,
        });
        continue;
      }
      const run = holders[holderIds.indexOf(fromStored(holder ?? ""))] ?? null;
      if (run !== null) answers.set(request.runId, { outcome, run });
      // The holder was deleted a moment ago, so its key is free.
      else again.push(request);
    }
    if (again.length > 0) for (const [runId, answer] of await send(again, now)) answers.set(runId, answer);
    return answers;
  }

  return async (batch, now) => {
    if (batch.length === 0) return { results: [], due: false };
    // A run that is in the batch twice is the same request, sent twice.
    const distinct = new Map<string, CreateRun>();
    for (const request of batch) {
      if (!distinct.has(request.runId)) distinct.set(request.runId, request);
    }
    const answers = new Map<string, CreateRunResult>();
    for (const part of inCalls([...distinct.values()], ({ event, state }) => [event.data, state])) {
      for (const [runId, answer] of await send(part, now)) answers.set(runId, answer);
    }
    const results = batch.map(({ runId }) => answers.get(runId) as CreateRunResult);
    const due = results.some((result) => result.outcome === "created" && result.lease === null);
    return { results, due };
  };
}

function columnsOf(batch: readonly CreateRun[]): unknown[] {
  const bytes = new Bytes();
  const offsets: number[] = [];
  const lengths: number[] = [];
  for (const { event } of batch) bytes.add(event.data, offsets, lengths);
  return [
    batch.map(({ runId }) => toStored(runId)),
    batch.map(({ workflow }) => toStored(workflow)),
    batch.map(({ queue }) => toStored(queue)),
    numbers(batch.map(({ dueAt }) => dueAt)),
    batch.map(({ startKey }) => toStoredOrNull(startKey?.key ?? null)),
    batch.map(({ startKey }) => toStoredOrNull(startKey?.fingerprint ?? null)),
    numbers(batch.map(({ startKey }) => startKey?.expiresAt ?? null)),
    batch.map(({ lease }) => toStoredOrNull(lease?.owner ?? null)),
    batch.map(({ lease }) => toStoredOrNull(lease?.claimId ?? null)),
    numbers(batch.map(({ lease }) => lease?.ttl ?? null)),
    batch.map(({ event }) => event.type),
    numbers(batch.map(({ event }) => event.at)),
    batch.map(({ event }) => toStoredOrNull(event.id)),
    batch.map(({ event }) => toStoredOrNull(event.name)),
    numbers(offsets),
    numbers(lengths),
    changesOf(batch.map(beyondQueue), bytes),
    bytes.toBuffer(),
  ];
}

/** What few starts have. */
function beyondQueue({ attributes, state }: CreateRun): Parameters<typeof changesOf>[0][number] {
  return {
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(state !== null && { state }),
  };
}
