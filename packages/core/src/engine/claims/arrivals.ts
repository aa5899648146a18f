import { EncryptionError, LeaseLostError, PoisonedRunError } from "../../errors/index.ts";
import { TERMINATE } from "../../interpreter/kinds/cancel.ts";
import { isExecutedAgain, requestsBefore } from "../../interpreter/kinds/requests-before.ts";
import { beginningIn } from "../../interpreter/kinds/run.ts";
import { type ClaimedRun, isTerminal, type Lease, type NewEvent, type RunRecord } from "../../world/index.ts";
import { tellOfLostLease } from "../leases/lost-lease.ts";
import { wasInterrupted } from "../run/divergence.ts";
import type { LiveRun } from "../run/live-run.ts";
import type { ArrivalsOptions } from "./arrivals-options.ts";
import { tellOfLag } from "./claim-lag.ts";
import { firstEvents, primed, type Replayed, replayClaimed } from "./loader.ts";
import { newLiveRun } from "./new-live-run.ts";
import { wokenSince } from "./poison.ts";
import { POISONED_AFTER, SUSPECT_AFTER } from "./quarantine.ts";
import { whyUnreadable } from "./unreadable-runs.ts";

/** Runs that come to this worker: created here, claimed and still in memory, or claimed and replayed. */

/** Bytes of journal that are read and replayed at once, but for the last run of a claim. */
const JOURNALS_IN_MEMORY = 64 * 1024 * 1024;

