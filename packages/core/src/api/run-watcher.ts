import type { Clock } from "../clock.ts";
import { completions, type RunEnding } from "../engine/commits/completions.ts";
import { WorkflowRunNotFoundError, WorldError } from "../errors/index.ts";
import { isTerminal, type World } from "../world/index.ts";
import { lendingSlot } from "./waiting.ts";

/**
 * Waiting for runs to end: one watcher per client, whatever the number of runs. A run that ends in a worker of this process is
 * not read: the commit that ended it says how, once the store has acknowledged it. Of other runs the watcher reads the row, at
 * once when a run is said to have ended. That something has changed makes it look at all awaited runs in one query, the less often the longer none of
 * them ends and the more they are; a slowing poll stands behind it for stores and moments that lose notifications.
 */

interface Waiter {
  readonly resolve: (ending: RunEnding) => void;
  readonly reject: (error: unknown) => void;
}

const FIRST_POLL = 100;
const SLOWEST_POLL = 2000;
/** The shortest time between two looks at all awaited runs is this for every hundred of them; it grows to the longest. */
const SHORTEST_PAUSE = 10;
const LONGEST_PAUSE = 500;

export class RunWatcher {
  readonly #world: World;
  readonly #clock: Clock;
  /** Whether a worker of this process holds the run. */
  readonly #isHeldHere: (runId: string) => boolean;
  readonly #waiters: Map<string, Waiter[]> = new Map();
  /** Runs to look at without delay. */
  #suspects: Set<string> = new Set();
  /** Something has changed since the last look at all. */
  #changed = false;
  /** Time of the last look at all, and how long after it the next may come. */
  #lookedAt = 0;
  #pause = SHORTEST_PAUSE;
  #stop: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #lookAt = Number.POSITIVE_INFINITY;
  #looking = false;
  #poll = FIRST_POLL;

  constructor(world: World, clock: Clock, isHeldHere: (runId: string) => boolean) {
    this.#world = world;
    this.#clock = clock;
    this.#isHeldHere = isHeldHere;
  }

