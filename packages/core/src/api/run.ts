import { refuseInWorkflow } from "../context.ts";
import type { RunEnding } from "../engine/commits/completions.ts";
import type { RunView } from "../engine/system-steps/read-run.ts";
import type { StopSleepResult } from "../engine/system-steps/wake-up.ts";
import {
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRunNotFoundError,
} from "../errors/index.ts";
import type { ForkOptions, RetryOptions } from "../interpreter/fork.ts";
import type { RunState } from "../interpreter/kinds/state.ts";
import { checkOptionNames } from "../option-names.ts";
import {
  decode,
  decodeError,
  registerClass,
  WORKFLOW_DESERIALIZE,
  WORKFLOW_SERIALIZE,
} from "../serialization/index.ts";
import type { StreamAccess } from "../streams/access.ts";
import { chunksUntil, type StreamChunk, WorkflowReadableStream } from "../streams/readable.ts";
import { readingFor } from "../streams/stream-ref.ts";
import { accessFor } from "../streams/user.ts";
import { WorkflowWritableStream } from "../streams/writable.ts";
import type { RunStatus } from "../world/index.ts";
import { type CancelOptions, cancelOptions } from "./cancel-options.ts";
import { deleteRun } from "./deletion.ts";
import { forkRequest } from "./forking.ts";
import { eventsOf, eventsOptions, type RunEvent, type RunEventsOptions } from "./journal.ts";
import { accessHere, type RunAccess } from "./run-access.ts";
import { type StopSleepOptions, sleepIds } from "./sleeps.ts";
import type { StateOptions } from "./state.ts";
import {
  type Chunks,
  type RunChunksOptions,
  readableOptions,
  type WorkflowReadableStreamOptions,
  type WorkflowWritableStreamOptions,
  writableOptions,
} from "./stream-options.ts";
import { type ResultOptions, resultOptions } from "./waiting.ts";

/**
 * A handle of one run. Making one reads nothing; each property asks the World. As an argument, result or payload it crosses the
 * journal as the run's id.
 * The names are those of the Workflow SDK's `Run`.
 */
export class Run<T = unknown> {
  /**
   * `wrun_` and 26 characters that sort by creation time. Of a run that was started with a transaction and an `idempotencyKey`: the
   * id that it has if its key was free, until one of the properties was awaited after the commit.
   */
  readonly runId: string;
  /** `null` for one that came as a value. */
  readonly #access: RunAccess | null;

  /** @internal */
  constructor(access: RunAccess | null, runId: string) {
    this.#access = access;
    this.runId = runId;
    access?.whenFound?.((found) => {
      (this as { runId: string }).runId = found;
    });
  }

