import { decodeError, encodeError, inWords } from "../../serialization/index.ts";
import type { LeaseChange, RunPatch } from "../../world/index.ts";

/** What a diverged run's row keeps besides the reason, for the worker that can follow its journal again. */

/**
 * The row's `error`. `interrupted`: steps were under way under a lease that was lost. The journal cannot be told before
 * the code follows it, and the lease that could is given back.
 */
export function encodeDivergence(error: unknown, interrupted: boolean): Uint8Array {
  const facts = interrupted ? { interrupted } : {};
  if (error instanceof Error && !("interrupted" in error)) return encodeError(error, facts);
  // The code's own error, with a property of that name that is none of ours, or no error at all.
  return encodeError(new Error(inWords(error), { cause: error }), facts);
}

/** Whether steps of a diverged run were interrupted before it was parked. */
export function wasInterrupted(error: Uint8Array | null): boolean {
  if (error === null) return false;
  return (decodeError(error) as { readonly interrupted?: unknown } | null)?.interrupted === true;
}

/** How a diverged run gives its lease back, and when it is tried again. */
export class DivergedRun {
  readonly #retryAt: number;
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #error: Uint8Array;
  /** The last message that was known when the row was told; `null` before. */
  #toldAt: number | null = null;

  constructor(error: Uint8Array, retryAt: number) {
    this.#error = error;
    this.#retryAt = retryAt;
  }

  /**
   * When a tick has to look at the run next; `null` when one has, since then, or where only a message makes the run due.
   */
  get dueAt(): number | null {
    return this.#retryAt > this.#lookedAt && this.#retryAt < Number.POSITIVE_INFINITY ? this.#retryAt : null;
  }

  get #parkedUntil(): number | null {
    return this.#retryAt === Number.POSITIVE_INFINITY ? null : this.#retryAt;
  }

  look(now: number): void {
    this.#lookedAt = now;
  }

  /**
   * What becomes of the lease now; `null` for no change. Unread messages would make the parked run due at once, so it keeps
   * its lease while there are any, until `retryAt` or until another one comes.
   */
  nextLease(mail: { seq: number; done: number }, ttl: number, handOver: boolean, now: number): NextLease {
    if (this.#toldAt === null) {
      this.#toldAt = mail.seq;
      const patch: RunPatch = { status: "diverged", error: this.#error };
      if (mail.seq > mail.done && !handOver) return { lease: { type: "hold", ttl }, patch };
      return { lease: { type: "park", dueAt: handOver ? now : this.#parkedUntil }, patch };
    }
    const again = handOver || now >= this.#retryAt || mail.seq > this.#toldAt;
    return { lease: again ? { type: "park", dueAt: now } : null, patch: {} };
  }
}

interface NextLease {
  readonly lease: LeaseChange | null;
  readonly patch: RunPatch;
}
