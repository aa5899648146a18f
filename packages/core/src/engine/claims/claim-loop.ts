import type { Logger } from "../../logger.ts";
import { outside } from "../../outside.ts";
import type { CachedRun, ClaimedRun, World } from "../../world/index.ts";
import type { StoreClock } from "../leases/store-clock.ts";
import type { StoreWatch } from "../upkeep/store-watch.ts";

/**
 * Finding due runs. One claim at a time; the next one when something says that runs may be due, when the earliest known
 * due time comes, when there is room again, or at the latest after the idle poll.
 */

export interface ClaimLoopOptions {
  readonly world: World;
  readonly clock: StoreClock;
  readonly logger: Logger;
  /** Hears whether the store answers, and says when to ask it again. */
  readonly store: StoreWatch;
  readonly random: () => number;
  readonly owner: string;
  readonly leaseTtl: number;
  /** Longest time between two claims, in milliseconds. */
  readonly pollInterval: number;
  /** The queues to serve. */
  readonly queues: () => readonly string[];
  /** How many more runs there is room for. */
  readonly room: () => number;
  /** How many bytes of journal there is memory for. */
  readonly journalRoom: () => number;
  /** Steps wait for a slot here, so other workers have the first try at what becomes due. */
  readonly busy: () => boolean;
  /** Runs were left to other workers, which have the first try at them when they are due again. */
  readonly leavesRuns: () => boolean;
  readonly cached: ReadonlyMap<string, CachedRun>;
  /** Before a claim: renews leases that may have run out while this process stood still. False if it could not. */
  readonly beforeClaim: () => Promise<boolean>;
  /** No run is held. */
  readonly idle: () => boolean;
  /** A claim is over. `quiet`: no run was held when it began, it brought none, and none is due. */
  readonly onLooked: (quiet: boolean) => void;
  /** A new claim id. */
  readonly newClaimId: () => string;
  readonly onClaimed: (claimed: ClaimedRun, leaseUntil: number, now: number) => void;
}

const LARGEST_CLAIM = 100;
/** So long a worker that is busy, or has left runs to others, leaves due ones to them, in milliseconds. */
const COURTESY = 100;
/** Events that come with a claimed run; more are read page by page. */
export const EVENT_PAGE = 1000;

