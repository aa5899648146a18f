import type { Clock } from "../../clock.ts";
import { sealedAmong } from "../../encryption/sealed-bytes.ts";
import type { EncryptionError } from "../../errors/index.ts";
import type { Logger } from "../../logger.ts";
import type { ClaimedRun, RunCommit, World } from "../../world/index.ts";
import type { LiveRun } from "../run/live-run.ts";

/**
 * Runs that this worker claimed and cannot read, since it has not the key with which their values are encrypted. Nothing of them is
 * changed: they are left to a worker that has it, and come again later.
 */

export interface UnreadableRunsOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly leaseTtl: number;
  /** Gives a run that this worker holds back as soon as that can be. */
  readonly giveBack: (run: LiveRun) => void;
}

/** The pause before a run that was left may come again, in milliseconds; twice as long each time. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;
/** How often each of so many runs was left is remembered. */
const REMEMBERED = 10_000;

/** Why a claimed run cannot be read; `null` if it can, as far as it is here. */
export function whyUnreadable({ run, events, mail }: ClaimedRun): EncryptionError | null {
  const row = [{ data: run.output }, { data: run.error }, { data: run.state }];
  return sealedAmong(row) ?? sealedAmong(events) ?? sealedAmong(mail);
}

export class UnreadableRuns {
  readonly #options: UnreadableRunsOptions;
  /** How often each was left, the longest not seen first. */
  readonly #left: Map<string, number> = new Map();
  /** The keys that were reported. */
  readonly #told: Set<string> = new Set();
  /** Runs that are kept for a pause, with what ends it. */
  readonly #kept: Map<RunCommit, () => void> = new Map();
  /** When one was left last, in monotonic time. */
  #leftAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: UnreadableRunsOptions) {
    this.#options = options;
  }

  /** Whether runs were left that are, or may soon be, due again. */
  get any(): boolean {
    return this.#options.clock.elapsed() - this.#leftAt < 2 * LONGEST_PAUSE;
  }

  /** Leaves a claimed run to others. */
  leave(claimed: ClaimedRun, error: EncryptionError): void {
    const { clock, random, leaseTtl } = this.#options;
    const { run, lost } = claimed;
    const { runId, epoch, claimId, seq, mailDone, lostClaims } = run;
    this.#tell(runId, error);
    const pause = this.#pauseOf(runId) * (0.75 + 0.5 * random());
    const commit = { runId, epoch, claimId: claimId ?? "", seq, events: [], mailDone };
    const now = clock.now();
    this.#leftAt = clock.elapsed();
    if (lost) {
      // The next owner has to know that steps may have been interrupted: so it is left to its lease, and that is no fault of the run's.
      const patch = { lostClaims: Math.max(lostClaims - 1, 0) };
      void this.#commit({ ...commit, run: patch, lease: { type: "hold", ttl: leaseTtl } });
    } else if (run.mailSeq > mailDone || run.endSeq > run.endDone) {
      // Unread mail would make it due at once.
      this.#keep({ ...commit, run: {}, lease: { type: "park", dueAt: now } }, Math.min(pause, leaseTtl / 2));
    } else {
      const dueAt = Math.round(now + pause);
      void this.#commit({ ...commit, run: {}, lease: { type: "park", dueAt } });
    }
  }

  /** A run that this worker holds needs something that cannot be read here: it is left to others as well. */
  leaveHeld(run: LiveRun, error: EncryptionError): void {
    this.#tell(run.runId, error);
    this.#leftAt = this.#options.clock.elapsed();
    this.#options.giveBack(run);
  }

  /** Says it once for each key. */
  #tell(runId: string, error: EncryptionError): void {
    const { keyId, obstacle } = error;
    const key = `${obstacle} ${keyId}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#options.logger.error(
      obstacle === "not_encrypted"
        ? "a run has values that are not encrypted, and this worker reads only those that are: it is left to a worker that reads it, as all others like it are"
        : "a run is encrypted with a key that this worker does not have: it is left to a worker that has it, as all others of this key are",
      { runId, keyId, error },
    );
  }

  /** Gives back at once what is kept. Resolves when it has been. */
  async close(): Promise<void> {
    this.#closed = true;
    const kept = [...this.#kept];
    for (const [, cancel] of kept) cancel();
    this.#kept.clear();
    await Promise.all(kept.map(([commit]) => this.#commit(commit)));
  }

  #keep(commit: RunCommit, pause: number): void {
    const { clock } = this.#options;
    if (this.#closed) {
      void this.#commit(commit);
      return;
    }
    const cancel = clock.setTimer(clock.now() + pause, () => {
      this.#kept.delete(commit);
      void this.#commit(commit);
    });
    this.#kept.set(commit, cancel);
  }

  #pauseOf(runId: string): number {
    const times = this.#left.get(runId) ?? 0;
    this.#left.delete(runId);
    this.#left.set(runId, times + 1);
    if (this.#left.size > REMEMBERED) {
      const [oldest] = this.#left.keys();
      if (oldest !== undefined) this.#left.delete(oldest);
    }
    return Math.min(FIRST_PAUSE * 2 ** times, LONGEST_PAUSE);
  }

  async #commit(commit: RunCommit): Promise<void> {
    const { world, clock, logger } = this.#options;
    try {
      await world.commit([commit], clock.now());
    } catch (error) {
      logger.warn(
        "a run that cannot be read here could not be given back: it comes again when its lease is over",
        {
          runId: commit.runId,
          error,
        },
      );
    }
  }
}
