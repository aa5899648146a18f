import type { Clock } from "../clock.ts";
import { refreshGuard } from "../determinism/index.ts";
import { LeaseLostError } from "../errors/index.ts";
import type { IdSource } from "../ids.ts";
import type { Execution } from "../interpreter/execution.ts";
import type { PendingStep } from "../interpreter/pending.ts";
import { drain } from "../interpreter/replay.ts";
import type { Logger } from "../logger.ts";
import { sharedState } from "../shared-state.ts";
import type { ClaimedRun, CommitResult, Hint, JournalEvent, Lease, NewEvent, World } from "../world/index.ts";
import { ClaimLoop, EVENT_PAGE } from "./claim-loop.ts";
import { CommitLoop } from "./commit-loop.ts";
import { completions } from "./completions.ts";
import { wasInterrupted } from "./divergence.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseRenewal } from "./lease-renewal.ts";
import { LiveRun, type OutgoingCommit } from "./live-run.ts";
import { newExecution, readJournal, replayJournal } from "./loader.ts";
import { interruptedError } from "./step-outcome.ts";
import { StepRunner } from "./step-runner.ts";

/**
 * All runs that one worker has in memory, and the tick that moves them: deliver one event to each, let the event loop
 * drain, gather what they ask for, hand all of it to the commit loop.
 */

export interface RunPoolOptions {
  readonly world: World;
  readonly workerId: string;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: () => number;
  readonly logger: Logger;
  readonly workflows: () => readonly string[];
  readonly concurrency: number;
  readonly maxRuns: number;
  readonly leaseTtl: number;
  readonly pollInterval: number;
  readonly divergenceRetry: number;
  readonly keepProcessAlive: () => () => void;
  /** Whether a thread may renew leases while the event loop is blocked; not under a clock of a test. */
  readonly keeperThread: boolean;
}

/** So many ticks may pass before what they gathered is committed, when every tick makes the next one possible. */
const TICKS_PER_COMMIT = 64;

/** So long the store has at least to answer the commits that give runs back, in milliseconds. */
const SHORTEST_HANDOVER = 1000;

