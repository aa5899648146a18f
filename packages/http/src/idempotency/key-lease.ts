import { randomBytes } from "node:crypto";
import { WorkflowError } from "@perdure/core/errors";
import type { Clock, RecordWrite, RecordWriteResult, World } from "@perdure/core/world";
import {
  type AnsweredEntry,
  decodeEntry,
  type Entry,
  encodeEntry,
  type RunningEntry,
  type StoredAnswer,
} from "./entry.ts";

/**
 * One request's hold on its key. The record is taken by compare-and-set and renewed while the handler lives; the answer is
 * the last write. Whoever lost the record in between cannot write it any more, so of all handlers that were ever called with a
 * key one answers it.
 */

/** Where keys are kept, and for how long. */
export interface KeyStore {
  readonly world: World;
  readonly clock: Clock;
  /** How long a handler keeps a key that it does not renew, in ms. */
  readonly lease: number;
  /** How long an answer is kept, in ms. */
  readonly ttl: number;
  /** How long a handler may have a key, in ms. */
  readonly timeout: number;
}

/** What became of a request for a key. */
export type Taking =
  | { readonly type: "taken"; readonly lease: KeyLease }
  | { readonly type: "answered"; readonly answer: StoredAnswer }
  | { readonly type: "in_flight" }
  /** The key was used for another request. */
  | { readonly type: "mismatch" };

/** Of one lease: a renewal, and another attempt at what the store did not answer. */
const RENEWAL = 1 / 3;
const REPEAT = 1 / 20;

const LEASE_OVER = "The lease on the idempotency key is over: another request may handle it.";

/** Takes the key for a request, if nobody has it: one write, also of a key that a dead handler had. Opens the World if nobody has. */
export async function takeKey(store: KeyStore, key: string, fingerprint: string): Promise<Taking> {
  const { world, clock, lease, ttl } = store;
  await world.open();
  const claim = randomBytes(18).toString("base64url");
  let ifVersion: string | null = null;
  let attempt = 1;
  for (let sent = 1; ; sent++) {
    const since = clock.elapsed();
    // Longer than the lease, so that a dead handler's record is there to be taken over.
    const running: RunningEntry = {
      state: "running",
      fingerprint,
      claim,
      attempt,
      lease,
      ttl: Math.max(ttl, 2 * lease),
    };
    const write = {
      key,
      writeId: `${claim}:take${sent}`,
      ifVersion,
      value: encodeEntry(running),
      ttl: running.ttl,
    };
    const result = await writeOne(world, write, clock);
    if (result.outcome === "written") {
      return { type: "taken", lease: new KeyLease(store, key, running, write.writeId, since) };
    }
    const { record } = result;
    ifVersion = record?.version ?? null;
    attempt = 1;
    if (record === null) continue;
    const entry = decodeEntry(record.value);
    if (entry.fingerprint !== fingerprint) return { type: "mismatch" };
    if (entry.state === "answered") return { type: "answered", answer: entry.answer };
    if (entry.ttl - (record.ttl ?? entry.ttl) < entry.lease) return { type: "in_flight" };
    attempt = entry.attempt + 1;
  }
}

/** A key that a request has, for as long as its lease is renewed. */
export class KeyLease {
  readonly #store: KeyStore;
  readonly #key: string;
  readonly #running: RunningEntry;
  readonly #lost = new AbortController();
  #version: string;
  #writes = 0;
  /** In monotonic time. */
  #heldUntil: number;
  #over = false;
  #cancelTimers: () => void = () => {};
  readonly #cancelTimeout: () => void;
  #timedOut = false;

