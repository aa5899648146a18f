import type { Hint, WorldCapabilities } from "./capabilities.ts";
import type { CommitResult, RunCommit } from "./commit.ts";
import type { JournalEvent } from "./event.ts";
import type { DeliverResult, Mail, Message } from "./mailbox.ts";
import type { HookPage, HookRecord, ListHooksQuery, ListRunsQuery, RunFilter, RunPage } from "./read.ts";
import type { ListRecordsQuery, RecordPage, RecordWrite, RecordWriteResult, StoredRecord } from "./record.ts";
import type { RunRecord } from "./run.ts";
import type { ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "./schedule.ts";
import type { CreateRun, CreateRunResult } from "./start.ts";
import type { Streams } from "./stream.ts";

/** The version of this interface. The engine refuses a World of another version. */
export const CONTRACT_VERSION = 2;

/**
 * A storage adapter: journal, scheduling, mailbox and hooks of all runs in one namespace, and records.
 *
 * A World is dumb: bytes in, bytes out. Serialization, retry policy, replay and scheduling policy are the core's.
 *
 * Laws of every method:
 * - **Crash.** They hold when the process dies between any two store operations, when an answer is lost after the
 *   write, and when any number of processes race.
 * - **Errors.** A method that rejects may or may not have written (an *ambiguous answer*); the caller sends the
 *   same request again and gets the answer that the first sending would have got. A World MAY retry by itself.
 * - **Time.** `now` and all ids come from the caller. A World whose store has a clock of its own MAY judge leases
 *   and `dueAt` by that clock in place of `now`, always by that one. It then reads the times in a `createRuns` (`dueAt`,
 *   `expiresAt`) as distances from the request's `now`, for whoever starts runs may have a wrong clock; a worker's clock
 *   follows the store's, so what it commits is taken as it is. Such a World MUST offer an option that makes it use `now`, and
 *   the conformance suite runs with it.
 * - **Deadlines.** No call takes for ever: past its deadline a call rejects, which is an ambiguous answer, and the next one
 *   goes over a fresh connection. The store's own timeout is shorter than the caller's, so that an abandoned call does not
 *   execute late.
 * - **Refusals.** What the store will never take or give, however often it is asked, is a `WorldError` with
 *   `retryable: false`; everything that may pass is not.
 * - **Batches.** Results come in the order of the requests. Each element is atomic by itself; a World MAY make the
 *   whole batch one transaction. Rows are locked in one order (run id), so that batches cannot deadlock.
 * - **Optional parts.** The verbs of {@link Streams} reject where `capabilities.streams` is not true.
 * - **Strings.** Ids, tokens and keys are any strings of at most 255 characters, compared exactly (NUL, emoji and
 *   case included).
 */
export interface World extends Streams {
  /** Short name for logs, such as `sqlite`. */
  readonly name: string;
  /** {@link CONTRACT_VERSION} of the `@perdure/core` that it was written for. */
  readonly contractVersion: typeof CONTRACT_VERSION;
  /** What it can do beyond the laws. What only the server knows has the weaker answer until the World is open. */
  readonly capabilities: WorldCapabilities;

  /** Settings of the store that a user should see, such as journal mode and fsync policy. Valid after {@link open}. */
  describe(): Readonly<Record<string, string | number>>;

  /** Connects and migrates. Idempotent, and safe from several processes at once; the other methods need it first. */
  open(): Promise<void>;

  /** Ends what {@link open} began. Idempotent. Leases stay as they are. A client that the user passed in stays open. */
  close(): Promise<void>;

  /**
   * Creates runs. Atomic per run: row, `run_created` event, start key and first lease appear together or not at all.
   *
   * - Of all requests with one `(workflow, startKey.key)` exactly one wins, whoever races, also within one batch. The
   *   others get the winner's row: `exists`, or `mismatch` where their fingerprint differs.
   * - A key whose run is terminal is free once `expiresAt` has passed; a key whose run was deleted is free.
   * - The same `runId` sent again answers `created` and writes nothing. The lease is given again if the run still
   *   has it (epoch 1, same claim id, not released), else `null`.
   */
  createRuns(batch: readonly CreateRun[], now: number): Promise<readonly CreateRunResult[]>;

  /**
   * Takes due runs (`dueAt <= now`, not terminal) of the given queues, those of the first queue first, and of each queue the
   * longest due first; or, of the given run ids, those that are due. Each gets `epoch + 1`, the caller as owner, the claim's
   * id and `dueAt = now + ttl`, atomically with the check.
   *
   * - No two claims give the same run unless the first one's lease has run out or was released in between.
   * - A backlog of other queues does not slow a claim. Neither does the number of queues: a store is asked for their due
   *   runs together, and answers no more than `limit` asks for. A claim of no queues takes nothing and tells the time.
   * - `lost` is true exactly when the row still named an owner: a lease that ran out. The row's `lostClaims` is then one more.
   * - Journal and mailbox are read after the claim, so they are complete: nobody else writes this journal any more.
   * - One run that cannot be read does not hold up the others: it comes with its `damage`.
   * - A claim whose answer was lost is not repeated: its runs come due again when their leases run out.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /**
   * Extends leases to `now + ttl`. A lease that ran out but was not claimed by anyone since is renewed; one whose
   * epoch or claim id is not the row's, or that was released, is `lost`. Never shortens a lease. Safe to repeat.
   */
  renew(request: RenewRequest): Promise<readonly RenewResult[]>;

  /**
   * THE write verb. At most one commit per run in a batch. For each commit, in one atomic act:
   *
   * 1. Check, in this order: the run is stored and not terminal (else `finished`, whatever the epoch), the row's `epoch`
   *    and `claimId` are the commit's and its lease not released (else `fenced`), its journal `seq` long (else
   *    `out_of_step`). A failed check writes nothing. A lease that has run out but that nobody has claimed since still commits.
   * 2. Append `events` at `seq + 1`, `seq + 2` … in their order. Hooks, also in that order: a `hook_created` event
   *    takes the token `name` for the hook `id` of this run. If another live hook has the token (also one of this run,
   *    or one taken earlier in the batch), the event is written as `hook_conflict`, its `data` the UTF-8 bytes of the
   *    owning run's id, and reported in `conflicts`. A `hook_disposed` event frees the token of the hook `id`.
   * 3. Set the row: `seq`, `bytes`, `mailDone`, the patch, and owner and `dueAt` by `lease`. A terminal status frees every
   *    token of the run.
   * 4. Parking never loses a wake-up: if the row's `mailSeq` is greater than the commit's `mailDone`, a parked run is due
   *    `now`, whatever `dueAt` was asked for.
   *
   * The same commit sent twice is once in the journal and answers `committed` both times, with the same conflicts,
   * also when the first one parked or finished the run: a row with the commit's epoch and claim id and a journal of
   * `seq + events.length` has it in (one owner commits in order). For a commit without events this makes the second
   * sending a repetition of the same row change, which is harmless only as long as the lease is still held; once
   * it is released the second sending writes nothing.
   */
  commit(batch: readonly RunCommit[], now: number): Promise<readonly CommitResult[]>;

  /**
   * Puts messages into mailboxes; durable before it returns. For each message, in one atomic act: the message gets the
   * run's next `mailSeq`, and a run that nobody holds a lease on becomes due `now`. It always writes the run row, so
   * that it conflicts with a commit that parks the run: one of the two sees the other.
   *
   * A `messageId` that is in the run's mailbox, consumed or not, is `delivered` again without a second message, also
   * after the hook is gone or the run is terminal, for as long as the run is stored.
   * An expired lease counts as held: its expiry makes the run due anyway.
   */
  deliver(batch: readonly Message[], now: number): Promise<readonly DeliverResult[]>;

  /**
   * The rows of these runs, in their order; `null` for an unknown run. Where one of them is damaged it MAY reject as a whole,
   * not retryable: whoever asked for several asks for each alone then.
   */
  getRuns(runIds: readonly string[]): Promise<readonly (RunRecord | null)[]>;

  /**
   * Pages through the runs that fit a filter, in an order that no change of a run changes: runs created or changed meanwhile
   * neither repeat nor hide others. Each field of a filter has an index; several at once walk the narrowest. A page may be
   * shorter than its `limit` and not the last. A row that cannot be read is named in place of it, and the others are given as
   * ever; it rejects only where the store cannot tell which row it is.
   */
  listRuns(query: ListRunsQuery): Promise<RunPage>;

  /** How many runs fit a filter. One moment only while nobody writes. */
  countRuns(filter: RunFilter): Promise<number>;

  /**
   * The journal of a run after seq `after`, in order, at most `limit` events. Unknown run: nothing.
   *
   * @throws {WorldError} with `damaged` if this part of it is there and cannot be read
   */
  listEvents(runId: string, after: number, limit: number): Promise<readonly JournalEvent[]>;

  /** For each run, the messages with `mailSeq > after` that are not consumed, in order. */
  listMail(
    runs: readonly { readonly runId: string; readonly after: number }[],
  ): Promise<readonly (readonly Mail[])[]>;

  /** The live hook that has the token, or `null`. */
  getHookByToken(token: string): Promise<HookRecord | null>;

  /** Pages through live hooks by token. */
  listHooks(query: ListHooksQuery): Promise<HookPage>;

  /**
   * Deletes those of these runs that are terminal, with everything that belongs to them; returns how many. The others, and
   * ids of no run, are passed over. Which runs are old enough is the caller's to say: see `deleteOldRuns`.
   */
  deleteRuns(runIds: readonly string[]): Promise<number>;

  /**
   * The records under these keys, in their order; `null` where there is none. Where a store fails over, what is read may be
   * older than what was acknowledged; a `conflict` of {@link writeRecords} never is.
   */
  readRecords(keys: readonly string[], now: number): Promise<readonly (StoredRecord | null)[]>;

  /**
   * Compare-and-set of records; durable before it returns. Each write is atomic by itself, and only that: it checks that the
   * record's version is `ifVersion` and writes it, or answers `conflict` with the record as it is.
   *
   * - Of all writes with one `ifVersion` for one key at most one is `written`, whoever races. Two writes of one key in one
   *   batch race like those of two callers.
   * - The same write sent again is `written`, and writes nothing, while it is the record's last one. After that it is a
   *   `conflict` like any other: whoever must know later whether a write got through makes its effect readable in the value.
   *   So a deletion that is sent again finds no record, which is what it wanted.
   * - `ttl` counts by the store's clock; a World without one goes by `now`. Once it is over there is no record any more, for
   *   readers as for `ifVersion`, whether or not the store has removed it. As no `writeId` is used twice, a writer that was
   *   slow never writes over a record that expired and was made again.
   * - Expired records are removed by the writes that follow, a few with each, so that there are never many more of them than
   *   were written lately. No writer waits for that.
   */
  writeRecords(batch: readonly RecordWrite[], now: number): Promise<readonly RecordWriteResult[]>;

  /**
   * Pages through the records whose keys begin with a prefix. The prefix is compared exactly: `%`, `_`, `*` and `\` are
   * characters like others. Costs what the records with the prefix cost, however many others there are.
   */
  listRecords(query: ListRecordsQuery): Promise<RecordPage>;

  /**
   * Calls `listener` when something may have changed. A hint only: losing every one of them costs latency, never
   * progress. Returns the function that ends it. Never keeps the process alive.
   */
  subscribe(listener: (hint: Hint) => void): () => void;
}

/**
 * For the conformance suite: called with the operation's name before every store operation of a World that was opened
 * with it. Where it throws or rejects, the World must behave as if its process had died there.
 */
export type OperationProbe = (operation: string) => void | Promise<void>;