  get #client(): RunAccess {
    return this.#access ?? accessHere();
  }

  /** Whether the World has this run. */
  get exists(): Promise<boolean> {
    return this.#client.getRecord(this.runId).then((run) => run !== null);
  }

  /** `pending`, `running`, `completed`, `failed`, `cancelled` or `diverged`. */
  get status(): Promise<RunStatus> {
    return this.#record().then(({ status }) => status);
  }

  /** The workflow's id. */
  get workflowName(): Promise<string> {
    return this.#record().then(({ workflow }) => workflow);
  }

  /** The `idempotencyKey` of the start that made it, whether it still has that key or not; `undefined` without one. */
  get key(): Promise<string | undefined> {
    return this.#record().then(({ idempotencyKey }) => idempotencyKey ?? undefined);
  }

  /** When `start` asked for it. */
  get createdAt(): Promise<Date> {
    return this.#record().then(({ createdAt }) => new Date(createdAt));
  }

  /** When the first worker began to execute it. */
  get startedAt(): Promise<Date | undefined> {
    return this.#record().then(({ startedAt }) => (startedAt === null ? undefined : new Date(startedAt)));
  }

  /** When it ended, in whatever way. */
  get completedAt(): Promise<Date | undefined> {
    return this.#record().then(({ completedAt }) =>
      completedAt === null ? undefined : new Date(completedAt),
    );
  }

  /**
   * What the workflow returned, as soon as the run has ended. Waits for a notification, and keeps the process alive. A
   * warning tells when nobody executes the run.
   *
   * Rejects with a `WorkflowRunFailedError` whose `cause` is the error that ended the run, a
   * `WorkflowRunCancelledError`, or a `WorkflowRunNotFoundError`.
   */
  get returnValue(): Promise<T> {
    return this.result();
  }

  /**
   * {@link returnValue} for somebody who does not wait for ever. Whoever gives up leaves the run as it is, and nothing behind. In a
   * workflow the timeout is a sleep of the run.
   *
   * @throws {WorkflowRunNotCompletedError} if the run has not ended when `timeout` is over
   * @throws the signal's reason when it is aborted
   * @example
   * ```ts
   * try {
   *   console.log(await run.result({ timeout: "10s", signal: request.signal }));
   * } catch (error) {
   *   if (!WorkflowRunNotCompletedError.is(error)) throw error;
   *   console.log("not yet:", run.runId);
   * }
   * ```
   */
  async result(options: ResultOptions = {}): Promise<T> {
    checkOptionNames<ResultOptions>("result()", options, { timeout: true, signal: true, follow: true });
    const ending = await this.#client.ended(this.runId, resultOptions(options));
    return readingFor(this.runId, this.#streams, () => resultOf<T>(ending));
  }

  /**
   * What the workflow set last with `setState`, with its version, or `null` if it set none. The run is not woken. With `after` it
   * waits, by notification, for a later version; the end of the run ends the waiting, with the last state. Not in a workflow:
   * call it in a step.
   *
   * @throws {WorkflowRunNotFoundError} if there is no such run
   * @throws {WorkflowRunNotCompletedError} if nothing has come when `timeout` is over
   * @example
   * ```ts
   * for (let version = 0; ; ) {
   *   const state = await run.getState({ after: version });
   *   if (state === null || state.version === version) break;
   *   version = state.version;
   *   console.log(state.value);
   * }
   * ```
   */
  async getState(options: StateOptions = {}): Promise<RunState | null> {
    checkOptionNames<StateOptions>("getState()", options, { after: true, timeout: true, signal: true });
    const { after, ...waiting } = options;
    if (after !== undefined && (!Number.isInteger(after) || after < 0)) {
      throw new TypeError(`getState({ after }): must be a version, 0, 1, 2 …, got ${String(after)}.`);
    }
    return await this.#client.state(this.runId, {
      ...resultOptions(waiting),
      ...(after !== undefined && { after }),
    });
  }

  /**
   * Asks the run to end. Durable when it resolves. What the workflow waits for rejects with a
   * `WorkflowRunCancelledError`, the signals of its steps are aborted, its `finally` blocks run with their steps, and the
   * run ends `cancelled`. A run that has already ended stays as it is.
   */
  cancel(options: CancelOptions = {}): Promise<void> {
    const { reason, mode } = cancelOptions(options);
    return this.#client.cancel(this.runId, reason, mode);
  }

  /**
   * Goes on with a run that failed, or that has diverged.
   *
   * A **failed** one is gone on with by another run, which has its journal up to the step that failed: what was done before is
   * not done again, and the step that failed is executed anew, under its old `stepId`, so that a charge which did arrive is
   * not made a second time. Of several that failed, so are all whose failures are the run's, and not those that its code has dealt with.
   * Start key, attributes and tokens pass to it. Two retries of one run give one run.
   *
   * A **diverged** one is tried again now, and not after the worker's `divergenceRetry`. One that is `pending` or `running` is
   * under way already: nothing changes.
   *
   * @returns the run that goes on: another one for a failed run, else this one
   * @throws {WorkflowRuntimeError} if the run has completed or was cancelled
   * @throws {WorkflowRunNotFoundError} if there is no such run
   * @throws {HookConflictError} if another run has the token of one of its hooks by now
   */
  async retry(options: RetryOptions = {}): Promise<Run<T>> {
    checkOptionNames<RetryOptions>("retry()", options, { keys: true });
    const { keys = "keep" } = options;
    if (keys !== "keep" && keys !== "new") {
      throw new TypeError(`retry({ keys }): must be "keep" or "new", got ${JSON.stringify(keys)}.`);
    }
    return new Run<T>(this.#client, await this.#client.retry(this.runId, keys));
  }

  /**
   * Makes another run that has done what this one did before a step, and goes on by itself: the steps before it keep their
   * results and ids, that step and those after it are executed under new ones. This run stays as it is. Hooks that lived there
   * need their tokens free. Not in a workflow: call it in a step.
   *
   * @throws {WorkflowRuntimeError} if the run has no such step
   * @throws {WorkflowRunNotFoundError} if there is no such run
   * @throws {HookConflictError} if another run has the token of one of its hooks
   */
  async fork(options: ForkOptions): Promise<Run<T>> {
    return new Run<T>(this.#client, await this.#client.fork(this.runId, forkRequest(options)));
  }

  /**
   * Ends the sleeps that the run has begun and that are not over: the workflow goes on as if their time had come. A run without
   * any, or that has ended, is left alone. Durable when it resolves, also where no worker is there at the moment.
   *
   * @returns how many sleeps end by it
   * @throws {WorkflowRunNotFoundError} if there is no such run
   */
  async wakeUp(options: StopSleepOptions = {}): Promise<StopSleepResult> {
    return await this.#client.wakeUp(this.runId, sleepIds(options));
  }

  /**
   * Frees the key of the run's start, at once and whatever its `ttl` is: the next start with it makes a new run, which does the work
   * again. The run itself goes on. Resolves when the key is free; of a live run a worker does that, of one that has ended the
   * call. A run without a key, or that does not have it any more, is left alone. Not in a workflow: call it in a step.
   *
   * @throws {WorkflowRunNotFoundError} if there is no such run
   */
  async releaseKey(): Promise<void> {
    await this.#client.releaseKey(this.runId);
  }

  /**
   * The journal, decoded, from the first event to the last one at the call; read page by page as it is iterated. To look for
   * more later, go on `after` the last `seq`. Not in a workflow: call it in a step.
   *
   * @throws {WorkflowRunNotFoundError} at the first event, if there is no such run
   * @example
   * ```ts
   * for await (const { at, type, name, value } of run.events()) console.log(at, type, name, value);
   * for await (const { seq, type } of run.events({ after: 100, limit: 10 })) console.log(seq, type);
   * ```
   */
  events(options: RunEventsOptions = {}): AsyncGenerator<RunEvent, void, void> {
    const checked = eventsOptions(options);
    return eventsOf(
      (question) => this.#client.ask("run.events()", question),
      () => this.runId,
      checked,
    );
  }

  /** {@link getReadable} of the run's own stream. */
  get readable(): WorkflowReadableStream<Chunks> {
    return this.getReadable();
  }

  /** {@link getWritable} of the run's own stream. */
  get writable(): WritableStream<Chunks> {
    return this.getWritable();
  }

  /**
   * What the run's steps write with `getWritable()`, from the beginning or an index on, then as it comes; ends when the stream was
   * closed or the run has ended. Nothing is read before somebody asks. In a workflow it is a value for steps.
   *
   * Rejects with a `WorkflowRunNotFoundError` if there is no such run.
   *
   * @throws {TypeError} for an option that cannot be meant
   * @example
   * ```ts
   * for await (const token of run.getReadable<string>({ startIndex: -10 })) process.stdout.write(token);
   * ```
   */
  getReadable<R = Chunks>(options: WorkflowReadableStreamOptions = {}): WorkflowReadableStream<R> {
    const { name, reading } = readableOptions("getReadable()", options);
    return new WorkflowReadableStream<R>({ runId: this.runId, name }, this.#streams, reading);
  }

  /**
   * What {@link getReadable} gives, each with its index and who wrote it: for those who go on reading later, or who show what an
   * attempt of a step writes before it has failed. Not in a workflow: call it in a step.
   *
   * @throws {TypeError} for an option that cannot be meant
   * @example
   * ```ts
   * for await (const { index, data } of run.chunks<string>({ startIndex: 17 })) console.log(index, data);
   * ```
   */
  chunks<R = Chunks>(options: RunChunksOptions = {}): AsyncGenerator<StreamChunk<R>, void, void> {
    refuseInWorkflow("run.chunks()");
    const { name, reading } = readableOptions("chunks()", options);
    return chunksUntil<R>({ runId: this.runId, name }, accessFor(this.#streams), reading, options.signal);
  }

  /**
   * A stream that writes to what {@link getReadable} reads, beside the run's own steps. Closing it ends the stream for all. In a workflow it
   * is a value for steps. A `write()` rejects with a `WorkflowRuntimeError` if the stream was closed or the run has ended.
   */
  getWritable<W = Chunks>(options: WorkflowWritableStreamOptions = {}): WritableStream<W> {
    const name = writableOptions(options);
    return new WorkflowWritableStream<W>({ runId: this.runId, name }, this.#streams);
  }

  get #streams(): StreamAccess | null {
    return this.#access?.streams ?? null;
  }

  /**
   * Deletes the run and all that belongs to it: journal, result, start key. Only one that has ended, and whose parent, if a run
   * started it, has ended too. Not in a workflow: call it in a step.
   *
   * @throws {WorkflowRuntimeError} if the run, or its parent, has not ended; `retryable` if it has ended a moment ago and a
   *   worker has yet to tell those who wait for it
   * @throws {WorkflowRunNotFoundError} if there is no such run
   */
  delete(): Promise<void> {
    return this.#client.ask("run.delete()", (world) => deleteRun(world, this.runId));
  }

  async #record(): Promise<RunView> {
    const run = await this.#client.getRecord(this.runId);
    if (run === null) throw new WorkflowRunNotFoundError(this.runId);
    return run;
  }
}

/** What a run that has ended gives, or throws; made anew for each caller. */
export function resultOf<T>(run: RunEnding): T {
  if (run.status === "completed") return decode(run.output) as T;
  const error = run.error === null ? undefined : decodeError(run.error);
  if (run.status === "cancelled") {
    throw WorkflowRunCancelledError.is(error) ? error : new WorkflowRunCancelledError(run.runId);
  }
  throw new WorkflowRunFailedError(run.runId, error, run.workflow);
}

// The names of static methods would have to be inferred in the declarations.
Object.defineProperties(Run, {
  [WORKFLOW_SERIALIZE]: { value: ({ runId }: Run) => runId },
  [WORKFLOW_DESERIALIZE]: { value: (runId: unknown) => new Run(null, String(runId)) },
});
registerClass("perdure/Run", Run);
