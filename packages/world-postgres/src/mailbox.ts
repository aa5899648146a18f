/**
 * The mailbox: what others leave for a run.
 *
 * Level: READ COMMITTED (see `connection.ts`). A delivery locks the rows of the runs that it is for, in the order of their
 * ids, and then looks again at tokens and known message ids. It always writes the row: a commit that parks the run has
 * either counted the message or finds the row locked and counts it afterwards. A token that went to a run whose row was
 * not locked, and a message id that two senders bring to two runs at once, end the transaction, which is then repeated.
 */
import type { DeliverResult, Delivery, Message } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { Bytes, callOf, inCalls, numbers, whole } from "./packing.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull, toStored } from "./text.ts";

const TYPES: readonly string[] = [
  ...["bigint", "text[]", "text[]", "text[]", "text[]", "bigint[]", "int[]", "int[]", "bytea"],
];

interface AnswerRow {
  readonly place: number;
  readonly outcome: DeliverResult["outcome"];
  readonly run_id: string | null;
  readonly hook_id: string | null;
  /** The message was put into the mailbox by this call. */
  readonly fresh: boolean;
  /** Nobody holds the run. */
  readonly wakes: boolean;
}

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

export function deliver(connection: Connection, tables: Tables, callersClock: boolean): Deliver {
  const text = callOf(tables.functions.deliver, TYPES);

  return async (batch, now) => {
    if (batch.length === 0) return { results: [], runIds: [], due: false };
    // A message that is in the batch twice is one message, with one answer.
    const distinct = new Map<string, Message>();
    for (const message of batch) {
      if (!distinct.has(message.messageId)) distinct.set(message.messageId, message);
    }
    const answers = new Map<string | undefined, DeliverResult>();
    const fresh: AnswerRow[] = [];
    for (const part of inCalls([...distinct.values()], ({ data }) => [data])) {
      const values = [callersClock ? whole(now) : null, ...columnsOf(part)];
      const rows = await connection.call<AnswerRow>("deliver", text, values);
      for (const row of rows) answers.set(part[row.place - 1]?.messageId, toResult(row));
      fresh.push(...rows.filter((row) => row.fresh));
    }
    return {
      results: batch.map(({ messageId }) => answers.get(messageId) as DeliverResult),
      runIds: [...new Set(fresh.map(({ run_id }) => fromStored(run_id ?? "")))],
      due: fresh.some(({ wakes }) => wakes),
    };
  };
}

function columnsOf(batch: readonly Message[]): unknown[] {
  const bytes = new Bytes();
  const offsets: number[] = [];
  const lengths: number[] = [];
  for (const { data } of batch) bytes.add(data, offsets, lengths);
  return [
    batch.map(({ messageId }) => toStored(messageId)),
    batch.map(({ to }) => ("runId" in to ? toStored(to.runId) : null)),
    batch.map(({ to }) => ("token" in to ? toStored(to.token) : null)),
    batch.map(({ type }) => type),
    numbers(batch.map(({ at }) => at)),
    numbers(offsets),
    numbers(lengths),
    bytes.toBuffer(),
  ];
}

function toResult({ outcome, run_id, hook_id }: AnswerRow): DeliverResult {
  const runId = fromStored(run_id ?? "");
  switch (outcome) {
    case "delivered":
      return { outcome, runId, hookId: fromStoredOrNull(hook_id) };
    case "finished":
      return { outcome, runId };
    case "no_such_hook":
    case "no_such_run":
      return { outcome };
  }
}
