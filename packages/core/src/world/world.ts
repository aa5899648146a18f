import type { Hint, WorldCapabilities } from "./capabilities.ts";
import type { CommitResult, RunCommit } from "./commit.ts";
import type { JournalEvent } from "./event.ts";
import type { Joined, MakeStart } from "./joining.ts";
import type { DeliverResult, Mail, Message } from "./mailbox.ts";
import type { HeldName, ListNamesQuery, NamePage } from "./name.ts";
import type { ListRunsQuery, RunFilter, RunPage } from "./read.ts";
import type { ListRecordsQuery, RecordPage, RecordWrite, RecordWriteResult, StoredRecord } from "./record.ts";
import type { RunRecord } from "./run.ts";
import type { ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "./schedule.ts";
import type { CreateRun, CreateRunResult } from "./start.ts";
import type { Streams } from "./stream.ts";

/** The version of this interface. The engine refuses a World of another version. */
export const CONTRACT_VERSION = 2;

/**
 * A storage adapter: journal, scheduling, mailbox and names of all runs in one namespace, and records.
 *
 * A World is dumb: bytes in, bytes out. Serialization, retry policy, replay and scheduling policy are the core's. It never
 * compares the type of an event or of a message: what it has to act on is said beside it.
 *
 * Laws of every method:
 * - **Crash.** They hold when the process dies between any two store operations, when an answer is lost after the
 *   write, and when any number of processes race.
 * - **Errors.** A method that rejects may or may not have written (an *ambiguous answer*); the caller sends the
 *   same request again and gets the answer that the first sending would have got. A World MAY retry by itself.
 * - **Time.** `now` and all ids come from the caller. A World whose store has a clock of its own MAY judge leases
 *   and `dueAt` by that clock in place of `now`, always by that one. It then reads the times in a `createRuns` (`dueAt`,
 *   `freeAt`) as distances from the request's `now`, for whoever starts runs may have a wrong clock; a worker's clock
 *   follows the store's, so what it commits is taken as it is. Such a World MUST offer an option that makes it use `now`, and
 *   the conformance suite runs with it.
 * - **Deadlines.** No call takes for ever: past its deadline a call rejects, which is an ambiguous answer, and the next one
 *   goes over a fresh connection. The store's own timeout is shorter than the caller's, so that an abandoned call does not
 *   execute late.
 * - **Refusals.** What the store will never take or give, however often it is asked, is a `WorldError` with
 *   `retryable: false`; everything that may pass is not.
 * - **Batches.** Results come in the order of the requests. Each element is atomic by itself; a World MAY make the
 *   whole batch one transaction. Rows are locked in one order (run id), so that batches cannot deadlock.
 * - **Optional parts.** The verbs of {@link Streams} reject where `capabilities.streams` is not true, those of
 *   {@link World.joining} where `capabilities.joining` is not.
 * - **Strings.** Ids, names and keys are any strings of at most 255 characters (names: 600), compared exactly (NUL, emoji,
 *   halves of surrogate pairs and case included).
 * - **Names.** A name has at most one holder: a run, and an id in it. It is the run's until the run releases it or, once the run
 *   is terminal, `max(freeAt, completedAt + keepFor)` has passed (`keepFor: null`: until the run is deleted; `keepFor: 0`: the
 *   end counts as passed, whatever the clocks say). Then it is free for readers and claims alike, whether or not the store has
 *   removed it.
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
   * Creates runs. Atomic per run: row, first events, first mail, names and first lease appear together or not at all.
   *
   * - A run gets all of its names or is not made. Of all claims of one name exactly one wins, whoever races, also within one
   *   batch. The others are answered `held`, with the holder of the first name, in the order of the request, that is another
   *   run's; never with a run that did not come to be.
   * - A name that {@link FirstClaim.from} has passes to the new run if that run is terminal. If the new run does not come to
   *   be, the name stays where it was.
   * - First mail is in the mailbox under `mailSeq` 1, 2, 3 …, and the run is due. Of all sendings of one message over one
   *   name, as first mail or by {@link deliver}, one is in a mailbox: a start whose message went to another run is `mailed`.
   * - The same `runId` sent again answers `created` and writes nothing, whoever has the names by then. The lease is given
   *   again if the run still has it (epoch 1, same claim id, not released), else `null`.
   */
  createRuns(batch: readonly CreateRun[], now: number): Promise<readonly CreateRunResult[]>;

  /**
   * Takes due runs (`dueAt <= now`; terminal ones that have work left too) of the given queues, those of the first queue first, and of each queue the
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
   * 1. Check, in this order: the run is stored (else `finished`); if it is terminal, the lease is the commit's and there are no
   *    events (else `finished`); the row's `epoch` and `claimId` are the commit's and its lease not released (else `fenced`);
   *    its journal goes up to `seq` (else `out_of_step`). A failed check writes nothing. A lease that has run out but that
   *    nobody has claimed since still commits.
   * 2. Append `events` at `seq + 1`, `seq + 2` … in their order, and do what stands beside each, in the same order. `claim`
   *    takes the name for this run; if it is held (by this run as well, or since an event before it in the batch), the
   *    event is written as `refusedAs`, its `data` the UTF-8 bytes of the holder's run id, and reported in `conflicts`.
   *    `release` frees the name that this run has under that id. With `restart`, `generation` is then one more, `firstSeq` is
   *    the commit's `seq + 1`, and `bytes` counts from 0.
   * 3. Set the row: `seq`, `bytes`, `mailDone`, the patch, and owner and `dueAt` by `lease`. A terminal status begins the times
   *    of the run's names.
   * 4. Parking never loses a message: if the row's `mailSeq` is greater than the commit's `mailDone`, or the run is terminal
   *    and its `endSeq` greater than its `endDone`, a parked run is due `now`, whatever `dueAt` was asked for.
   *
   * **After the end.** A terminal run has work left as long as it has an owner or a `dueAt`: it is claimed, renewed and written by
   * commits without events like any other, and is not deleted. For everybody else it has ended: mail is answered `finished`.
   *
   * The same commit sent twice is once in the journal and answers `committed` both times, with the same conflicts,
   * also when the first one parked or ended the run: a row with the commit's epoch and claim id and a journal of
   * `seq + events.length` has it in (one owner commits in order). What was refused is seen in the journal, where the event has its
   * `refusedAs` for a type. For a commit without events this makes the second
   * sending a repetition of the same row change, which is harmless only as long as the lease is still held; once
   * it is released the second sending writes nothing.
   */
  commit(batch: readonly RunCommit[], now: number): Promise<readonly CommitResult[]>;

  /**
   * Puts messages into mailboxes; durable before it returns. For each message, in one atomic act: the message gets the
   * run's next `mailSeq`, and a run that nobody holds a lease on becomes due `now`. It always writes the run row, so
   * that it conflicts with a commit that parks or ends the run: one of the two sees the other. End mail gets the next `endSeq`
   * in the same way, and leaves `dueAt` alone.
   *
   * A `messageId` that is in the run's mailbox, consumed or not, is `delivered` again without a second message, also
   * after the name is another's or the run is terminal, for as long as the run is stored; consumed messages from before a
   * restart MAY be forgotten after seven days.
   * An expired lease counts as held: its expiry makes the run due anyway.
   */
  deliver(batch: readonly Message[], now: number): Promise<readonly DeliverResult[]>;

  /**
   * Starts runs and sends messages with a transaction of the user's: with its commit, or not at all. All that is written into
   * the transaction is a row of an outbox with the request. After the commit an instance of the World takes the row, and with it,
   * in one transaction of its own, does what {@link createRuns} or {@link deliver} does; where the store's verbs are no
   * transactions, it does that first, under the ids of the request, and then takes the row. So nothing of the World's is locked,
   * and no lease is held, while the user's transaction is open.
   *
   * - A request is carried out once, whoever races, and the requests of one transaction in their order; as if it had been sent only
   *   then, with the `now` that it has.
   * - An instance carries out what waits when it is opened, when a hint comes and it has subscribers, and at the latest with its
   *   next {@link claim}, whatever is claimed.
   * - Nobody hears what came of it (`held`, `no_such_name`, `finished` …): who has to know finds out by the name or the run id.
   * - A row that cannot be carried out is not in the way of others.
   *
   * @param transaction what the World can join; `SqlTransaction` where its store speaks SQL, a `ClientSession` on MongoDB
   */
  joining(transaction: unknown): Joined;

  /**
   * Only where transactions can write starts without the core ({@link PlainStart}): takes what makes requests of them. The core calls it
   * before it opens the World; the last one counts. Until then such starts wait, with all that was written after them.
   */
  useStarts?(make: MakeStart): void;

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
   * The journal of a run after seq `after`, from `firstSeq` on, in order, at most `limit` events. Unknown run: nothing.
   *
   * @throws {WorldError} with `damaged` if this part of it is there and cannot be read
   */
  listEvents(runId: string, after: number, limit: number): Promise<readonly JournalEvent[]>;

  /** For each run, the messages with `mailSeq > after` that are not consumed, in order. */
  listMail(
    runs: readonly { readonly runId: string; readonly after: number }[],
  ): Promise<readonly (readonly Mail[])[]>;

  /**
   * A run's end mail with `mailSeq > after`, consumed or not, in order, at most `limit` messages. Unknown run: nothing.
   */
  listEndMail(runId: string, after: number, limit: number): Promise<readonly Mail[]>;

  /** Who has these names, in their order; `null` for a free one. */
  getNames(names: readonly string[], now: number): Promise<readonly (HeldName | null)[]>;

  /** Pages through the names that are held; by prefix or run it costs what these have, however many others there are. */
  listNames(query: ListNamesQuery): Promise<NamePage>;

  /**
   * Deletes those of these runs that are terminal and have no work left, with everything that belongs to them; returns how
   * many. The others, and ids of no run, are passed over. Which runs are old enough is the caller's to say: see `deleteOldRuns`.
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
