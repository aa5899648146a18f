/**
 * Reading: queries that change nothing and lock nothing. Pages continue after the last key of the page before, so
 * nothing that is created or deleted meanwhile shifts them.
 */

import type { SQLInputValue } from "node:sqlite";
import type { HookRecord, OpenStore } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { listing } from "./listing.ts";
import {
  EVENT_COLUMNS,
  type EventTuple,
  MAIL_COLUMNS,
  type MailRow,
  RUN_COLUMNS,
  type RunRow,
  toJournal,
  toMail,
  toRunRecord,
} from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, type StoredText, toStored } from "./text.ts";

interface HookRow {
  readonly token: StoredText;
  readonly hookId: StoredText;
  readonly runId: StoredText;
  readonly createdAt: number;
  readonly data: Uint8Array | null;
}

export type Reads = OpenStore["reads"];

export function reads(connection: Connection, tables: Tables): Reads {
  const { runs, events, mail, hooks } = tables;
  const selectRun = connection.prepare<RunRow>(
    "select run",
    `SELECT ${RUN_COLUMNS} FROM ${runs} r WHERE r.run_id = ?`,
  );
  const selectEvents = connection.prepareTuples<EventTuple>(
    "select events",
    `SELECT ${EVENT_COLUMNS} FROM ${events}
     WHERE run = (SELECT id FROM ${runs} WHERE run_id = ?) AND seq > ? ORDER BY seq LIMIT ?`,
  );
  const selectMail = connection.prepare<MailRow>(
    "select mail",
    `SELECT ${MAIL_COLUMNS} FROM ${mail} m JOIN ${runs} r ON r.id = m.run
     WHERE r.run_id = ? AND m.mail_seq > max(?, r.mail_done) ORDER BY m.mail_seq`,
  );
  const selectHooks = `SELECT h.token, h.hook_id AS hookId, r.run_id AS runId, e.at AS createdAt, e.data
     FROM ${hooks} h JOIN ${runs} r ON r.id = h.run JOIN ${events} e ON e.run = h.run AND e.seq = h.seq`;
  const selectHook = connection.prepare<HookRow>("select hook", `${selectHooks} WHERE h.token = ?`);

  return {
    getRuns(runIds) {
      return connection.read(() =>
        runIds.map((runId) => {
          const row = selectRun.get(toStored(runId));
          return row === undefined ? null : toRunRecord(row);
        }),
      );
    },

    ...listing(connection, tables),

    listEvents(runId, after, limit) {
      return connection.read(() => toJournal(selectEvents.all(toStored(runId), after, limit), after));
    },

    listMail(wanted) {
      return connection.read(() =>
        wanted.map(({ runId, after }) => selectMail.all(toStored(runId), after).map(toMail)),
      );
    },

    getHookByToken(token) {
      return connection.read(() => {
        const row = selectHook.get(toStored(token));
        return row === undefined ? null : toHookRecord(row);
      });
    },

    listHooks({ runId, limit, cursor }) {
      const conditions: string[] = [];
      const parameters: SQLInputValue[] = [];
      if (runId !== undefined) {
        conditions.push("r.run_id = ?");
        parameters.push(toStored(runId));
      }
      if (cursor !== undefined) {
        conditions.push("h.token > ?");
        parameters.push(toStored(cursor));
      }
      return connection.read(() => {
        const select = connection.prepare<HookRow>(
          "list hooks",
          `${selectHooks} ${where(conditions)} ORDER BY h.token LIMIT ?`,
        );
        const found = select.all(...parameters, limit + 1).map(toHookRecord);
        const page = found.slice(0, limit);
        return { hooks: page, cursor: found.length > limit ? (page.at(-1)?.token ?? null) : null };
      });
    },
  };
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
}

function toHookRecord(row: HookRow): HookRecord {
  return {
    token: fromStored(row.token),
    hookId: fromStored(row.hookId),
    runId: fromStored(row.runId),
    createdAt: row.createdAt,
    data: row.data,
  };
}
