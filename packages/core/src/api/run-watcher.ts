import type { Clock } from "../clock.ts";
import { completions } from "../engine/completions.ts";
import { WorkflowRunNotFoundError, WorldError } from "../errors/index.ts";
import { isTerminal, type RunRecord, type World } from "../world/index.ts";

/**
 * Waiting for runs to end: one watcher per client, whatever the number of runs. A notification makes it look; a slowing
 * poll of all awaited runs in one query stands behind it for stores and moments that lose notifications.
 */

interface Waiter {
  readonly resolve: (run: RunRecord) => void;
  readonly reject: (error: unknown) => void;
}

const FIRST_POLL = 100;
const SLOWEST_POLL = 2000;
const AFTER_CHANGE = 10;

export class RunWatcher {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #waiters: Map<string, Waiter[]> = new Map();
  /** Runs to look at with the next query. */
  readonly #suspects: Set<string> = new Set();
  #stop: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #lookAt = Number.POSITIVE_INFINITY;
  #looking = false;
  #poll = FIRST_POLL;

  constructor(world: World, clock: Clock) {
    this.#world = world;
    this.#clock = clock;
  }

  /** The run's row once it is terminal. Rejects with `WorkflowRunNotFoundError` if there is no such run. */
  ended(runId: string): Promise<RunRecord> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(runId);
      if (waiters === undefined) this.#waiters.set(runId, [{ resolve, reject }]);
      else waiters.push({ resolve, reject });
      this.#start();
      this.#suspect([runId], 0);
    });
  }

  #start(): void {
    if (this.#stop !== undefined) return;
    const unsubscribeLocal = completions(this.#world).subscribe((runId) => this.#finished(runId));
    const unsubscribe = this.#world.subscribe((hint) => {
      if (hint.type === "finished") this.#finished(hint.runId);
      else if (hint.type === "changed") this.#suspect(this.#waiters.keys(), AFTER_CHANGE);
    });
    this.#poll = FIRST_POLL;
    this.#stop = () => {
      unsubscribeLocal();
      unsubscribe();
      this.#cancelLook?.();
      this.#lookAt = Number.POSITIVE_INFINITY;
      this.#suspects.clear();
    };
  }

  #finished(runId: string): void {
    if (this.#waiters.has(runId)) this.#suspect([runId], 0);
  }

  #suspect(runIds: Iterable<string>, pause: number): void {
    for (const runId of runIds) this.#suspects.add(runId);
    this.#lookIn(pause);
  }

  #lookIn(pause: number): void {
    if (this.#looking) return;
    const at = this.#clock.now() + pause;
    if (at >= this.#lookAt) return;
    this.#cancelLook?.();
    this.#lookAt = at;
    if (pause === 0) {
      this.#cancelLook = undefined;
      this.#clock.turn(() => void this.#look());
    } else {
      this.#cancelLook = this.#clock.setTimer(at, () => void this.#look());
    }
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#stop === undefined) return;
    this.#looking = true;
    this.#lookAt = Number.POSITIVE_INFINITY;
    let pause = AFTER_CHANGE;
    const runIds = this.#suspects.size > 0 ? [...this.#suspects] : [...this.#waiters.keys()];
    this.#suspects.clear();
    try {
      const runs = await this.#world.getRuns(runIds);
      runIds.forEach((runId, index) => {
        this.#tell(runId, runs[index] ?? null);
      });
    } catch (error) {
      if (WorldError.is(error) && !error.retryable) {
        // Such as a World that was closed: nobody waits for what cannot come.
        this.#fail(error);
      } else {
        // The store did not answer: the poll asks again.
        pause = this.#poll;
        for (const runId of runIds) this.#suspects.add(runId);
      }
    }
    this.#looking = false;
    if (this.#waiters.size === 0) {
      this.#stop?.();
      this.#stop = undefined;
      return;
    }
    this.#poll = Math.min(this.#poll * 1.5, SLOWEST_POLL);
    this.#lookIn(this.#suspects.size > 0 ? pause : this.#poll);
  }

  #fail(error: WorldError): void {
    const waiters = [...this.#waiters.values()].flat();
    this.#waiters.clear();
    for (const { reject } of waiters) reject(error);
  }

  #tell(runId: string, run: RunRecord | null): void {
    const waiters = this.#waiters.get(runId);
    if (waiters === undefined || (run !== null && !isTerminal(run.status))) return;
    this.#waiters.delete(runId);
    for (const { resolve, reject } of waiters) {
      if (run === null) reject(new WorkflowRunNotFoundError(runId));
      else resolve(run);
    }
  }
}
