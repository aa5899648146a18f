import { endsRun, type Lease, type LeaseChange, type RunCommit } from "../../world/index.ts";
import { type LeaseState, leaseMachine, type Machine } from "./states.ts";

/** The lease of a run, and the length of the journal under it. The only writer of both. */

/** What a claimed row says of them. */
export interface LeasedRow {
  readonly firstSeq: number;
  readonly seq: number;
  readonly lostClaims: number;
}

/** One moment by the time of day and by monotonic time. */
export interface Moment {
  readonly now: number;
  readonly elapsed: number;
}

export class RunLease {
  readonly #runId: string;
  readonly #machine: Machine<LeaseState> = leaseMachine();
  #epoch = 0;
  #claimId = "";
  #until = 0;
  #seq = 0;
  /** The last event of the generation before. */
  #before = 0;
  #lostClaims = 0;
  /** When the commit that is under way was made, in monotonic time. */
  #committingSince = 0;

  constructor(runId: string) {
    this.#runId = runId;
  }

  get state(): LeaseState {
    return this.#machine.state;
  }

  /** This worker may write: the execution is at the end of the journal, and the lease has not been given back. */
  get held(): boolean {
    return this.state === "held" || this.committing;
  }

  /** A commit is under way. */
  get committing(): boolean {
    return this.state === "committing" || this.state === "leaving";
  }

  /** A commit is under way that gives the lease back: nothing may be delivered until the run is held again. */
  get leaving(): boolean {
    return this.state === "leaving";
  }

  get ended(): boolean {
    return this.state === "ended";
  }

  /** Ours to renew: held, or being loaded. */
  get renewable(): boolean {
    return this.state !== "parked" && this.state !== "ended";
  }

  /** As the World knows it. */
  get id(): Lease {
    return { runId: this.#runId, epoch: this.#epoch, claimId: this.#claimId };
  }

  get epoch(): number {
    return this.#epoch;
  }

  get claimId(): string {
    return this.#claimId;
  }

  /** When it runs out, in monotonic time. */
  get until(): number {
    return this.#until;
  }

  /** Length of the journal. */
  get seq(): number {
    return this.#seq;
  }

  /** The first event of the journal. */
  get firstSeq(): number {
    return this.#before + 1;
  }

  /** How many events the journal has. */
  get journalLength(): number {
    return this.#seq - this.#before;
  }

  /** Claims that were lost since the journal last moved. */
  get lostClaims(): number {
    return this.#lostClaims;
  }

  /** A claim, or a start, gave it. */
  take({ epoch, claimId }: Lease, until: number): void {
    this.#epoch = epoch;
    this.#claimId = claimId;
    this.#until = until;
  }

  /** The execution is at the end of the journal. */
  hold({ firstSeq, seq, lostClaims }: LeasedRow): void {
    this.#machine.move("held");
    this.#before = firstSeq - 1;
    this.#seq = seq;
    this.#lostClaims = lostClaims;
  }

  extend(until: number): void {
    this.#until = Math.max(this.#until, until);
  }

  /** A commit goes out. */
  beginCommit(change: LeaseChange, elapsed: number): void {
    this.#machine.move(change.type === "hold" ? "committing" : "leaving");
    this.#committingSince = elapsed;
  }

  /** It is durable. */
  committed({ events, run, lease }: RunCommit, until: number): void {
    this.#seq += events.length;
    this.#lostClaims = run.lostClaims ?? this.#lostClaims;
    if (lease.type === "hold") this.extend(until);
    this.#machine.move(endsRun({ run }) ? "ended" : lease.type === "hold" ? "held" : "parked");
  }

  /** The store refused it for good. */
  commitRefused(): void {
    this.#machine.move("held");
  }

  end(): void {
    if (!this.ended) this.#machine.move("ended");
  }

  /** The answer to a commit is so late that another worker may do better: the lease is not renewed any more. */
  isOverdue(elapsed: number, ttl: number): boolean {
    return this.committing && elapsed - this.#committingSince > ttl;
  }
}
