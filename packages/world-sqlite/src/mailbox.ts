/**
 * The mailbox: what others leave for a run. A delivery and a parking commit are both write transactions, so one of
 * them sees the other.
 */
import {
  type DeliverResult,
  type Delivery,
  isTerminal,
  type Message,
  type RunStatus,
} from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull, type StoredText, toStored } from "./text.ts";

interface SentRow {
  readonly runId: StoredText;
  readonly hookId: StoredText | null;
}

interface AddressRow {
  readonly id: number;
  readonly runId: StoredText;
  readonly status: RunStatus;
  readonly mailSeq: number;
  readonly hookId: StoredText | null;
  /** 1 while somebody holds the lease. */
  readonly held: number;
}

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

export function deliver(connection: Connection, tables: Tables, clock: StoreClock): Deliver {
  const { runs, mail, hooks } = tables;
  const address = "r.id, r.run_id AS runId, r.status, r.mail_seq AS mailSeq, r.owner IS NOT NULL AS held";
  const selectSent = connection.prepare<SentRow>(
    "select message",
    `SELECT r.run_id AS runId, m.hook_id AS hookId
     FROM ${mail} m JOIN ${runs} r ON r.id = m.run WHERE m.message_id = ?`,
  );
  const selectRun = connection.prepare<AddressRow>(
    "select run",
    `SELECT ${address}, NULL AS hookId FROM ${runs} r WHERE r.run_id = ?`,
  );
  const selectHook = connection.prepare<AddressRow>(
    "select hook",
    `SELECT ${address}, h.hook_id AS hookId FROM ${hooks} h JOIN ${runs} r ON r.id = h.run WHERE h.token = ?`,
  );
  const insertMail = connection.prepare(
    "insert mail",
    `INSERT INTO ${mail} (run, mail_seq, message_id, type, hook_id, at, data) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  // A run that was due already keeps its place in the queue.
  const wake = connection.prepare(
    "wake run",
    `UPDATE ${runs} SET mail_seq = ?1, due_at = iif(owner IS NULL, min(ifnull(due_at, ?2), ?2), due_at) WHERE id = ?3`,
  );

  return (batch, callersNow) =>
    connection.write(() => {
      const { now } = clock.read(callersNow);
      const runIds = new Set<string>();
      let due = false;

      function send(message: Message): DeliverResult {
        const { messageId, to } = message;
        const sent = selectSent.get(toStored(messageId));
        if (sent !== undefined) {
          return {
            outcome: "delivered",
            runId: fromStored(sent.runId),
            hookId: fromStoredOrNull(sent.hookId),
          };
        }
        const row = "token" in to ? selectHook.get(toStored(to.token)) : selectRun.get(toStored(to.runId));
        if (row === undefined) return { outcome: "token" in to ? "no_such_hook" : "no_such_run" };
        const runId = fromStored(row.runId);
        if (isTerminal(row.status)) return { outcome: "finished", runId };

        const mailSeq = row.mailSeq + 1;
        insertMail.run(
          row.id,
          mailSeq,
          toStored(messageId),
          message.type,
          row.hookId,
          message.at,
          message.data,
        );
        wake.run(mailSeq, now, row.id);
        runIds.add(runId);
        due ||= row.held === 0;
        return { outcome: "delivered", runId, hookId: fromStoredOrNull(row.hookId) };
      }

      return { results: batch.map(send), runIds: [...runIds], due };
    });
}
