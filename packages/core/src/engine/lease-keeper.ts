import { Worker as Thread } from "node:worker_threads";
import type { Logger } from "../logger.ts";
import type { LeaseKeeper as KeeperModule, Lease } from "../world/index.ts";
import type { KeeperData, KeeperMessage } from "./lease-keeper-thread.ts";

/**
 * Keeping leases while a step blocks the event loop: a thread with a World of its own knows the leases, and renews them
 * when the heartbeat of the main thread stops. The thread dies with the process, so a dead worker's leases still run out.
 */
export class LeaseKeeper {
  /**
   * The thread has opened its World, or has failed to. A thread needs the event loop of the one that starts it, so no code
   * that may block it runs before.
   */
  readonly ready: Promise<void>;
  readonly #heartbeat = new Int32Array(new SharedArrayBuffer(4));
  readonly #thread: Thread;
  readonly #held: Map<string, string> = new Map();
  #taken: Lease[] = [];
  #released: string[] = [];

  constructor(keeper: KeeperModule, leaseTtl: number, logger: Logger) {
    const file = import.meta.url.endsWith(".ts") ? "./lease-keeper-thread.ts" : "./lease-keeper-thread.js";
    const data: KeeperData = { ...keeper, leaseTtl, heartbeat: this.#heartbeat };
    this.#thread = new Thread(new URL(file, import.meta.url), { workerData: data });
    this.ready = new Promise((resolve) => {
      const settle = (): void => {
        this.#thread.unref();
        resolve();
      };
      this.#thread.once("message", settle);
      this.#thread.once("exit", settle);
    });
    this.#thread.on("error", (error) => {
      logger.warn(
        "the lease keeper stopped: a step that blocks the event loop for longer than a lease may be executed twice",
        { error },
      );
    });
  }

  /** The main thread is not blocked. */
  beat(): void {
    Atomics.add(this.#heartbeat, 0, 1);
  }

  take(lease: Lease): void {
    if (this.#held.get(lease.runId) === lease.claimId) return;
    this.#held.set(lease.runId, lease.claimId);
    this.#taken.push(lease);
  }

  release(runId: string): void {
    if (this.#held.delete(runId)) this.#released.push(runId);
  }

  /** Tells the thread what changed. Called before any code of the user runs under a new lease. */
  flush(): void {
    if (this.#taken.length === 0 && this.#released.length === 0) return;
    // A lease that was taken and released since the last time must not stay: releases come last, but not those of runs
    // that are held again.
    const released = this.#released.filter((runId) => !this.#held.has(runId));
    const message: KeeperMessage = { taken: this.#taken, released };
    this.#thread.postMessage(message);
    this.#taken = [];
    this.#released = [];
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}