export class RunPool {
  readonly #options: RunPoolOptions;
  readonly #commits: CommitLoop;
  readonly #claims: ClaimLoop;
  readonly #renewal: LeaseRenewal;
  readonly #steps: StepRunner;
  /** Runs under a lease of ours. */
  readonly #held: Map<string, LiveRun> = new Map();
  /** Runs that wait without a lease, the longest waiting first, and the epochs under which they were held. */
  readonly #parked: Map<string, LiveRun> = new Map();
  readonly #parkedEpochs: Map<string, number> = new Map();
  /** Runs that the next tick looks at. */
  #dirty: Set<LiveRun> = new Set();
  #ticking = false;
  #phase: "open" | "closing" | "closed" = "open";
  #onEmpty: (() => void) | undefined;
  /** No claim is under way any more. */
  #claimed = false;
  #releaseProcess: (() => void) | undefined;
  #unsubscribe: () => void = () => {};
  #keeper: LeaseKeeper | undefined;
  #cancelWake: (() => void) | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(options: RunPoolOptions) {
    this.#options = options;
    const { world, clock, logger, leaseTtl } = options;
    this.#steps = new StepRunner(clock, options.concurrency);
    this.#commits = new CommitLoop({
      world,
      clock,
      logger,
      leaseTtl,
      handingOver: () => this.#phase !== "open",
      onResult: (commit, result) => this.#onCommitted(commit, result),
      onRefused: (commit) => this.#drop(commit.run, undefined),
    });
    this.#claims = new ClaimLoop({
      world,
      clock,
      logger,
      leaseTtl,
      random: options.random,
      owner: options.workerId,
      pollInterval: options.pollInterval,
      workflows: options.workflows,
      room: () => this.room,
      cached: this.#parkedEpochs,
      onClaimed: (claimed, leaseUntil, now) => this.#onClaimed(claimed, leaseUntil, now),
    });
    this.#renewal = new LeaseRenewal({
      world,
      clock,
      logger,
      leaseTtl,
      runs: () => this.#held.values(),
      onRenewed: (run, mailSeq) => {
        this.#noteMail(run, mailSeq);
        // Steps may have waited for it.
        if (run.hasWork) this.#touch(run);
      },
      onBeat: () => this.#keeper?.beat(),
      onLost: (run) => this.#drop(run, new LeaseLostError(run.runId, run.epoch)),
    });
  }

  /** How many more runs may be taken. None while steps wait for a place: another worker may have one. */
  get room(): number {
    if (this.#phase !== "open" || this.#steps.queued > 0) return 0;
    return Math.max(this.#options.maxRuns - this.#held.size, 0);
  }

  start(): void {
    const { world, leaseTtl, logger, keeperThread } = this.#options;
    const { leaseKeeper } = world.capabilities;
    if (keeperThread && leaseKeeper !== null) this.#keeper = new LeaseKeeper(leaseKeeper, leaseTtl, logger);
    this.#unsubscribe = this.#options.world.subscribe((hint) => this.#onHint(hint));
    this.#renewal.start();
    this.#claims.wake();
  }

  /** Looks for due runs now. */
  wake(): void {
    this.#claims.wake();
  }

  /** Takes a run that was created under a lease of this worker. */
  adopt(lease: Lease, workflow: string, created: NewEvent, leaseUntil: number): void {
    if (this.#phase === "closed") {
      void this.#giveBack(lease);
      return;
    }
    if (this.#isOutdated(lease)) return;
    const run = this.#newRun(lease.runId, workflow, [created]);
    this.#hold(run, { epoch: lease.epoch, seq: 1, mailDone: 0, leaseUntil, lastAt: created.at });
    run.toBegin = true;
    this.#touch(run);
  }

  /** Gives every run back: at once where nothing is under way, else when it is, at the latest after `timeout` ms. */
  async close(timeout: number): Promise<void> {
    const { clock } = this.#options;
    this.#phase = "closing";
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    void this.#claims.close().then(() => {
      this.#claimed = true;
      this.#checkEmpty();
    });
    this.#giveUpAttempts("queued");
    for (const run of this.#held.values()) this.#touch(run);
    const cancelHandOver = clock.setTimer(clock.now() + timeout, () => {
      this.#giveUpAttempts("all");
      // What even this cannot end, such as a store that does not answer, is left to the leases.
      clock.setTimer(clock.now() + Math.max(timeout / 2, SHORTEST_HANDOVER), () => this.#onEmpty?.());
    });
    this.#checkEmpty();
    await empty;
    cancelHandOver();
    this.#phase = "closed";
    this.#unsubscribe();
    this.#renewal.close();
    this.#commits.close();
    this.#cancelWake?.();
    await this.#keeper?.close();
    for (const run of [...this.#held.values(), ...this.#parked.values()]) this.#drop(run, undefined);
  }

  /** A run that was created for this worker when it had closed. */
  async #giveBack({ runId, epoch }: Lease): Promise<void> {
    const { world, clock, logger } = this.#options;
    const now = clock.now();
    const lease = { type: "park", dueAt: now } as const;
    try {
      await world.commit([{ runId, epoch, seq: 1, events: [], mailDone: 0, run: {}, lease }], now);
    } catch (error) {
      logger.warn("a run could not be given back, it comes again when its lease is over", { runId, error });
    }
  }

  // The tick.

  #touch(run: LiveRun): void {
    this.#dirty.add(run);
    if (this.#ticking) return;
    this.#ticking = true;
    // Whoever calls, the tick is nobody's: neither a workflow's, whose globals are guarded, nor a step's.
    sharedState().contexts.exit(() => this.#options.clock.turn(() => void this.#tick()));
  }

  async #tick(): Promise<void> {
    const { clock } = this.#options;
    for (let ticks = 1; this.#dirty.size > 0; ticks++) {
      const runs = this.#dirty;
      this.#dirty = new Set();
      const now = clock.now();
      this.#keeper?.flush();
      // Fake timers or spies may have been put over the guard since the last tick.
      refreshGuard();
      let unsettled = false;
      for (const run of runs) {
        if (this.#deliver(run, now)) unsettled = true;
      }
      if (unsettled) await drain(clock);
      this.#gather(runs, clock.now());
      if (this.#dirty.size === 0 || ticks % TICKS_PER_COMMIT === 0) this.#commits.flush();
    }
    this.#ticking = false;
  }

  /** True if the run's code has to drain. */
  #deliver(run: LiveRun, now: number): boolean {
    if (run.phase !== "held" || !run.settled) return run.phase === "held";
    run.wake(now);
    try {
      if (run.toBegin) {
        if (this.#phase !== "open") return false;
        run.begin(now);
        return true;
      }
      return run.deliverNext(now);
    } catch (error) {
      this.#diverge(run, error, false);
      return false;
    }
  }

  #gather(runs: Iterable<LiveRun>, now: number): void {
    for (const run of runs) {
      if (run.phase !== "held") continue;
      run.gather(now);
      if (run.deliverable) this.#dirty.add(run);
      else this.#warnIfStalled(run);
      if (this.#phase === "open") for (const step of run.takeRestarts()) this.#startStep(run, step);
      this.#commits.add(run);
      this.#noteDue(run);
    }
  }

  #warnIfStalled(run: LiveRun): void {
    if (run.warned || !run.stalled) return;
    run.warned = true;
    this.#options.logger.warn(
      "the workflow waits for something that is not durable, so it would hang after a crash: do it in a step",
      { runId: run.runId, workflow: run.workflow, lastCall: run.execution.lastCallSite },
    );
  }

  // Steps.

  #startStep(run: LiveRun, step: PendingStep): void {
    if (run.phase !== "held" || run.over) return;
    if (run.execution.pending.get(step.id) !== step || run.attempts.has(step.id)) return;
    const holdsLease = (): boolean => this.#options.clock.now() < run.leaseUntil;
    if (!holdsLease()) {
      this.#postpone(run, step);
      return;
    }
    const attempt = this.#steps.start(step, run.execution.metadata, {
      mayBegin: holdsLease,
      onPostponed: () => {
        if (run.attempts.get(step.id) !== attempt) return;
        run.attempts.delete(step.id);
        this.#postpone(run, step);
      },
      onEnd: (result) => {
        if (run.attempts.get(step.id) === attempt) run.attempts.delete(step.id);
        run.receive({ type: "attempt_ended", attempt, result });
        this.#touch(run);
        if (this.#steps.queued === 0) this.#claims.roomFreed();
      },
    });
    run.attempts.set(step.id, attempt);
  }

  /** The lease may have run out while this process was held up: no body starts before the store says it is ours. */
  #postpone(run: LiveRun, step: PendingStep): void {
    run.postpone(step);
    if (run.renewing) return;
    run.renewing = true;
    // A failed renewal is repeated with the next of all leases.
    void this.#renewal
      .renew((other) => other === run)
      .finally(() => {
        run.renewing = false;
      });
  }

  #giveUpAttempts(which: "queued" | "all"): void {
    for (const run of this.#held.values()) {
      run.giveUpAttempts(which, interruptedError, new Error("The worker is shutting down."));
      this.#touch(run);
    }
  }

  // What the loops report.

  #onCommitted(commit: OutgoingCommit, result: CommitResult): void {
    const { run, request } = commit;
    if (run.phase === "ended") {
      if (result.outcome === "committed" && request.lease.type === "finish") {
        completions(this.#options.world).finished(run.runId);
      }
      return;
    }
    if (result.outcome !== "committed") {
      if (result.outcome === "out_of_step") {
        this.#options.logger.error("the journal is not as long as it should be", {
          runId: run.runId,
          ...result,
        });
      }
      this.#drop(run, new LeaseLostError(run.runId, run.epoch));
      return;
    }
    const told = run.committed(commit, result);
    if (request.lease.type === "finish") {
      this.#forget(run);
      completions(this.#options.world).finished(run.runId);
      return;
    }
    if (request.lease.type === "park") {
      this.#park(run, result.mailSeq > request.mailDone ? this.#options.clock.now() : request.lease.dueAt);
      return;
    }
    if (this.#phase === "open") for (const step of commit.steps) this.#startStep(run, step);
    this.#noteMail(run, result.mailSeq);
    if (told || run.deliverable || !run.settled) this.#touch(run);
    else this.#again(run);
  }

  /** After a commit that held the lease: what has gathered meanwhile goes out, or the run parks. */
  #again(run: LiveRun): void {
    if (run.attempts.size === 0 || run.hasWork) this.#touch(run);
  }

  #onClaimed({ run: row, lost, events, mail }: ClaimedRun, leaseUntil: number, claimNow: number): void {
    const known = this.#held.get(row.runId);
    // Our own lease ran out and came back to us: the old incarnation is another's.
    if (known !== undefined) this.#drop(known, new LeaseLostError(row.runId, known.epoch));
    const parked = this.#parked.get(row.runId);
    if (parked !== undefined) this.#unpark(parked);
    const now = Math.max(this.#options.clock.now(), claimNow);
    const lease = { epoch: row.epoch, seq: row.seq, mailDone: row.mailDone, leaseUntil, lastAt: 0 };
    if (parked !== undefined && parked.epoch === row.epoch - 1 && parked.seq === row.seq && !lost) {
      this.#hold(parked, lease);
      parked.schedule(false, now, interruptedError);
      parked.receiveMail(mail);
      parked.wake(now);
      this.#touch(parked);
      return;
    }
    parked?.end();
    if (events.length === 0) {
      void this.#loadEvicted({ run: row, lost, events, mail }, leaseUntil, now);
      return;
    }
    const fresh = this.#newRun(row.runId, row.workflow, events);
    this.#register(fresh, row.epoch, leaseUntil);
    void this.#load(fresh, { run: row, lost, events, mail }, now);
  }

  async #load(run: LiveRun, claimed: ClaimedRun, now: number): Promise<void> {
    const { run: row, events, mail } = claimed;
    const { world, clock, logger } = this.#options;
    let journal: readonly JournalEvent[];
    try {
      journal = await readJournal(world, row.runId, row.seq, events);
    } catch (error) {
      logger.warn("reading a journal failed, the run comes again when its lease is over", {
        runId: row.runId,
        error,
      });
      this.#drop(run, undefined);
      return;
    }
    const began = journal.length > 1;
    const lost = claimed.lost || (row.status === "diverged" && wasInterrupted(row.error));
    const cancel = mail.find(({ type }) => type === "cancel_requested");
    const lastAt = journal.at(-1)?.at ?? 0;
    let divergence: { readonly error: unknown } | null = null;
    try {
      if (began) await replayJournal(run.execution, journal, clock);
    } catch (error) {
      divergence = { error };
    }
    if (run.phase === "ended") return;
    run.hold({
      epoch: row.epoch,
      seq: row.seq,
      mailDone: row.mailDone,
      leaseUntil: run.leaseUntil,
      lastAt,
    });
    if (cancel !== undefined && (!began || divergence !== null)) {
      run.endCancelled(cancel, clock.now());
    } else if (divergence !== null) {
      run.receiveMail(mail);
      this.#diverge(run, divergence.error, lost);
    } else {
      if (row.status === "diverged") run.clearDivergence();
      if (began) run.schedule(lost, now, interruptedError);
      else run.toBegin = true;
      run.receiveMail(mail);
    }
    this.#touch(run);
  }

  /** The copy that a claim counted on has been evicted since: read the journal from its beginning. */
  async #loadEvicted(claimed: ClaimedRun, leaseUntil: number, now: number): Promise<void> {
    const { world, logger } = this.#options;
    const { runId, workflow, epoch } = claimed.run;
    try {
      const events = await world.listEvents(runId, 0, EVENT_PAGE);
      if (this.#isOutdated({ runId, epoch })) return;
      const run = this.#newRun(runId, workflow, events);
      this.#register(run, epoch, leaseUntil);
      await this.#load(run, { ...claimed, events }, now);
    } catch (error) {
      logger.warn("reading a journal failed, the run comes again when its lease is over", { runId, error });
    }
  }

  /** Parks a run that does not follow its journal. It is tried again later, with whatever code is there then. */
  #diverge(run: LiveRun, error: unknown, lost: boolean): void {
    const { clock, logger, divergenceRetry } = this.#options;
    const { runId, workflow } = run;
    logger.error("a run diverged from its journal and is parked", { runId, workflow, error });
    run.diverge(error, clock.now() + divergenceRetry, lost);
  }

  // Mail, hints and timers.

  #noteMail(run: LiveRun, mailSeq: number): void {
    run.mailSeq = Math.max(run.mailSeq, mailSeq);
    if (run.mailSeq > run.mailRead && !run.fetching) void this.#fetchMail(run);
  }

  /** A hint may be wrong: it is a reason to look, but only the store says that there is mail. */
  #lookForMail(run: LiveRun): void {
    if (run.fetching) run.fetchAgain = true;
    else void this.#fetchMail(run);
  }

  async #fetchMail(run: LiveRun): Promise<void> {
    const { world, logger } = this.#options;
    run.fetching = true;
    run.fetchAgain = false;
    try {
      const [mail] = await world.listMail([{ runId: run.runId, after: run.mailRead }]);
      run.receiveMail(mail ?? []);
    } catch (error) {
      logger.warn("reading mail failed, the next commit or renewal tries again", { runId: run.runId, error });
    }
    run.fetching = false;
    if (run.phase !== "held") return;
    if (run.fetchAgain) void this.#fetchMail(run);
    this.#touch(run);
  }

  #onHint(hint: Hint): void {
    switch (hint.type) {
      case "due":
      case "changed":
        this.#claims.wake();
        break;
      case "mail": {
        const run = this.#held.get(hint.runId);
        if (run !== undefined) this.#lookForMail(run);
        break;
      }
      case "finished":
        break;
    }
  }

  /** Looks again at the run when its next sleep or retry is due. */
  #noteDue(run: LiveRun): void {
    const at = run.phase === "held" ? run.nextDueAt : null;
    if (at === null || at >= this.#wakeAt) return;
    this.#cancelWake?.();
    this.#wakeAt = at;
    this.#cancelWake = this.#options.clock.setTimer(at, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      const now = this.#options.clock.now();
      for (const held of this.#held.values()) {
        const due = held.nextDueAt;
        if (due !== null && due <= now) this.#touch(held);
        else this.#noteDue(held);
      }
    });
  }

  // Who is in memory.

  #newRun(runId: string, workflow: string, events: readonly Pick<JournalEvent, "data">[]): LiveRun {
    const { ids, random } = this.#options;
    const execution: Execution = newExecution({
      runId,
      workflow,
      events,
      newToken: () => ids.token(),
      onActivity: () => {
        if (run.phase === "held" && run.settled) this.#touch(run);
      },
    });
    const run: LiveRun = new LiveRun({ runId, workflow, execution, random });
    return run;
  }

  /** The answer that gave the lease was so late that this worker holds the run under a newer one. */
  #isOutdated({ runId, epoch }: Lease): boolean {
    return (this.#held.get(runId)?.epoch ?? 0) > epoch;
  }

  #register(run: LiveRun, epoch: number, leaseUntil: number): void {
    run.epoch = epoch;
    run.leaseUntil = leaseUntil;
    this.#held.set(run.runId, run);
    this.#keeper?.take({ runId: run.runId, epoch });
    this.#releaseProcess ??= this.#options.keepProcessAlive();
  }

  #hold(run: LiveRun, lease: Parameters<LiveRun["hold"]>[0]): void {
    this.#register(run, lease.epoch, lease.leaseUntil);
    run.hold(lease);
  }

  #park(run: LiveRun, dueAt: number | null): void {
    this.#forget(run);
    if (this.#phase === "open" && !run.diverged) {
      this.#parked.set(run.runId, run);
      this.#parkedEpochs.set(run.runId, run.epoch);
      this.#evict();
    } else {
      run.end();
    }
    if (dueAt !== null) this.#claims.noteDue(dueAt);
  }

  #unpark(run: LiveRun): void {
    this.#parked.delete(run.runId);
    this.#parkedEpochs.delete(run.runId);
  }

  #evict(): void {
    while (this.#parked.size > 0 && this.#parked.size + this.#held.size > this.#options.maxRuns) {
      const [oldest] = this.#parked.values();
      if (oldest === undefined) return;
      this.#unpark(oldest);
      oldest.end();
    }
  }

  /** Ends a run here, without a word to the store. */
  #drop(run: LiveRun, reason: unknown): void {
    run.end(reason);
    if (this.#parked.get(run.runId) === run) this.#unpark(run);
    this.#forget(run);
  }

  #forget(run: LiveRun): void {
    if (this.#held.get(run.runId) === run) {
      this.#held.delete(run.runId);
      this.#keeper?.release(run.runId);
    }
    if (this.#held.size === 0) {
      this.#releaseProcess?.();
      this.#releaseProcess = undefined;
    }
    this.#claims.roomFreed();
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#held.size === 0 && this.#claimed) this.#onEmpty?.();
  }
}