  constructor(store: KeyStore, key: string, running: RunningEntry, version: string, since: number) {
    this.#store = store;
    this.#key = key;
    this.#running = running;
    this.#version = version;
    this.#heldUntil = since + store.lease;
    this.#setTimers(store.lease * RENEWAL);
    const { clock, timeout } = store;
    this.#cancelTimeout = clock.setTimer(clock.now() + timeout, () => {
      this.#timedOut = !this.#over && !this.#lost.signal.aborted;
      this.#lose(`The handler has not answered within ${timeout} ms.`);
    });
  }

  /** The handler took too long: nobody else has the key before the lease is over, which is not renewed any more. */
  get timedOut(): boolean {
    return this.#timedOut;
  }

  get attempt(): number {
    return this.#running.attempt;
  }

  /** Aborted when the lease could not be renewed in time, or somebody else has the key, or the handler took too long. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Records the answer. Resolves with what the record says then: this answer, or that of who took the key over; `null`: nobody
   * has answered yet.
   *
   * @throws {WorldError} if the store did not take it before the lease was over
   */
  async answer(answer: StoredAnswer): Promise<StoredAnswer | null> {
    const { fingerprint, claim, attempt } = this.#running;
    const entry: AnsweredEntry = { state: "answered", fingerprint, claim, attempt, answer };
    const found = await this.#end(entry, this.#store.ttl);
    return found === "written" ? answer : this.#answerOf(found);
  }

  /** Gives the key back unused. */
  async release(): Promise<void> {
    await this.#end(null, 0);
  }

  /** The answer that the record has, of whoever; `null` if it has none. */
  async look(): Promise<StoredAnswer | null> {
    const { world, clock } = this.#store;
    const [record] = await world.readRecords([this.#key], clock.now());
    return this.#answerOf(record ? decodeEntry(record.value) : null);
  }

  #answerOf(entry: Entry | null): StoredAnswer | null {
    const isOurs = entry?.state === "answered" && entry.fingerprint === this.#running.fingerprint;
    return isOurs ? entry.answer : null;
  }

  /** The last write, repeated as long as its answer is lost and the lease lasts. */
  async #end(entry: AnsweredEntry | null, ttl: number): Promise<"written" | Entry | null> {
    this.#over = true;
    this.#cancelTimers();
    this.#cancelTimeout();
    const { clock, lease } = this.#store;
    const value = entry === null ? new Uint8Array() : encodeEntry(entry);
    let write = this.#write(value, ttl);
    for (;;) {
      let result: RecordWriteResult;
      try {
        result = await writeOne(this.#store.world, write, clock);
      } catch (error) {
        if (!isRetryable(error) || clock.elapsed() >= this.#heldUntil) throw error;
        await new Promise<void>((resolve) => void clock.setTimer(clock.now() + lease * REPEAT, resolve));
        continue;
      }
      if (result.outcome === "written" || result.record === null) {
        return result.outcome === "written" || entry === null ? "written" : null;
      }
      const found = decodeEntry(result.record.value);
      if (found.claim !== this.#running.claim) return found;
      if (found.state === "answered") return "written";
      // A renewal of ours, whose answer has not come yet or was lost.
      this.#version = result.record.version;
      write = this.#write(value, ttl);
    }
  }

  #write(value: Uint8Array, ttl: number): RecordWrite {
    const writeId = `${this.#running.claim}:${++this.#writes}`;
    return { key: this.#key, writeId, ifVersion: this.#version, value, ttl };
  }

  async #renew(): Promise<void> {
    const { world, clock, lease } = this.#store;
    const since = clock.elapsed();
    const write = this.#write(encodeEntry(this.#running), this.#running.ttl);
    let result: RecordWriteResult;
    try {
      result = await writeOne(world, write, clock);
    } catch {
      if (!this.#over && !this.#lost.signal.aborted) this.#setTimers(lease * REPEAT);
      return;
    }
    if (this.#over) return;
    if (result.outcome === "written") {
      this.#version = write.writeId;
      if (this.#lost.signal.aborted) return;
      this.#heldUntil = since + lease;
      this.#setTimers(lease * RENEWAL);
    } else if (result.record !== null && decodeEntry(result.record.value).claim === this.#running.claim) {
      this.#version = result.record.version;
      this.#setTimers(0);
    } else {
      this.#lose(LEASE_OVER);
    }
  }

  /** The next renewal, and the end of the lease if none succeeds. */
  #setTimers(renewIn: number): void {
    this.#cancelTimers();
    const { clock } = this.#store;
    const left = Math.max(0, this.#heldUntil - clock.elapsed());
    const cancelEnd = clock.setTimer(clock.now() + left, () => this.#lose(LEASE_OVER));
    const cancelRenewal = clock.setTimer(clock.now() + renewIn, () => void this.#renew());
    this.#cancelTimers = () => {
      cancelEnd();
      cancelRenewal();
    };
  }

  #lose(why: string): void {
    this.#cancelTimers();
    this.#cancelTimeout();
    if (this.#over || this.#lost.signal.aborted) return;
    this.#lost.abort(new Error(why));
  }
}

async function writeOne(world: World, write: RecordWrite, clock: Clock): Promise<RecordWriteResult> {
  const [result] = await world.writeRecords([write], clock.now());
  if (result === undefined) throw new TypeError(`The World "${world.name}" gave no result for a record.`);
  return result;
}

/** Whether the store may take the same call later. */
export function isRetryable(error: unknown): boolean {
  return WorkflowError.is(error) && error.retryable;
}
