/**
 * Hook tokens, as far as a commit claims and releases them. Runs inside the commit's transaction.
 */
import type { HookConflict } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull, type StoredText, toStored } from "./text.ts";

interface OwnerRow {
  readonly runId: StoredText;
}

interface ConflictRow {
  readonly id: StoredText | null;
  readonly data: Uint8Array;
}

export interface HookTokens {
  /** Takes a token for a hook whose `hook_created` event becomes `seq`; returns the run that has it if it is taken. */
  take(run: number, hookId: string, token: string, seq: number): string | null;
  /** Frees the token of one hook. */
  free(run: number, hookId: string): void;
  /** Frees every token of a run. */
  freeAll(run: number): void;
  /** The conflicts that the journal holds after `seq`, up to `last`. */
  conflictsBetween(run: number, seq: number, last: number): HookConflict[];
}

export function hookTokens(connection: Connection, tables: Tables): HookTokens {
  const { hooks, runs, events } = tables;
  const selectOwner = connection.prepare<OwnerRow>(
    "select hook owner",
    `SELECT r.run_id AS runId FROM ${hooks} h JOIN ${runs} r ON r.id = h.run WHERE h.token = ?`,
  );
  const insert = connection.prepare(
    "insert hook",
    `INSERT INTO ${hooks} (token, run, hook_id, seq) VALUES (?, ?, ?, ?)`,
  );
  const remove = connection.prepare("delete hook", `DELETE FROM ${hooks} WHERE run = ? AND hook_id = ?`);
  const removeAll = connection.prepare("delete hooks of run", `DELETE FROM ${hooks} WHERE run = ?`);
  const selectConflicts = connection.prepare<ConflictRow>(
    "select hook conflicts",
    `SELECT id, data FROM ${events} WHERE run = ? AND seq > ? AND seq <= ? AND type = 'hook_conflict' ORDER BY seq`,
  );

  return {
    take(run, hookId, token, seq) {
      const owner = selectOwner.get(toStored(token));
      if (owner !== undefined) return fromStored(owner.runId);
      insert.run(toStored(token), run, toStored(hookId), seq);
      return null;
    },
    free(run, hookId) {
      remove.run(run, toStored(hookId));
    },
    freeAll(run) {
      removeAll.run(run);
    },
    conflictsBetween(run, seq, last) {
      return selectConflicts.all(run, seq, last).map((row) => ({
        hookId: fromStoredOrNull(row.id) ?? "",
        runId: new TextDecoder("utf-8", { ignoreBOM: true }).decode(row.data),
      }));
    },
  };
}
