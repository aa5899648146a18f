import { step, workflow } from "@perdure/core";
import { createWorker, type Worker } from "@perdure/core/runtime";
import { Client, MemoryState, memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { onTestFinished } from "vitest";
import type { TransactionalDatabase } from "../src/index.ts";

/** Programs with steps that have transactions, and what tests do to them. */

/** A database of a test, through one library. */
export interface Subject<Trx> {
  readonly name: string;
  /** A connection, or a pool, of its own. */
  open(): Promise<Connection<Trx>>;
  /** Inserts a business row. */
  insert(trx: Trx, key: string): Promise<unknown>;
  /** What `start({ tx })` takes for a transaction. */
  tx(trx: Trx): unknown;
  /** The business rows that begin so, over another connection, in their order. */
  keys(prefix: string): Promise<readonly string[]>;
}

export interface Connection<Trx> {
  readonly database: TransactionalDatabase<Trx>;
  /** The adapter with another table. */
  readonly elsewhere: (table: string) => TransactionalDatabase<Trx>;
  close(): Promise<unknown>;
}

export const TABLE = "CREATE TABLE business (id VARCHAR(100) NOT NULL PRIMARY KEY)";

/** A connection that is closed after the test. */
export async function opened<Trx>(subject: Subject<Trx>): Promise<Connection<Trx>> {
  const connection = await subject.open();
  onTestFinished(async () => void (await connection.close()));
  return connection;
}

let count = 0;

export function newKey(): string {
  return `k${process.pid}_${++count}_`;
}

export const OPTIONS = { maxRetries: 3, backoff: { initial: 1, jitter: 0 } };
const LEASE = 300;

/** A process: a worker whose World may stop answering. */
export interface Machine {
  readonly client: Client;
  readonly worker: Worker;
  /** From now on nothing that its engine asks is answered. Bodies go on. */
  freeze(): void;
}

/** Machines on one store. */
export function machines(): () => Promise<Machine> {
  const state = new MemoryState();
  return async () => {
    let frozen = false;
    const world: World = memoryWorld({
      state,
      beforeOperation: () => (frozen ? new Promise<never>(() => {}) : undefined),
    });
    const worker = createWorker({ world, leaseTtl: LEASE, pollInterval: 50, logger: "silent", signals: [] });
    await worker.start();
    onTestFinished(async () => {
      frozen = false;
      await worker.close({ timeout: 0 });
    });
    const client = new Client({ world: memoryWorld({ state }), logger: "silent" });
    return {
      client,
      worker,
      freeze() {
        frozen = true;
      },
    };
  };
}

/** A workflow of one step, whose attempts are these bodies, in their order; the last one is that of all that follow. */
export interface Attempts {
  readonly flow: () => Promise<unknown>;
  readonly only: () => Promise<unknown>;
  readonly calls: () => number;
}

export function attempts(...bodies: readonly (() => Promise<unknown>)[]): Attempts {
  const name = newKey();
  let calls = 0;
  const only = step(
    `${name} step`,
    async () => {
      const body = bodies[Math.min(calls, bodies.length - 1)];
      calls++;
      return await body?.();
    },
    OPTIONS,
  );
  const flow = workflow(`${name} flow`, async () => await only());
  return { flow, only, calls: () => calls };
}

/** A promise that a test resolves, and whether somebody waits for it. */
export interface Gate {
  open(): void;
  /** Somebody waits. */
  readonly reached: Promise<void>;
  pass(): Promise<void>;
}

export function gate(): Gate {
  let open = (): void => {};
  let reach = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return {
    open,
    reached,
    pass: async (): Promise<void> => {
      reach();
      await opened;
    },
  };
}
