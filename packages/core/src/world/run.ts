/** The run row: the fold of a run's journal, plus what scheduling needs. */

/**
 * `diverged`: the code asked for something else than the journal holds. The run is parked and tried again;
 * nothing of it is lost.
 */
export type RunStatus = "pending" | "running" | "completed" | "failed" | "cancelled" | "diverged";

/** The statuses after which the journal does not grow any more. */
export type TerminalStatus = "completed" | "failed" | "cancelled";

/** Tells whether a status is final. */
export function isTerminal(status: RunStatus): status is TerminalStatus {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** Attributes of a run, name → value. */
export type Attributes = Readonly<Record<string, string>>;

/** What the core takes of attributes: how many a run has at most, and how long a name is, in characters, and a value, in bytes. */
export const ATTRIBUTE_LIMITS: { readonly count: number; readonly name: number; readonly value: number } = {
  count: 64,
  name: 256,
  value: 256,
};

/** One run as the World keeps it. */
export interface RunRecord {
  /** `wrun_` + ULID. */
  readonly runId: string;
  /** The workflow's id, `workflow//./path//name` or the id given to `workflow(id, fn)`. */
  readonly workflow: string;
  /** The queue from which workers claim it. What it means is the core's. */
  readonly queue: string;
  readonly status: RunStatus;
  /** The fencing token: every claim adds one. 0 before the first. */
  readonly epoch: number;
  /** The id of the last claim; it stays when the lease is released. `null` before the first. */
  readonly claimId: string | null;
  /**
   * How many claims in a row were lost, that is, taken over from an owner that did not give its lease back. A claim counts it
   * up; only a commit that says so sets it back. See {@link RunPatch.lostClaims}.
   */
  readonly lostClaims: number;
  /** How often the journal was begun anew: 0, 1, 2 … See {@link RunCommit.restart}. */
  readonly generation: number;
  /** Where the journal of this generation begins: 1 at first. */
  readonly firstSeq: number;
  /** Number of the journal's last event. It goes on over generations, so the journal has `seq - firstSeq + 1` events. */
  readonly seq: number;
  /** Size of this generation's journal: the bytes of all its events' `data`, as they were sent. */
  readonly bytes: number;
  /** Number of the last message that was delivered to the run; 0 before the first. */
  readonly mailSeq: number;
  /** Number of the last message that the owner has taken into the journal or dropped. */
  readonly mailDone: number;
  /** The same two numbers for end mail: see {@link Message.atEnd}. */
  readonly endSeq: number;
  readonly endDone: number;
  /** The worker that holds the lease, or `null`. An expired lease still names its owner until it is claimed again. */
  readonly owner: string | null;
  /**
   * When a worker must look at the run next, ms since the epoch: now if it is ready, the wake-up time if it
   * sleeps, the lease's expiry while it is leased. `null` when only a message can wake it. A terminal run is due as long as it
   * has work left: see {@link World.commit}.
   */
  readonly dueAt: number | null;
  /** The encoded return value of a completed run. */
  readonly output: Uint8Array | null;
  /** The encoded error of a failed, cancelled or diverged run. */
  readonly error: Uint8Array | null;
  /** What the run shows of itself while it is under way, encoded by the core. */
  readonly state: Uint8Array | null;
  /** What runs are searched by, name → value. Limits are the core's: see {@link ATTRIBUTE_LIMITS}. */
  readonly attributes: Attributes;
  /** The key given to `start`, or `null`. For reading only: what keeps a second run away is a name. */
  readonly idempotencyKey: string | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
}
