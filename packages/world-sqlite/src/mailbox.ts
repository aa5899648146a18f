/**
 * The mailbox: what others leave for a run. A delivery and a parking commit are both write transactions, so one of
 * them sees the other.
 */
import {
  type DeliverResult,
  type Delivery,
  type FirstMail,
  isTerminal,
  type Message,
  type RunStatus,
} from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { toStoredKey } from "./keys.ts";
import { heldNames } from "./names.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull, type StoredText, toStored, toStoredOrNull } from "./text.ts";

/** Where a message is that was sent. */
interface SentRow {
  readonly runId: StoredText;
  readonly id: StoredText | null;
}

interface AddressRow {
  readonly run: number;
  readonly runId: StoredText;
  readonly status: RunStatus;
  readonly mailSeq: number;
  readonly endSeq: number;
  /** What in the run has the name. */
  readonly id: StoredText | null;
  /** 1 while somebody holds the lease. */
  readonly held: number;
}

/** Puts messages into mailboxes and finds those that are there. */
export interface Mailboxes {
  /** Where the message with this id is. */
  find(messageId: string): { readonly runId: string; readonly id: string | null } | null;
  /** Puts a message into the mailbox of the run with this row. */
  put(run: number, mailSeq: number, message: FirstMail | Message, id: string | null): void;
}

export function mailboxes(connection: Connection, { runs, mail }: Tables): Mailboxes {
  const selectSent = connection.prepare<SentRow>(
    "select message",
    `SELECT r.run_id AS runId, m.id FROM ${mail} m CROSS JOIN ${runs} r ON r.id = m.run WHERE m.message_id = ?`,
  );
  const insertMail = connection.prepare(
    "insert mail",
    `INSERT INTO ${mail} (run, at_end, mail_seq, message_id, type, id, at, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return {
    find(messageId) {
      const sent = selectSent.get(toStored(messageId));
      return sent === undefined ? null : { runId: fromStored(sent.runId), id: fromStoredOrNull(sent.id) };
    },
    put(run, mailSeq, message, id) {
      const { messageId, type, at, data } = message;
      const atEnd = "atEnd" in message && message.atEnd === true ? 1 : 0;
      insertMail.run(run, atEnd, mailSeq, toStored(messageId), toStored(type), toStoredOrNull(id), at, data);
    },
  };
}

/** Delivers a batch, within a transaction. */
export type Send = (batch: readonly Message[], now: number) => Delivery;

export function sends(connection: Connection, tables: Tables): Send {
  const { runs } = tables;
  const address =
    "r.id AS run, r.run_id AS runId, r.status, r.mail_seq AS mailSeq, r.end_seq AS endSeq, r.owner IS NOT NULL AS held";
  const selectRun = connection.prepare<AddressRow>(
    "select run",
    `SELECT ${address}, NULL AS id FROM ${runs} r WHERE r.run_id = ?`,
  );
  const selectName = connection.prepare<AddressRow>(
    "select name",
    `SELECT ${address}, n.id FROM ${heldNames(tables, "?2")} WHERE n.name = ?1`,
  );
  // A run that was due already keeps its place in the queue.
  const wake = connection.prepare(
    "wake run",
    `UPDATE ${runs} SET mail_seq = ?1, due_at = iif(owner IS NULL, min(ifnull(due_at, ?2), ?2), due_at) WHERE id = ?3`,
  );
  const countEndMail = connection.prepare("count end mail", `UPDATE ${runs} SET end_seq = ? WHERE id = ?`);
  const { find, put } = mailboxes(connection, tables);

  return (batch, now) => {
    const runIds = new Set<string>();
    let due = false;

    function send(message: Message): DeliverResult {
      const { messageId, to, atEnd = false } = message;
      const sent = find(messageId);
      if (sent !== null) return { outcome: "delivered", ...sent };

      const byName = "name" in to;
      const row = byName ? selectName.get(toStoredKey(to.name), now) : selectRun.get(toStored(to.runId));
      if (row === undefined) return { outcome: byName ? "no_such_name" : "no_such_run" };
      const runId = fromStored(row.runId);
      if (isTerminal(row.status)) return { outcome: "finished", runId };

      const id = byName ? fromStoredOrNull(row.id) : (to.id ?? null);
      const mailSeq = (atEnd ? row.endSeq : row.mailSeq) + 1;
      put(row.run, mailSeq, message, id);
      if (atEnd) countEndMail.run(mailSeq, row.run);
      else {
        wake.run(mailSeq, now, row.run);
        runIds.add(runId);
        due ||= row.held === 0;
      }
      return { outcome: "delivered", runId, id };
    }

    return { results: batch.map(send), runIds: [...runIds], due };
  };
}

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

export function deliver(connection: Connection, clock: StoreClock, send: Send): Deliver {
  return (batch, now) => connection.write(() => send(batch, clock.read(now).now));
}
