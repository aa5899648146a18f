/**
 * The mailbox: what others leave for a run.
 *
 * Level: READ COMMITTED (see `connection.ts`). A delivery locks the rows of the runs that it is for, in the order of their
 * ids, and then looks again at names and known message ids. It always writes the row: a commit that parks or ends the run has
 * either counted the message or finds the row locked and counts it afterwards. A name that went to a run whose row was
 * not locked, and a message id that two senders bring to two runs at once, end the transaction, which is then repeated.
 */
import type { DeliverResult, Delivery, Message } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { DELIVER } from "./functions/deliver.ts";
import { Bytes, inCalls, whole } from "./packing.ts";
import { callOf, valuesOf } from "./parameters.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull } from "./text.ts";

/** The answer to one message. */
export interface DeliverRow {
  readonly place: number;
  readonly outcome: DeliverResult["outcome"];
  readonly run_id: string | null;
  readonly id: string | null;
  /** The message was put into the mailbox by this call. */
  readonly fresh: boolean;
  /** Nobody holds the run. */
  readonly wakes: boolean;
}

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

export function deliver(connection: Connection, tables: Tables, callersClock: boolean): Deliver {
  const text = callOf(tables.functions.deliver, DELIVER);

  return async (batch, now) => {
    const answers = new Map<string | undefined, DeliverResult>();
    const runIds = new Set<string>();
    let due = false;
    for (const { part, values } of deliverCalls(batch, now, callersClock)) {
      const rows = await connection.call<DeliverRow>("deliver", text, values);
      for (const row of rows) answers.set(part[row.place - 1]?.messageId, toResult(row));
      const mail = newMailOf(part, rows);
      for (const runId of mail.runIds) runIds.add(runId);
      due ||= mail.due;
    }
    const results = batch.map(({ messageId }) => answers.get(messageId) as DeliverResult);
    return { results, runIds: [...runIds], due };
  };
}

/** Some messages, and the values of the call that delivers them. */
interface SentMessages {
  readonly part: readonly Message[];
  readonly values: readonly unknown[];
}

/** The calls that a batch of messages takes. */
export function* deliverCalls(
  batch: readonly Message[],
  now: number,
  callersClock: boolean,
): Generator<SentMessages> {
  // A message that is in the batch twice is one message, with one answer.
  const distinct = new Map<string, Message>();
  for (const message of batch) {
    if (!distinct.has(message.messageId)) distinct.set(message.messageId, message);
  }
  for (const part of inCalls([...distinct.values()], ({ data }) => [data])) {
    const bytes = new Bytes();
    const messages = part.map((message) => ({ message, data: bytes.add(message.data) }));
    const call = { now: callersClock ? whole(now) : null, messages, bytes: bytes.toBuffer() };
    yield { part, values: valuesOf(DELIVER, call) };
  }
}

/** What a call delivered that runs must hear of, which is not so of end mail. */
export function newMailOf(
  part: readonly Message[],
  rows: readonly DeliverRow[],
): Pick<Delivery, "runIds" | "due"> {
  const fresh = rows.filter((row) => row.fresh && part[row.place - 1]?.atEnd !== true);
  return {
    runIds: [...new Set(fresh.map(({ run_id }) => fromStored(run_id ?? "")))],
    due: fresh.some(({ wakes }) => wakes),
  };
}

function toResult({ outcome, run_id, id }: DeliverRow): DeliverResult {
  const runId = fromStored(run_id ?? "");
  switch (outcome) {
    case "delivered":
      return { outcome, runId, id: fromStoredOrNull(id) };
    case "finished":
      return { outcome, runId };
    case "no_such_name":
    case "no_such_run":
      return { outcome };
  }
}
