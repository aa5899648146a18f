import type { LockView } from "./lock-record.ts";

/** So many are remembered; those of runs that have gone to other workers stay until then. */
const REMEMBERED = 1_000;

/**
 * Locks as this worker wrote them when it gave them to runs that had not waited: to give one back it need not be read. Whether it
 * still is as it was, the write decides.
 */
export class GrantedLocks {
  /** By the id of the request, the oldest first. */
  readonly #views: Map<string, LockView> = new Map();

  add(lockId: string, view: LockView): void {
    this.#views.set(lockId, view);
    if (this.#views.size <= REMEMBERED) return;
    const [oldest] = this.#views.keys();
    if (oldest !== undefined) this.#views.delete(oldest);
  }

  /** Gives it once; `null` if it is not remembered. */
  take(lockId: string): LockView | null {
    const view = this.#views.get(lockId) ?? null;
    this.#views.delete(lockId);
    return view;
  }
}
