import type { Message } from "./mailbox.ts";
import type { Attributes } from "./run.ts";
import type { CreateRun } from "./start.ts";

/**
 * Starts and messages that become true with a transaction of the user's. An optional part of the contract: a World that has it
 * says so with `capabilities.joining`.
 */

/**
 * A transaction that is open, of whatever library, for Worlds whose store speaks SQL. The World needs nothing of it but to
 * execute a statement in it.
 *
 * @example
 * import { DatabaseSync } from "node:sqlite";
 *
 * const database = new DatabaseSync("app.db");
 * const transaction: SqlTransaction = {
 *   execute: async (sql, parameters) => database.prepare(sql).run(...(parameters as Uint8Array[])),
 * };
 */
export interface SqlTransaction {
  /** Executes a statement with parameters in the store's own notation. What it resolves with does not matter. */
  execute(sql: string, parameters: readonly unknown[]): Promise<unknown>;
}

/** A run to create by a transaction. It takes no lease, for nobody is told. */
export type JoinedRun = Omit<CreateRun, "lease">;

/**
 * What {@link World.joining} gives: verbs that write what is asked for into the user's transaction. They resolve as soon as
 * that is written, and give no outcome: there is none before the transaction's end.
 */
export interface Joined {
  createRuns(batch: readonly JoinedRun[], now: number): Promise<void>;
  deliver(batch: readonly Message[], now: number): Promise<void>;
}

/** A start that was written without the core, such as by a function of the database: its values are JSON. */
export interface PlainStart {
  readonly runId: string;
  readonly workflow: string;
  readonly args: readonly unknown[];
  /** As `idempotencyKey` of `start`. */
  readonly key: string | null;
  /** How long the key stays with the run, from the start, in milliseconds; `null`: as long as the run is stored. */
  readonly ttl: number | null;
  readonly attributes: Attributes | null;
  /** When the run is first due; `null`: at once. */
  readonly startAt: number | null;
  /** When it was written. */
  readonly at: number;
}

/** Makes the request of such a start. What it rejects with is of this start alone, but for what may pass. */
export type MakeStart = (start: PlainStart) => Promise<JoinedRun>;

/** What a row of the outbox asks for. */
export type JoinedRequest =
  | { readonly type: "createRuns"; readonly batch: readonly JoinedRun[]; readonly now: number }
  | { readonly type: "deliver"; readonly batch: readonly Message[]; readonly now: number };