  /**
   * How the run ended, once it has. Rejects with `WorkflowRunNotFoundError` if there is no such run, and with the signal's reason
   * when it is aborted: nothing is left of the waiter then. A step that waits here gives its slot to others meanwhile.
   */
  ended(runId: string, signal?: AbortSignal): Promise<RunEnding> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const ended = new Promise<RunEnding>((resolve, reject) => {
      const waiter = { resolve, reject };
      const waiters = this.#waiters.get(runId);
      if (waiters === undefined) this.#waiters.set(runId, [waiter]);
      else waiters.push(waiter);
      signal?.addEventListener("abort", () => this.#giveUp(runId, waiter, signal.reason), { once: true });
      this.#pause = SHORTEST_PAUSE;
      this.#start();
      if (this.#isHeldHere(runId)) this.#lookAgain();
      else this.#suspect(runId);
    });
    return lendingSlot(runId, ended);
  }

  #start(): void {
    if (this.#stop !== undefined) return;
    const unsubscribeLocal = completions(this.#world).subscribe((ending) => this.#endedHere(ending));
    const unsubscribe = this.#world.subscribe((hint) => {
      if (hint.type === "finished") this.#finished(hint.runId);
      else if (hint.type === "changed") this.#noteChange();
    });
    this.#poll = FIRST_POLL;
    this.#stop = () => {
      unsubscribeLocal();
      unsubscribe();
      this.#cancelLook?.();
      this.#lookAt = Number.POSITIVE_INFINITY;
      this.#suspects.clear();
      this.#changed = false;
    };
  }

  #endedHere(ending: RunEnding): void {
    this.#tell(ending.runId, ending);
    // It may be a suspect by the World's hint, which comes a moment earlier.
    this.#suspects.delete(ending.runId);
    this.#stopIfIdle();
  }

  #stopIfIdle(): void {
    if (this.#waiters.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #finished(runId: string): void {
    if (this.#waiters.has(runId)) this.#suspect(runId);
  }

  #suspect(runId: string): void {
    this.#suspects.add(runId);
    this.#lookAgain();
  }

  #noteChange(): void {
    this.#changed = true;
    this.#lookAgain();
  }

  /** When to look at all awaited runs after a change. */
  get #afterChange(): number {
    const shortest = SHORTEST_PAUSE * Math.max(this.#waiters.size / 100, 1);
    return this.#lookedAt + Math.min(Math.max(this.#pause, shortest), LONGEST_PAUSE);
  }

  /** Sets the time of the next look. */
  #lookAgain(): void {
    const now = this.#clock.now();
    if (this.#suspects.size > 0) this.#lookNotAfter(now);
    else this.#lookNotAfter(now + this.#poll);
    if (this.#changed) this.#lookNotAfter(Math.max(this.#afterChange, now + SHORTEST_PAUSE));
  }

  #lookNotAfter(at: number): void {
    if (this.#looking || at >= this.#lookAt) return;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#lookAt = at;
    if (at <= this.#clock.now()) this.#clock.turn(() => this.#lookAtSuspects(at));
    else this.#cancelLook = this.#clock.setTimer(at, () => void this.#look());
  }

  /** A turn cannot be cancelled, and those who were to be looked at may have ended here since. */
  #lookAtSuspects(at: number): void {
    if (this.#lookAt !== at) return;
    if (this.#suspects.size > 0) {
      void this.#look();
      return;
    }
    this.#lookAt = Number.POSITIVE_INFINITY;
    this.#lookAgain();
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#stop === undefined) return;
    const now = this.#clock.now();
    this.#lookAt = Number.POSITIVE_INFINITY;
    // A run that is said to have ended is no reason to look at all the others.
    const all = this.#suspects.size === 0 || (this.#changed && now >= this.#afterChange);
    const runIds = all ? [...this.#waiters.keys()] : [...this.#suspects];
    this.#suspects = new Set();
    if (all) {
      this.#changed = false;
      this.#lookedAt = now;
    }
    this.#looking = true;
    const waited = this.#waiters.size;
    const answered = await this.#read(runIds);
    this.#looking = false;
    this.#stopIfIdle();
    if (this.#stop === undefined) return;
    this.#poll = Math.min(this.#poll * 1.5, SLOWEST_POLL);
    const progress = this.#waiters.size < waited;
    if (all) this.#pause = progress ? SHORTEST_PAUSE : Math.min(this.#pause * 1.5, LONGEST_PAUSE);
    // The store did not answer: the poll asks again.
    if (!answered) this.#changed = false;
    this.#lookAgain();
  }

  /** False if the store did not answer. */
  async #read(runIds: readonly string[]): Promise<boolean> {
    try {
      const runs = await this.#world.getRuns(runIds);
      runIds.forEach((runId, index) => {
        this.#tell(runId, runs[index] ?? null);
      });
      return true;
    } catch (error) {
      if (!WorldError.is(error) || error.retryable) return false;
      const [only] = runIds;
      if (only === undefined) return true;
      if (runIds.length === 1) {
        // Its rows are damaged, say, or the World was closed: nobody waits for what cannot come.
        this.#fail(only, error);
        return true;
      }
      // One of them is at fault: it must not hold up the others.
      const half = Math.ceil(runIds.length / 2);
      const answers = await Promise.all([this.#read(runIds.slice(0, half)), this.#read(runIds.slice(half))]);
      return answers.every((answered) => answered);
    }
  }

  #giveUp(runId: string, waiter: Waiter, reason: unknown): void {
    const others = this.#waiters.get(runId)?.filter((other) => other !== waiter) ?? [];
    if (others.length > 0) this.#waiters.set(runId, others);
    else {
      this.#waiters.delete(runId);
      this.#suspects.delete(runId);
    }
    waiter.reject(reason);
    this.#stopIfIdle();
  }

  #fail(runId: string, error: WorldError): void {
    const waiters = this.#waiters.get(runId) ?? [];
    this.#waiters.delete(runId);
    for (const { reject } of waiters) reject(error);
  }

  #tell(runId: string, run: RunEnding | null): void {
    const waiters = this.#waiters.get(runId);
    if (waiters === undefined || (run !== null && !isTerminal(run.status))) return;
    this.#waiters.delete(runId);
    for (const { resolve, reject } of waiters) {
      if (run === null) reject(new WorkflowRunNotFoundError(runId));
      else resolve(run);
    }
  }
}
