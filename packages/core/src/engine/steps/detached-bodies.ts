import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { Slot } from "./slots.ts";

/**
 * Step bodies that go on when their attempt is over: it timed out, its run was cancelled, ended or lost. Up to a limit
 * they give their slots back; beyond it they keep them, so the bodies of a worker are never more than both limits together.
 */

/** A body, as messages name it. */
export interface Body {
  readonly runId: string;
  readonly workflow: string;
  readonly step: string;
  readonly stepId: string;
  readonly attempt: number;
  /** When it began, as an ISO time. */
  readonly since: string;
}

export interface DetachedBodiesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limit: number;
  /** There are fewer than the limit again. */
  readonly onBelowLimit: () => void;
}

/** So long a body may take to end after its attempt, in milliseconds, before it counts. */
const GRACE = 100;

export class DetachedBodies {
  readonly #options: DetachedBodiesOptions;
  readonly #slots: Map<Body, Slot> = new Map();

  constructor(options: DetachedBodiesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#slots.size;
  }

  get limit(): number {
    return this.#options.limit;
  }

  get full(): boolean {
    return this.count >= this.limit;
  }

  /** The attempt is over and the body goes on. Returns what must be called when the body has settled. */
  add(body: Body, slot: Slot): () => void {
    const { clock } = this.#options;
    const cancel = clock.setTimer(clock.now() + GRACE, () => this.#detach(body, slot));
    return () => {
      cancel();
      slot.release();
      this.#forget(body);
    };
  }

  #detach(body: Body, slot: Slot): void {
    const { logger, limit } = this.#options;
    logger.warn(
      "a step goes on although its attempt is over: end its work when the signal of getStepMetadata() aborts",
      { ...body },
    );
    if (!this.full) slot.release();
    this.#slots.set(body, slot);
    if (this.count !== limit) return;
    logger.error(
      "the worker takes no more runs: too many steps go on although their attempts are over. Restart it, and let those " +
        "steps end when their signals abort",
      { maxDetached: limit, steps: [...new Set([...this.#slots.keys()].map(({ step }) => step))] },
    );
  }

  #forget(body: Body): void {
    const wasFull = this.full;
    if (!this.#slots.delete(body) || !wasFull) return;
    for (const slot of this.#slots.values()) {
      if (slot.released) continue;
      slot.release();
      break;
    }
    if (!this.full) this.#options.onBelowLimit();
  }
}
