import type { Clock } from "../../clock.ts";

/**
 * The worker's time of day: monotonic time, corrected by what the store says at each claim. A machine whose clock is set
 * while a worker runs, or is wrong, neither holds a lease for too long nor makes a sleep last longer than it was asked to.
 */

/** One question to the store and its answer about the time. */
export interface TimeAnswer {
  /** The store's time. */
  readonly answered: number;
  /** Monotonic times at which the request was sent and the answer came. */
  readonly sentAt: number;
  readonly receivedAt: number;
}

/** A difference to the machine's clock that is worth a warning, in milliseconds. */
const NOTABLE = 1000;

export class StoreClock implements Clock {
  readonly #machine: Clock;
  /** What monotonic time lacks to be the time of day. */
  #offset: number;
  #warnedOf = 0;
  #asked = false;

  constructor(machine: Clock) {
    this.#machine = machine;
    this.#offset = machine.now() - machine.elapsed();
  }

  now(): number {
    return Math.round(this.#machine.elapsed() + this.#offset);
  }

  elapsed(): number {
    return this.#machine.elapsed();
  }

  setTimer(at: number, fn: () => void): () => void {
    return this.#machine.setTimer(this.#machine.now() + at - this.now(), fn);
  }

  turn(fn: () => void): void {
    this.#machine.turn(fn);
  }

  /** The store has been asked for its time, if it has a clock of its own. */
  get known(): boolean {
    return this.#asked;
  }

  pause(fn: () => void): void {
    this.#machine.pause(fn);
  }

  /** Follows the store as far as its answer is certain: it was given at some moment between the sending and the answer. */
  follow({ answered, sentAt, receivedAt }: TimeAnswer): void {
    this.#asked = true;
    const [least, most] = [answered - receivedAt, answered - sentAt];
    if (this.#offset < least || this.#offset > most) this.#offset = (least + most) / 2;
  }

  /** Follows the machine's clock, for a store that has none, at a moment when nothing hangs on the difference. */
  followMachine(): void {
    this.#asked = true;
    this.#offset = this.#machine.now() - this.#machine.elapsed();
  }

  /**
   * How far the machine's clock is ahead of the store's, in milliseconds, if that is worth a warning and has not been told
   * yet; else `null`.
   */
  takeNotableDifference(): number | null {
    const difference = Math.round(this.#machine.now() - this.#machine.elapsed() - this.#offset);
    const news = Math.abs(difference - this.#warnedOf) > NOTABLE;
    if (!news) return null;
    this.#warnedOf = difference;
    return Math.abs(difference) > NOTABLE ? difference : null;
  }
}
