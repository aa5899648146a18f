import { Fifo } from "./fifo.ts";

/** The places in which step bodies run: a limited number, given out in turn to the runs that ask, whatever each asks for. */

/** What a run waits for: a call with a slot. */
interface Ticket {
  begin: ((slot: Slot) => void) | null;
}

/** The tickets of one run, in order. */
interface Line {
  readonly runId: string;
  readonly tickets: Fifo<Ticket>;
  /** Tickets that were not given up. */
  waiting: number;
}

export class Slots {
  readonly limit: number;
  #inUse = 0;
  #queued = 0;
  /** Lines with tickets that were not given up, by run. */
  readonly #lines: Map<string, Line> = new Map();
  /** The order in which lines have their turn. */
  readonly #round: Fifo<Line> = new Fifo<Line>();
  /** How many slots each run has lent, where it has. */
  readonly #lent: Map<string, number> = new Map();

  constructor(limit: number) {
    this.limit = limit;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** How many requests wait for a slot. */
  get queued(): number {
    return this.#queued;
  }

  /** How many runs have requests that wait. */
  get queuedRuns(): number {
    return this.#lines.size;
  }

  /** How many runs have lent a slot of theirs. */
  get lendingRuns(): number {
    return this.#lent.size;
  }

  /** A slot at once, if one is free. */
  take(runId: string): Slot | null {
    if (this.#inUse >= this.limit) return null;
    this.#inUse++;
    return new Slot(this, runId);
  }

  /** Calls `begin` with a slot in the run's turn. Returns the function that gives the request up. */
  queue(runId: string, begin: (slot: Slot) => void): () => void {
    const ticket: Ticket = { begin };
    const line = this.#line(runId);
    line.tickets.push(ticket);
    line.waiting++;
    this.#queued++;
    return () => {
      if (ticket.begin !== null) this.#leave(line, ticket);
    };
  }

  /** @internal A slot is not used any more, or not for now. */
  free(): void {
    this.#inUse--;
    while (this.#inUse < this.limit) {
      const line = this.#round.shift();
      if (line === undefined) return;
      if (line.waiting === 0) continue;
      let ticket = line.tickets.shift();
      while (ticket !== undefined && ticket.begin === null) ticket = line.tickets.shift();
      const begin = ticket?.begin;
      if (ticket === undefined || begin === undefined || begin === null) continue;
      this.#leave(line, ticket);
      if (line.waiting > 0) this.#round.push(line);
      this.#inUse++;
      begin(new Slot(this, line.runId));
    }
  }

  /** @internal */
  noteLent(runId: string, change: 1 | -1): void {
    const count = (this.#lent.get(runId) ?? 0) + change;
    if (count === 0) this.#lent.delete(runId);
    else this.#lent.set(runId, count);
  }

  #line(runId: string): Line {
    const known = this.#lines.get(runId);
    if (known !== undefined) return known;
    const line: Line = { runId, tickets: new Fifo<Ticket>(), waiting: 0 };
    this.#lines.set(runId, line);
    this.#round.push(line);
    return line;
  }

  #leave(line: Line, ticket: Ticket): void {
    ticket.begin = null;
    this.#queued--;
    if (--line.waiting === 0) this.#lines.delete(line.runId);
  }
}

/** One body's place. A body that waits for a run lends it to others meanwhile. */
export class Slot {
  readonly #slots: Slots;
  readonly #runId: string;
  #phase: "held" | "lent" | "released" = "held";
  /** How many waits are under way for which it is lent. */
  #waits = 0;
  /** Ends the waiting for its return. */
  #resume: (() => void) | null = null;

  constructor(slots: Slots, runId: string) {
    this.#slots = slots;
    this.#runId = runId;
  }

  get released(): boolean {
    return this.#phase === "released";
  }

  /** Gives it back for good. */
  release(): void {
    const phase = this.#phase;
    if (phase === "released") return;
    this.#phase = "released";
    if (phase === "held") this.#slots.free();
    else this.#slots.noteLent(this.#runId, -1);
    this.#resume?.();
  }

  /** Gives it to others until the promise settles, and then waits for one again. */
  async lendDuring<T>(promise: Promise<T>): Promise<T> {
    this.#waits++;
    if (this.#phase === "held") {
      this.#phase = "lent";
      this.#slots.noteLent(this.#runId, 1);
      this.#slots.free();
    }
    try {
      return await promise;
    } finally {
      if (--this.#waits === 0 && this.#phase === "lent") await this.#takeAgain();
    }
  }

  /** Resolves with a slot, or without one as soon as the body has no claim to it any more. */
  async #takeAgain(): Promise<void> {
    const free = this.#slots.take(this.#runId);
    if (free !== null) {
      this.#holdAgain();
      return;
    }
    await new Promise<void>((resolve) => {
      const giveUp = this.#slots.queue(this.#runId, (other) => {
        this.#resume = null;
        // Another wait has begun, or this slot was released, before the turn came: nobody needs it.
        if (this.#waits > 0 || this.#phase !== "lent") other.release();
        else this.#holdAgain();
        resolve();
      });
      this.#resume = () => {
        this.#resume = null;
        giveUp();
        resolve();
      };
    });
  }

  #holdAgain(): void {
    this.#phase = "held";
    this.#slots.noteLent(this.#runId, -1);
  }
}