export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** Bytes of the journals that are being read and replayed. */
  #loading = 0;
  /** Runs that are claimed, and not resident before their journal is read. */
  readonly #onTheirWay: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** How many more bytes of journals may be brought into memory; they leave it when they are replayed. */
  get journalRoom(): number {
    return Math.max(JOURNALS_IN_MEMORY - this.#loading, 0);
  }

  /** Whether a claimed run is on its way to the residents. */
  get busy(): boolean {
    return this.#onTheirWay.size > 0;
  }

  /** Resolves when no claimed run is on its way to the residents. */
  async settled(): Promise<void> {
    await Promise.all(this.#onTheirWay);
  }

  /** What is still on its way is left to its lease. */
  close(): void {
    this.#closed = true;
  }

  /** A run that was created under a lease of this worker. */
  created(lease: Lease, workflow: string, events: readonly NewEvent[], leaseUntil: number): void {
    const { residents, touch } = this.#options;
    if (residents.isOutdated(lease)) return;
    const run = newLiveRun(this.#options, { runId: lease.runId, workflow, generation: 0 }, events);
    residents.take(run, lease, leaseUntil);
    primed(run.execution, events);
    this.#hold(run, { firstSeq: 1, seq: events.length, mailSeq: 0, mailDone: 0, lostClaims: 0 }, 0);
    touch(run);
  }

  /** A run that this worker claimed. `claimNow`: the time by which the World found it due. */
  claimed(claimed: ClaimedRun, leaseUntil: number, claimNow: number): void {
    const { clock, logger, residents, quarantine, unreadable, touch } = this.#options;
    const { run: row, events, mail } = claimed;
    const obstacle = whyUnreadable(claimed);
    if (isTerminal(row.status) && obstacle === null) {
      this.#options.onEnded(claimed);
      return;
    }
    const lease = leaseOf(claimed);
    const known = residents.heldRun(row.runId);
    // Our own lease ran out and came back to us: the old incarnation is another's.
    if (known !== undefined) {
      tellOfLostLease(known, logger);
      residents.drop(known, new LeaseLostError(row.runId, known.lease.epoch));
    }
    const parked = residents.unpark(row.runId);
    if (obstacle !== null) {
      parked?.end();
      unreadable.leave(claimed, obstacle);
      return;
    }
    const now = Math.max(clock.now(), claimNow);
    if (parked?.lease.claimId === claimed.lastClaimId && parked?.lease.seq === row.seq) {
      residents.take(parked, lease, leaseUntil);
      this.#hold(parked, row, 0);
      parked.schedule(() => false, now);
      tellOfLag(parked, claimed, claimNow, logger);
      parked.receiveMail(mail);
      parked.wake(now);
      touch(parked);
      return;
    }
    parked?.end();
    if (events.length === 0 && claimed.damage === null) {
      const loaded = this.#loadEvicted(claimed, leaseUntil, now);
      this.#onTheirWay.add(loaded);
      this.#whileLoading(
        row,
        loaded.finally(() => this.#onTheirWay.delete(loaded)),
      );
      return;
    }
    const fresh = newLiveRun(this.#options, row, events);
    const suspect = row.lostClaims >= SUSPECT_AFTER && row.lostClaims < POISONED_AFTER;
    if (suspect && quarantine.active) {
      quarantine.refuse(claimed, lease);
      return;
    }
    residents.take(fresh, lease, leaseUntil);
    this.#whileLoading(row, suspect ? this.#loadAlone(fresh, claimed, now) : this.#load(fresh, claimed, now));
  }

  #whileLoading({ bytes }: RunRecord, loaded: Promise<void>): void {
    this.#loading += bytes;
    void loaded.finally(() => {
      this.#loading -= bytes;
      this.#options.onLoaded();
    });
  }

  async #loadAlone(run: LiveRun, claimed: ClaimedRun, now: number): Promise<void> {
    await this.#options.quarantine.admit(run, claimed);
    if (!run.lease.ended) await this.#load(run, claimed, now);
  }

  /** The copy that a claim counted on has been evicted since: read the journal from its beginning. */
  async #loadEvicted(claimed: ClaimedRun, leaseUntil: number, now: number): Promise<void> {
    const { world, residents } = this.#options;
    const lease = leaseOf(claimed);
    try {
      const { events, damage } = await firstEvents(world, claimed.run);
      if (this.#closed || residents.isOutdated(lease)) return;
      const run = newLiveRun(this.#options, claimed.run, events);
      residents.take(run, lease, leaseUntil);
      await this.#load(run, { ...claimed, events, damage }, now);
    } catch (error) {
      this.#unread(claimed, error);
    }
  }

  async #load(run: LiveRun, claimed: ClaimedRun, now: number): Promise<void> {
    const { clock, residents, touch } = this.#options;
    const { run: row, mail } = claimed;
    let replayed: Replayed;
    try {
      replayed = await replayClaimed(run.execution, claimed, this.#options);
    } catch (error) {
      residents.drop(run);
      this.#unread(claimed, error);
      return;
    }
    if (run.lease.ended) return;
    const { journal, obstacle } = replayed;
    const beginning = beginningIn(journal);
    const began = beginning !== undefined;
    // A run's time begins with its execution: the starter's clock may be ahead of everybody's.
    const lastAt = began ? (journal.at(-1)?.at ?? 0) : 0;
    this.#hold(run, row, lastAt);
    const lost = claimed.lost || (row.status === "diverged" && wasInterrupted(row.error));
    const terminate = mail.find(({ type }) => type === TERMINATE);
    const cancel = terminate ?? mail.find(({ type }) => type === "cancel_requested");
    if (cancel !== undefined && (!began || obstacle !== null || terminate !== undefined)) {
      run.turn.endCancelled(cancel, began, obstacle === null ? null : journal, clock.now());
    } else if (obstacle !== null) {
      run.receiveMail(mail);
      this.#park(run, claimed, obstacle, { lost, now });
    } else {
      // It was created with a journal in which it has begun, and nobody has gone on with it yet.
      const isNew = began && row.startedAt === null;
      if (row.status === "diverged") run.clearDivergence(began);
      if (isNew) run.turn.outbox.patch({ status: "running", startedAt: beginning.at });
      if (began) {
        run.turn.replayed();
        const before = requestsBefore(run.execution);
        // A step that had begun in the run that this one goes on for, and had not ended, may be under way there.
        const isUnderWay = (id: string): boolean => before !== null && !isExecutedAgain(before, id);
        run.schedule((stepId) => lost || (isNew && isUnderWay(stepId)), now);
      }
      run.receiveMail(mail);
    }
    tellOfLag(run, claimed, now, this.#options.logger);
    touch(run);
  }

  #unread(claimed: ClaimedRun, error: unknown): void {
    const { logger, unreadable } = this.#options;
    if (EncryptionError.is(error)) {
      unreadable.leave(claimed, error);
      return;
    }
    const { runId, workflow } = claimed.run;
    logger.warn(
      "the journal of a run could not be read: a worker takes the run up again when its lease is over",
      { runId, workflow, error },
    );
  }

  #hold(run: LiveRun, row: Parameters<LiveRun["hold"]>[0], lastAt: number): void {
    run.hold(row, lastAt);
    this.#options.residents.executions.begin(run);
  }

  /** Parks a run that cannot go on here. A poisoned one stays parked until somebody asks for it, and then begins alone. */
  #park(
    run: LiveRun,
    { run: row, mail }: ClaimedRun,
    error: unknown,
    { lost, now }: { readonly lost: boolean; readonly now: number },
  ): void {
    const { onDiverged } = this.#options;
    if (!PoisonedRunError.is(error)) {
      onDiverged(run, error, { lost, retryAt: null });
    } else if (wokenSince(row, mail)) {
      onDiverged(run, error, { lost, retryAt: now });
      run.forgive(SUSPECT_AFTER);
    } else {
      onDiverged(run, error, { lost, retryAt: Number.POSITIVE_INFINITY });
    }
  }
}

function leaseOf({ run: { runId, epoch, claimId } }: ClaimedRun): Lease {
  return { runId, epoch, claimId: claimId ?? "" };
}
