import { hostname } from "node:os";
import { type Clock, delay } from "../../clock.ts";
import type { IdSource } from "../../ids.ts";
import type { Logger } from "../../logger.ts";
import { decode, encode } from "../../serialization/index.ts";
import type { World } from "../../world/index.ts";
import type { WorkerHealth } from "../health.ts";

/** The record by which a worker shows that it lives: who it is and what it does, written every so often, gone soon after it. */

/** A worker that lives, as `listWorkers` shows it. */
export interface WorkerInfo {
  /** The name that it has in leases. */
  readonly workerId: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: Date;
  /** When it wrote this. */
  readonly seenAt: Date;
  /** The ids of the workflows that it executes. */
  readonly workflows: readonly string[];
  /** What `worker.health()` told. */
  readonly health: WorkerHealth;
}

const PREFIX = "$worker:";
/** So soon after its start a worker writes first, in milliseconds: scripts that end at once write nothing. */
const FIRST = 1_000;
/** So long a worker that closes waits for the store to take the sign away, in milliseconds. */
const LAST = 1_000;
/** After so many lengths of the interval without another sign a worker counts as gone. */
const MISSED = 3;

export interface SignOfLifeOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly workerId: string;
  /** Between two signs, in milliseconds. */
  readonly interval: number;
  readonly workflows: () => readonly string[];
  readonly health: () => WorkerHealth;
}

export class SignOfLife {
  readonly #options: SignOfLifeOptions;
  readonly #startedAt: Date;
  #version: string | null = null;
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SignOfLifeOptions) {
    this.#options = options;
    this.#startedAt = new Date(options.clock.now());
  }

  start(): void {
    this.#after(Math.min(FIRST, this.#options.interval));
  }

  /** Takes the sign away, if the store answers soon. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await Promise.race([this.#remove(), delay(this.#options.clock, LAST)]);
  }

  async #remove(): Promise<void> {
    await this.#writing;
    if (this.#version !== null && this.#options.health().store.reachable) await this.#write(0);
  }

  #after(ms: number): void {
    const { clock, interval } = this.#options;
    this.#cancelTimer = clock.setTimer(clock.now() + ms, () => {
      this.#writing = this.#write(interval * MISSED).finally(() => {
        if (!this.#closed) this.#after(interval);
      });
    });
  }

  async #write(ttl: number): Promise<void> {
    const { world, clock, ids, logger, workerId, workflows, health } = this.#options;
    const key = `${PREFIX}${workerId}`;
    const info: WorkerInfo = {
      workerId,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      seenAt: new Date(clock.now()),
      workflows: workflows(),
      health: health(),
    };
    const writeId = ids.token();
    try {
      const value = encode(info, "worker") ?? new Uint8Array();
      const [result] = await world.writeRecords(
        [{ key, writeId, ifVersion: this.#version, value, ttl }],
        clock.now(),
      );
      // After an answer that was lost, or a pause in which it expired, the next one goes on from what there is.
      this.#version = result?.outcome === "conflict" ? (result.record?.version ?? null) : writeId;
    } catch (error) {
      logger.debug("the sign of life could not be written", { workerId, error });
    }
  }
}

const PAGE = 100;

/** The workers that live, those that started first at the beginning. */
export async function workersOf(world: World, now: number): Promise<readonly WorkerInfo[]> {
  const workers: WorkerInfo[] = [];
  let cursor: string | null = null;
  do {
    const page = await world.listRecords({
      prefix: PREFIX,
      limit: PAGE,
      now,
      ...(cursor !== null && { cursor }),
    });
    for (const { value } of page.records) workers.push(decode(value) as WorkerInfo);
    cursor = page.cursor;
  } while (cursor !== null);
  return workers.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
}
