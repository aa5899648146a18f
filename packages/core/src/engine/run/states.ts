/** The states of a run in memory: two machines, each with one table of moves. */

/** The code: whether the workflow function has been called, and whether what it was told last has run its course. */
export type CodeState = "fresh" | "draining" | "settled" | "over" | "diverged";

const CODE: Moves<CodeState> = {
  // Not called here: it is called, brought to its place by a replay, or ended without being called.
  fresh: ["draining", "settled", "over", "diverged"],
  // It was told something; its microtasks have not all run.
  draining: ["settled", "diverged"],
  // They have, and what came of it has been gathered.
  settled: ["draining", "over", "diverged"],
  // A terminal event is written, or on its way. The store may refuse it.
  over: ["diverged"],
  // No code runs any more.
  diverged: [],
};

/** The lease: whether this worker may write, and whether it is writing. */
export type LeaseState = "loading" | "held" | "committing" | "leaving" | "parked" | "ended";

const LEASE: Moves<LeaseState> = {
  // Ours, but the execution is not at the end of the journal.
  loading: ["held", "ended"],
  held: ["committing", "leaving", "ended"],
  // A commit is under way that keeps the lease.
  committing: ["held", "ended"],
  // A commit is under way that gives it back.
  leaving: ["held", "parked", "ended"],
  // In memory without a lease.
  parked: ["held", "ended"],
  // Forgotten.
  ended: [],
};

type Moves<State extends string> = Readonly<Record<State, readonly State[]>>;

/** A machine that is in one state and makes only the moves of its table. */
export class Machine<State extends string> {
  readonly #name: string;
  readonly #moves: Moves<State>;
  #state: State;

  constructor(name: string, moves: Moves<State>, first: State) {
    this.#name = name;
    this.#moves = moves;
    this.#state = first;
  }

  get state(): State {
    return this.#state;
  }

  /** @throws {Error} for a move that is not in the table: a mistake in the engine */
  move(to: State): void {
    if (!this.#moves[this.#state].includes(to)) {
      throw new Error(`The ${this.#name} of a run goes from "${this.#state}" to "${to}", which is no move.`);
    }
    this.#state = to;
  }
}

export function codeMachine(): Machine<CodeState> {
  return new Machine("code", CODE, "fresh");
}

export function leaseMachine(): Machine<LeaseState> {
  return new Machine("lease", LEASE, "loading");
}
