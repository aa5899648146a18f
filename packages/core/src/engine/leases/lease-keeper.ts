import { isMainThread, Worker as Thread } from "node:worker_threads";
import type { Logger } from "../../logger.ts";
import type { Lease, World, WorldCapabilities } from "../../world/index.ts";
import { ASK_BLOCKED, answerWhenBlocked } from "./blocked-thread.ts";
import type { KeeperAnswer, KeeperData, KeeperMessage } from "./lease-keeper-thread.ts";

export interface LeaseKeeperOptions {
  /** Of the World's capabilities. */
  readonly locate: NonNullable<WorldCapabilities["leaseKeeper"]>;
  readonly workerId: string;
  readonly leaseTtl: number;
  /** See the worker's option. */
  readonly stallTimeout: number;
  readonly logger: Logger;
}

/**
 * Keeping leases while a step blocks the event loop: a thread with a World of its own knows the leases, and renews them
 * when the heartbeat of the main thread stops. The thread dies with the process, so a dead worker's leases still run out.
 */
export class LeaseKeeper {
  /**
   * The thread has opened its World, or has failed to. A thread needs the event loop of the one that starts it, so no code
   * that may block it runs before. Never rejects: without a thread, leases are renewed from the event loop only.
   */
  readonly ready: Promise<void>;
  readonly #options: LeaseKeeperOptions;
  readonly #heartbeat = new Int32Array(new SharedArrayBuffer(4));
  #thread: Thread | undefined;
  #state: "starting" | "running" | "failed" | "closed" = "starting";
  readonly #held: Map<string, Lease> = new Map();
  #taken: Lease[] = [];
  #released: string[] = [];

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.ready = this.#start().catch((error: unknown) => this.#fail(error));
  }

  /** The main thread is not blocked. */
  beat(): void {
    Atomics.add(this.#heartbeat, 0, 1);
    this.#tell();
  }

  take(lease: Lease): void {
    const held = this.#held.get(lease.runId);
    if (held !== undefined && held.epoch === lease.epoch && held.claimId === lease.claimId) return;
    this.#held.set(lease.runId, lease);
    this.#taken.push(lease);
  }

  release(runId: string): void {
    if (this.#held.delete(runId)) this.#released.push(runId);
  }

  /**
   * Tells the thread of new leases. Called before any code of the user runs under one. What was released can wait for the next ones,
   * or the next beat: the store refuses to renew it.
   */
  flush(): void {
    if (this.#taken.length > 0) this.#tell();
  }

  #tell(): void {
    if (this.#taken.length === 0 && this.#released.length === 0) return;
    // A lease that was taken and released since the last time must not stay: releases come last, but not those of runs
    // that are held again.
    const released = this.#released.filter((runId) => !this.#held.has(runId));
    const message: KeeperMessage = { taken: this.#taken, released };
    this.#thread?.postMessage(message);
    this.#taken = [];
    this.#released = [];
  }

  async close(): Promise<void> {
    this.#state = "closed";
    await this.#thread?.terminate();
  }

  async #start(): Promise<void> {
    const { locate, workerId, leaseTtl, stallTimeout } = this.#options;
    const [{ threadUrl }, keeper] = await Promise.all([import("./lease-keeper-url.ts"), locate()]);
    if (this.#state === "closed") return;
    const data: KeeperData = {
      ...keeper,
      workerId,
      leaseTtl,
      stallTimeout,
      heartbeat: this.#heartbeat,
      askBlocked: isMainThread ? ASK_BLOCKED : null,
    };
    // Nothing of the program's runs in the thread: no flags, no `--import` of NODE_OPTIONS, and no warning twice.
    const { NODE_OPTIONS, ...env } = process.env;
    const thread = new Thread(new URL(threadUrl), { workerData: data, execArgv: ["--no-warnings"], env });
    this.#thread = thread;
    answerWhenBlocked();
    thread.on("error", (error) => this.#fail(error));
    await new Promise<void>((resolve) => {
      thread.once("message", (answer: KeeperAnswer) => {
        if (answer.opened) this.#state = this.#state === "closed" ? "closed" : "running";
        else this.#fail(answer.error);
        resolve();
      });
      thread.once("exit", () => {
        this.#fail(new Error("The thread ended."));
        resolve();
      });
    });
    thread.unref();
  }

  #fail(error: unknown): void {
    if (this.#state === "failed" || this.#state === "closed") return;
    this.#state = "failed";
    this.#options.logger.warn(
      "the thread that keeps leases does not run: a step that blocks the event loop for longer than a lease may be executed " +
        "twice. Mend what the error says and start the worker again, or keep steps from computing for longer than leaseTtl",
      { worker: this.#options.workerId, error },
    );
  }
}

/** The keeper of a worker; `null` where its World has none, or no thread may renew leases. */
export function leaseKeeperOf(
  options: Omit<LeaseKeeperOptions, "locate"> & { readonly world: World; readonly keeperThread: boolean },
): LeaseKeeper | null {
  const { leaseKeeper } = options.world.capabilities;
  if (!options.keeperThread || leaseKeeper === null) return null;
  return new LeaseKeeper({ ...options, locate: leaseKeeper });
}
