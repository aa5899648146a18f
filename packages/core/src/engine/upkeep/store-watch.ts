import type { Clock } from "../../clock.ts";
import { WorldError } from "../../errors/index.ts";
import type { Logger } from "../../logger.ts";

/**
 * Whether the store answers, as the claims of a worker find out. A store that is away is told of once, asked more and more seldom,
 * and told of again when it is back.
 */

/** What is wrong with the store. */
export interface StoreTrouble {
  /** Since when, ms since the epoch. */
  readonly since: number;
  readonly error: unknown;
  /** It may pass by itself; what does not, such as a missing right, somebody has to mend. */
  readonly passing: boolean;
}

/** The longest pause between two questions to a store that is away, in milliseconds. */
const LONGEST_PAUSE = 15_000;

export interface StoreWatchOptions {
  /** How the store is called in messages. */
  readonly world: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The first pause, in milliseconds. */
  readonly pause: number;
}

export class StoreWatch {
  readonly #options: StoreWatchOptions;
  #trouble: StoreTrouble | null = null;
  #failures = 0;
  #answeredAt: number | null = null;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
  }

  /** `null` while it answers. */
  get trouble(): StoreTrouble | null {
    return this.#trouble;
  }

  /** When it answered last, ms since the epoch; `null` before the first time. */
  get answeredAt(): number | null {
    return this.#answeredAt;
  }

  answered(): void {
    const { clock, logger, world } = this.#options;
    this.#answeredAt = clock.now();
    this.#failures = 0;
    if (this.#trouble === null) return;
    const seconds = Math.round((clock.now() - this.#trouble.since) / 1000);
    this.#trouble = null;
    logger.warn("the store answers again, and runs go on", { world, seconds });
  }

  /** Notes that it did not answer, or refused; returns after how many milliseconds to ask again. */
  failed(error: unknown): number {
    const { clock, logger, world, pause } = this.#options;
    const passing = !WorldError.is(error) || error.retryable;
    const known = this.#trouble;
    this.#trouble = { since: known?.since ?? clock.now(), error, passing };
    if (known === null || (known.passing && !passing)) {
      if (passing) {
        logger.warn(
          "the store could not be asked for due runs: it is asked again until it answers. Check that it can be reached",
          { world, error },
        );
      } else {
        logger.error(
          "the store refuses this worker, which executes nothing until that is mended: it does not pass by itself",
          { world, error },
        );
      }
    }
    return Math.min(pause * 2 ** this.#failures++, Math.max(pause, LONGEST_PAUSE));
  }
}
