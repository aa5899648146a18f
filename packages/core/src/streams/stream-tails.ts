import type { Clock } from "../clock.ts";
import type { StreamAddress, StreamPart, World } from "../world/index.ts";

/**
 * Waiting for more of streams: one subscription for all readers of a process, and one look at the store for all who wait at the
 * same place of a stream. A slow look stands behind it for moments and stores that lose hints.
 */

/** A lost hint costs so many milliseconds at most; where there are none, this is how often it looks. */
const [PATIENCE, WITHOUT_NOTIFICATIONS] = [5_000, 250];
/** The least time between two looks because another process wrote something, in ms: for each ten streams, and at most. */
const [AFTER_CHANGE, LONGEST_AFTER_CHANGE] = [20, 500];
/** The bounds of one reading. */
const MOST_CHUNKS = 256;
const MOST_BYTES = 1024 * 1024;

export class StreamTails {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #tails: Map<string, StreamTail> = new Map();
  #unsubscribe: (() => void) | null = null;
  #cancelWakeAll: (() => void) | null = null;

  constructor(world: World, clock: Clock) {
    this.#world = world;
    this.#clock = clock;
  }

  /** The end of a stream, as somebody follows it. Call `leave` once when nobody does any more. */
  follow(address: StreamAddress): { readonly tail: StreamTail; leave(): void } {
    const key = `${address.runId}/${address.name}`;
    const tail = this.#tails.get(key) ?? new StreamTail(this.#world, this.#clock, address);
    this.#tails.set(key, tail);
    tail.followers++;
    this.#unsubscribe ??= this.#subscribe();
    return {
      tail,
      leave: () => {
        if (--tail.followers > 0) return;
        this.#tails.delete(key);
        if (this.#tails.size > 0) return;
        this.#unsubscribe?.();
        this.#cancelWakeAll?.();
        this.#unsubscribe = this.#cancelWakeAll = null;
      },
    };
  }

  #subscribe(): () => void {
    return this.#world.subscribe((hint) => {
      if (hint.type === "stream") this.#tails.get(`${hint.runId}/${hint.name}`)?.wake();
      else if (hint.type === "finished") this.#wakeAll(hint.runId);
      else if (hint.type === "changed") this.#wakeAllSoon();
    });
  }

  #wakeAll(runId: string | null): void {
    for (const tail of this.#tails.values()) if (runId === null || tail.runId === runId) tail.wake();
  }

  #wakeAllSoon(): void {
    const pause = Math.min(AFTER_CHANGE * Math.max(this.#tails.size / 10, 1), LONGEST_AFTER_CHANGE);
    this.#cancelWakeAll ??= this.#clock.setTimer(this.#clock.now() + pause, () => {
      this.#cancelWakeAll = null;
      this.#wakeAll(null);
    });
  }
}

/** The end of one stream, shared by those who follow it. */
export class StreamTail {
  followers = 0;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #address: StreamAddress;
  /** Counts what was heard of the stream. */
  #heard = 0;
  #waiters: Set<() => void> = new Set();
  #cancelLook: (() => void) | null = null;
  /** Readings under way, by what they read and what was heard before. */
  readonly #readings: Map<string, Promise<StreamPart | null>> = new Map();

  constructor(world: World, clock: Clock, address: StreamAddress) {
    this.#world = world;
    this.#clock = clock;
    this.#address = address;
  }

  get runId(): string {
    return this.#address.runId;
  }

  /** What {@link changed} wants to know: how much was heard before a reading. */
  get heard(): number {
    return this.#heard;
  }

  /** The stream may have more, or an end. */
  wake(): void {
    this.#heard++;
    this.#cancelLook?.();
    this.#cancelLook = null;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const tell of waiters) tell();
  }

  /** Resolves when more was heard than before, or the signal is aborted. */
  async changed(heard: number, signal: AbortSignal): Promise<void> {
    if (this.#heard !== heard || signal.aborted) return;
    const patience = this.#world.capabilities.notifications ? PATIENCE : WITHOUT_NOTIFICATIONS;
    this.#cancelLook ??= this.#clock.setTimer(this.#clock.now() + patience, () => this.wake());
    await new Promise<void>((resolve) => {
      const tell = (): void => {
        signal.removeEventListener("abort", tell);
        this.#waiters.delete(tell);
        if (this.#waiters.size === 0) {
          this.#cancelLook?.();
          this.#cancelLook = null;
        }
        resolve();
      };
      this.#waiters.add(tell);
      signal.addEventListener("abort", tell, { once: true });
    });
  }

  /** A stretch of the stream, read once for all who ask for the same at the same time. */
  read(from: number, limit: number = MOST_CHUNKS): Promise<StreamPart | null> {
    const key = `${this.#heard}/${from}/${limit}`;
    const known = this.#readings.get(key);
    if (known !== undefined) return known;
    const reading = this.#world
      .readChunks({ ...this.#address, from, limit, byteLimit: MOST_BYTES })
      .finally(() => this.#readings.delete(key));
    this.#readings.set(key, reading);
    return reading;
  }
}
