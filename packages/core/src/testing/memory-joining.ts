import { WorldError } from "../errors/index.ts";
import {
  type CreateRun,
  type Joined,
  type JoinedRequest,
  packRequest,
  unpackRequest,
} from "../world/index.ts";
import { deliverMessage } from "./memory-mailbox.ts";
import { createRun } from "./memory-start.ts";
import type { MemoryState } from "./memory-state.ts";

/** `World.joining` in memory. */

/** A transaction on a state, as a program has one on its database: what Worlds write into it is there once it is committed. */
export class MemoryTransaction {
  readonly #state: MemoryState;
  #rows: Uint8Array[] = [];

  constructor(state: MemoryState) {
    this.#state = state;
  }

  /** Adds a row to the outbox. */
  put(row: Uint8Array): void {
    this.#rows.push(row);
  }

  commit(): void {
    this.#state.outbox.push(...this.#rows);
    this.rollback();
    this.#state.hint({ type: "outbox" });
  }

  rollback(): void {
    this.#rows = [];
  }
}

/** The verbs that write into a transaction. */
export function join(transaction: unknown): Joined {
  async function put(request: JoinedRequest): Promise<void> {
    if (!(transaction instanceof MemoryTransaction)) {
      throw new WorldError("A World in memory joins a MemoryTransaction on its state, and nothing else.", {
        retryable: false,
      });
    }
    if (request.batch.length > 0) transaction.put(packRequest(request));
  }
  return {
    createRuns: (batch, now) => put({ type: "createRuns", batch, now }),
    deliver: (batch, now) => put({ type: "deliver", batch, now }),
  };
}

/** What the clock of the store makes of a request's times. */
export interface Retiming {
  readonly now: number;
  start(run: CreateRun): CreateRun;
}

/** Carries out what committed transactions left in the outbox. */
export function move(state: MemoryState, retimed: (now: number) => Retiming): void {
  for (const row of state.outbox.splice(0)) {
    const request = unpackRequest(row);
    const { now, start } = retimed(request.now);
    if (request.type === "deliver") {
      for (const message of request.batch) deliverMessage(state, message, now);
    } else {
      for (const run of request.batch) createRun(state, start({ ...run, lease: null }), now);
    }
  }
}
