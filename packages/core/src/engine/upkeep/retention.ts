import { type Clock, delay } from "../../clock.ts";
import { type Duration, durationMs } from "../../duration.ts";
import { WorldError } from "../../errors/index.ts";
import type { IdSource } from "../../ids.ts";
import type { Logger } from "../../logger.ts";
import { checkOptionNames } from "../../option-names.ts";
import { deleteOldRuns, type TerminalStatus, type World } from "../../world/index.ts";

/** Deleting old runs: by one worker of all at a time, which has a record as its lease, in small batches. */

/** How long ended runs are kept; those of a status that is not named stay. */
export interface Retention {
  readonly completed?: Duration;
  readonly failed?: Duration;
  readonly cancelled?: Duration;
}

/** For how long runs of a status are kept, in milliseconds. */
export interface RetentionLimit {
  readonly status: TerminalStatus;
  readonly age: number;
}

/** @throws {TypeError} for what is no length of time, and for other statuses */
export function retentionLimits(retention: Retention | undefined): readonly RetentionLimit[] {
  if (retention === undefined) return [];
  const where = "createWorker({ retention })";
  checkOptionNames<Retention>(where, retention, { completed: true, failed: true, cancelled: true });
  return Object.entries(retention)
    .filter(([, length]) => length !== undefined)
    .map(([status, length]) => {
      const age = durationMs(length, `createWorker({ retention: { ${status} } })`);
      if (age === undefined) throw new TypeError(`${where}: ${status} is a length of time, not a Date.`);
      return { status: status as TerminalStatus, age };
    });
}

/** The record of whoever deletes at the moment, or did lately. */
const KEY = "$retention";
/** Between two rounds of all workers together, in milliseconds. */
const LONGEST_PAUSE = 60_000;
const SHORTEST_PAUSE = 1_000;
const BATCH = 100;
/** So long a worker that closes waits for a batch, in milliseconds. */
const LAST = 2_000;

export interface RetentionOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: () => number;
  readonly logger: Logger;
  readonly workerId: string;
  readonly limits: readonly RetentionLimit[];
}

export class RetentionLoop {
  readonly #options: RetentionOptions;
  readonly #pause: number;
  #cancelTimer: (() => void) | undefined;
  #round: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const shortest = Math.min(...options.limits.map(({ age }) => age));
    this.#pause = Math.min(Math.max(shortest / 10, SHORTEST_PAUSE), LONGEST_PAUSE);
  }

  /** Begins with a round soon, each worker at another time. */
  start(): void {
    if (this.#options.limits.length > 0) this.#after(this.#pause * this.#options.random());
  }

  /** Resolves when the batch that is under way has ended, or the store does not answer. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await Promise.race([this.#round, delay(this.#options.clock, LAST)]);
  }

  #after(ms: number): void {
    const { clock, logger, world } = this.#options;
    this.#cancelTimer = clock.setTimer(clock.now() + ms, () => {
      this.#round = this.#once()
        .catch((error: unknown) => {
          logger.warn("old runs could not be deleted: it is tried again. Check what the store says", {
            world: world.name,
            error,
          });
        })
        .finally(() => {
          if (!this.#closed) this.#after(this.#pause);
        });
    });
  }

  async #once(): Promise<void> {
    const { world, clock, logger, limits } = this.#options;
    let lease = await this.#take(null);
    const keeps = async (): Promise<boolean> => {
      if (!this.#closed && lease !== null) lease = await this.#take(lease.version);
      return !this.#closed && lease !== null;
    };
    let deleted = 0;
    for (const { status, age } of limits) {
      if (this.#closed || lease === null) break;
      deleted += await deleteOldRuns(world, clock.now() - age, {
        statuses: [status],
        batch: BATCH,
        onBatch: keeps,
      });
    }
    if (deleted > 0) logger.info("old runs were deleted", { runs: deleted });
  }

  /**
   * Takes the lease, or keeps it; `null` if another worker has it. Nobody gives it back: it keeps rounds apart. A store that is too
   * full for it has all the more to delete, and what two workers delete is deleted once: there it is done without.
   */
  async #take(version: string | null): Promise<{ readonly version: string | null } | null> {
    const { world, clock, ids, workerId } = this.#options;
    const writeId = ids.token();
    const value = new TextEncoder().encode(workerId);
    const write = { key: KEY, writeId, ifVersion: version, value, ttl: this.#pause };
    try {
      const [result] = await world.writeRecords([write], clock.now());
      return result?.outcome === "written" ? { version: writeId } : null;
    } catch (error) {
      if (!WorldError.is(error)) throw error;
      return { version };
    }
  }
}