export class ClaimLoop {
  readonly #options: ClaimLoopOptions;
  #claiming: Promise<void> | undefined;
  #again = false;
  #asked = 0;
  #askingSince: number | null = null;
  #oldestDue: number | null = null;
  #nextDueAt: number | null = null;
  /** How many claims there were. */
  #turn = 0;
  /** The last claim was kept small, or not made, for want of room. */
  #starved = false;
  #closed = false;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
  }

  /** How many runs the claim that is under way may bring. */
  get asked(): number {
    return this.#asked;
  }

  /** Since when a claim is under way, ms since the epoch, or `null`. */
  get askingSince(): number | null {
    return this.#askingSince;
  }

  /** Since when a run is due that the last claim found and did not take, or `null`. */
  get oldestDue(): number | null {
    return this.#oldestDue;
  }

  /** When the next run is due that this worker would take, as far as the last claim and what was given back since tell; or `null`. */
  get nextDueAt(): number | null {
    return this.#nextDueAt;
  }

  /** Runs may be due, or there is room again. */
  wake(): void {
    if (this.#options.busy() || this.#options.leavesRuns())
      this.noteDue(this.#options.clock.now() + COURTESY);
    else this.#claimSoon();
  }

  #claimSoon(): void {
    if (this.#closed) return;
    if (this.#claiming !== undefined) {
      this.#again = true;
      return;
    }
    // The runs that it brings are replayed where it was called, and a wake-up may come from a request of the program.
    this.#claiming = outside(() => this.#claim()).finally(() => {
      this.#claiming = undefined;
      if (this.#again) {
        this.#again = false;
        this.#claimSoon();
      }
    });
  }

  /** There is room again. */
  roomFreed(): void {
    if (!this.#starved) return;
    this.#starved = false;
    this.wake();
  }

  /** A run was given back, and is due at this time. */
  parked(dueAt: number): void {
    this.#nextDueAt = Math.min(this.#nextDueAt ?? dueAt, dueAt);
    this.noteDue(dueAt);
  }

  /** It is time for a look then, at the latest. */
  noteDue(at: number): void {
    if (this.#closed || at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#options.clock.setTimer(at, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#claimSoon();
    });
  }

  /** Claims no more. Resolves when a claim that is under way has brought its runs. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#claiming;
  }

  async #claim(): Promise<void> {
    const { world, clock, owner, leaseTtl, pollInterval, random } = this.#options;
    const queues = this.#options.queues();
    const byteLimit = this.#options.journalRoom();
    const limit = byteLimit > 0 ? Math.min(this.#options.room(), LARGEST_CLAIM) : 0;
    this.#starved = limit < LARGEST_CLAIM;
    // What this worker still holds is not for it to claim: its bodies are under way here.
    const upToDate = await this.#options.beforeClaim();
    const now = clock.now();
    const sentAt = clock.elapsed();
    // Jitter keeps the polls of many idle workers apart.
    const pause = pollInterval * (0.75 + 0.25 * random());
    let next = now + pause;
    if (upToDate && queues.length > 0 && limit > 0) {
      this.#asked = limit;
      this.#askingSince = now;
      this.#nextDueAt = null;
      const idle = this.#options.idle();
      try {
        const result = await world.claim({
          queues: this.#inTurn(queues),
          limit,
          byteLimit,
          owner,
          claimId: this.#options.newClaimId(),
          ttl: leaseTtl,
          now,
          cached: this.#options.cached,
          eventLimit: EVENT_PAGE,
        });
        if (world.capabilities.ownClock === true) {
          clock.follow({ answered: result.now, sentAt, receivedAt: clock.elapsed() });
        } else if (this.#options.idle()) {
          clock.followMachine();
        }
        this.#options.store.answered();
        this.#oldestDue =
          result.nextDueAt !== null && result.nextDueAt <= result.now ? result.nextDueAt : null;
        this.#warnOfClock();
        // Before the answer the clock may have been wrong by any time.
        next = clock.now() + pause;
        if (result.nextDueAt !== null) {
          const dueAt = clock.now() + result.nextDueAt - result.now;
          this.#nextDueAt = Math.min(this.#nextDueAt ?? dueAt, dueAt);
        }
        this.#options.onLooked(
          idle && result.runs.length === 0 && (this.#nextDueAt === null || this.#nextDueAt > clock.now()),
        );
        for (const claimed of result.runs) this.#options.onClaimed(claimed, sentAt + leaseTtl, result.now);
        if (result.runs.length < limit) this.#starved = false;
        if (result.runs.length === limit) this.#again ||= this.#options.room() > 0;
        // A store whose clock is behind ours would make us ask again and again: wait by its clock.
        else if (result.nextDueAt !== null)
          next = Math.min(next, clock.now() + Math.max(result.nextDueAt - result.now, 1) + this.#courtesy);
      } catch (error) {
        next = clock.now() + this.#options.store.failed(error) * (0.75 + 0.25 * random());
      }
      this.#asked = 0;
      this.#askingSince = null;
    }
    this.noteDue(next);
  }

  get #courtesy(): number {
    return this.#options.leavesRuns() ? COURTESY : 0;
  }

  /**
   * A store takes from the first queue first. So that none starves, every other claim begins with another one, each in its
   * turn.
   */
  #inTurn(queues: readonly string[]): readonly string[] {
    const turn = this.#turn++;
    const first = turn % 2 === 0 ? 0 : 1 + (((turn - 1) / 2) % Math.max(queues.length - 1, 1));
    return [...queues.slice(first), ...queues.slice(0, first)];
  }

  #warnOfClock(): void {
    const { clock, world, logger } = this.#options;
    const difference = clock.takeNotableDifference();
    if (difference === null) return;
    logger.warn(
      "the clock of this machine differs from the store's: runs go by the store's; set the machine's right",
      { world: world.name, milliseconds: difference },
    );
  }
}
