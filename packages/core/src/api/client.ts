import { batcher } from "../batcher.ts";
import { type Clock, keptAlive, systemClock } from "../clock.ts";
import { currentContext, refuseInWorkflow } from "../context.ts";
import type { RunEnding } from "../engine/commits/completions.ts";
import type { StartCalls } from "../engine/system-steps/start-run.ts";
import { type StopSleepResult, stopSleeps } from "../engine/system-steps/wake-up.ts";
import { createRuns, onStarted } from "../engine/upkeep/started-runs.ts";
import type { EngineWorker } from "../engine/worker.ts";
import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { type IdSource, systemIds } from "../ids.ts";
import { type ForkRequest, type ForkTerms, forkRun, retryRun } from "../interpreter/fork.ts";
import { TERMINATE } from "../interpreter/kinds/cancel.ts";
import type { RunState } from "../interpreter/kinds/state.ts";
import type { Logger } from "../logger.ts";
import { type LoggerChoice, resolveLogger } from "../logger-choice.ts";
import { hookName } from "../names.ts";
import { encode, largestBatch, largestValue, sizesInBatch, storable } from "../serialization/index.ts";
import { PassedStreams } from "../streams/passed-streams.ts";
import { streamsOf } from "../streams/run-streams.ts";
import type { CreateRun, CreateRunResult, DeliverResult, Message, RunRecord, World } from "../world/index.ts";
import { ClientHooks, hookInfo } from "./client-hooks.ts";
import { ClientStreams } from "./client-streams.ts";
import { forkFromProgram } from "./forking.ts";
import type { HookInfo, ResumedHook, ResumeOptions } from "./hooks.ts";
import { joinStart, refuseTied } from "./joined-start.ts";
import { withinOneTurn } from "./one-delivery.ts";
import { OutsideSignals, type SignalTerms } from "./outside-signals.ts";
import { releaseKey } from "./release-key.ts";
import { Run } from "./run.ts";
import type { RunAccess } from "./run-access.ts";
import { RunWatcher } from "./run-watcher.ts";
import { type StartOptions, type StartRequest, startRequest } from "./start-request.ts";
import { startFromProgram } from "./starting.ts";
import { type StateOptions, stateOf } from "./state.ts";
import { successorOf } from "./successor.ts";
import { terminate } from "./terminate.ts";
import { unansweredMessage, unansweredStart } from "./unanswered.ts";
import { UnattendedRuns } from "./unattended-runs.ts";
import { endOfLine, type ResultOptions, unlessAborted, withinOptions } from "./waiting.ts";
import type { TakeOptions } from "./webhooks.ts";

/**
 * What a program can do with the runs of one World without executing them.
 *
 * Values and options are taken as they are when a method is called: they are read and encoded before anything is awaited.
 * What a method's caller awaits keeps the process alive.
 */

/** What a {@link Client} is made of. */
export interface ClientOptions {
  readonly world: World;
  /** For tests: the time that it goes by. */
  readonly clock?: Clock;
  /** For tests: where ids come from. */
  readonly ids?: IdSource;
  /** Where it warns. */
  readonly logger?: LoggerChoice;
  /** Called, and awaited, before each use of the World. */
  readonly prepare?: () => Promise<void>;
}

/** The runs of one World, for a program that starts them, reads them and sends them messages; the API's functions call it. */
export class Client implements RunAccess {
  readonly world: World;
  /** Workers of this process on this World: a new run may begin in one of them at once. */
  readonly workers: Set<EngineWorker> = new Set();
  readonly streams: ClientStreams;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #logger: Logger;
  readonly #watcher: RunWatcher;
  readonly #hooks: ClientHooks;
  readonly #create: (request: CreateRun) => Promise<CreateRunResult>;
  readonly #deliver: (message: Message) => Promise<DeliverResult>;
  readonly #calls: Omit<StartCalls, "create">;
  readonly #unattended: UnattendedRuns;
  readonly #signalTerms: SignalTerms;
  readonly #prepare: (() => Promise<void>) | undefined;
  /** Does what a caller awaits. Under a test's clock the process is the test's. */
  readonly #awaited: <T>(work: () => Promise<T>) => Promise<T>;
  #opening: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    const { world, clock = systemClock } = options;
    const logger = resolveLogger(options.logger);
    this.#logger = logger;
    this.world = world;
    this.#clock = clock;
    this.#ids = options.ids ?? systemIds();
    this.#prepare = options.prepare;
    this.#awaited = options.clock === undefined ? keptAlive : (work) => work();
    this.#watcher = new RunWatcher(world, clock, (runId) =>
      [...this.workers].some((worker) => worker.holds(runId)),
    );
    this.#unattended = new UnattendedRuns({ world, clock, logger, workers: this.workers });
    onStarted(world, (run) => this.#unattended.started(run));
    this.streams = new ClientStreams({
      open: async () => {
        await this.open();
        return streamsOf(world, clock);
      },
      awaited: this.#awaited,
      during: (runId, work) => this.#unattended.during(runId, work),
      newToken: () => this.#ids.token(),
      logger,
    });
    const largest = (): number => largestBatch(world);
    this.#signalTerms = {
      now: () => clock.now(),
      deliver: (message) => this.#deliver(message),
      onUntold: (runId, error) =>
        logger.warn(
          "a run was not told that a signal, which it was given, is aborted. Cancel the run, or check that the store can be reached",
          { runId, error },
        ),
    };
    this.#create = batcher({
      clock,
      send: (batch) => createRuns(world, batch, clock.now()),
      size: ({ events, mail }) => sizesInBatch(...events, ...mail),
      largest,
      unanswered: unansweredStart,
    });
    this.#deliver = batcher({
      clock,
      send: (batch) => world.deliver(batch, clock.now()),
      size: sizesInBatch,
      largest,
      answers: withinOneTurn,
      unanswered: unansweredMessage,
    });
    this.#calls = {
      createRun: this.#create,
      deliver: this.#deliver,
      logger,
      getRun: async (runId) => (await world.getRuns([runId]))[0] ?? null,
      getNames: (names, now) => world.getNames(names, now),
      listEvents: (runId, after, limit) => world.listEvents(runId, after, limit),
      now: () => clock.now(),
    };
    this.#hooks = new ClientHooks({
      world,
      clock,
      ids: this.#ids,
      logger,
      open: () => this.open(),
      awaited: this.#awaited,
      create: this.#create,
      deliver: this.#deliver,
      send: (message, where) => this.#send(message, where),
      signals: () => this.#signals(),
      signalTerms: this.#signalTerms,
      streams: this.streams,
    });
  }

  /** Opens the World once, and what the process has beside it. */
  async open(): Promise<void> {
    await this.#prepare?.();
    this.#opening ??= this.world.open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    await this.#opening;
  }

  async start<T>(fn: unknown, args: unknown[], options: StartOptions = {}): Promise<Run<T>> {
    refuseInWorkflow("start()");
    const signals = this.#signals();
    const passed = new PassedStreams("args", { runId: null, writables: true });
    const request = startRequest(fn, args, options, signals, passed);
    if (options.tx !== undefined) {
      refuseTied("start({ tx })", passed.any || signals?.any === true);
      return await this.joinedStart<T>(options.tx, request);
    }
    return await this.begin<T>(request, (runId, created) => {
      this.streams.serve(passed, runId, created);
      if (created) signals?.sentTo(runId, this.#signalTerms);
    });
  }

  /** Starts what was asked for; `onStarted` is told which run that gives, and whether it is a new one. */
  async begin<T>(
    request: StartRequest,
    onStarted?: (runId: string, created: boolean) => void,
  ): Promise<Run<T>> {
    return await this.#awaited(async () => {
      await this.open();
      storable(request.args, "args", largestValue(this.world));
      const { workers } = this;
      const ended = (runId: string): Promise<unknown> => this.#ending(runId, undefined);
      const means = { clock: this.#clock, ids: this.#ids, calls: this.#calls, workers, ended };
      const { type, runId } = await startFromProgram(request, means);
      onStarted?.(runId, type === "created");
      return new Run<T>(this, runId);
    });
  }

  /** Starts a run with a transaction of the caller's. `callId`: of a call in a step. */
  async joinedStart<T>(tx: unknown, request: StartRequest, callId?: string): Promise<Run<T>> {
    return await this.#awaited(async () => {
      await this.open();
      storable(request.args, "args", largestValue(this.world));
      const { runId, access } = await joinStart(this, request, {
        ...{ world: this.world, clock: this.#clock, ids: this.#ids, logger: this.#logger, tx, callId },
      });
      return new Run<T>(access, runId);
    });
  }

  getRun<T>(runId: string): Run<T> {
    return new Run<T>(this, runId);
  }

  /** Asks the open World, for a caller that is called `what`. */
  async ask<T>(what: string, question: (world: World) => Promise<T>): Promise<T> {
    refuseInWorkflow(what);
    return await this.#awaited(async () => {
      await this.open();
      return await question(this.world);
    });
  }

  async getRecord(runId: string): Promise<RunRecord | null> {
    return await this.ask("A property of a run", async (world) => (await world.getRuns([runId]))[0] ?? null);
  }

  /** How the run ended, once it has. */
  async ended(runId: string, options: ResultOptions = {}): Promise<RunEnding> {
    refuseInWorkflow("run.returnValue");
    return await this.#awaited(() =>
      withinOptions(runId, options, this.#clock, async (signal) => {
        await unlessAborted(this.open(), signal);
        if (options.follow !== true) return await this.#ending(runId, signal);
        const looking = { world: this.world, clock: this.#clock, signal };
        const successor = (id: string): Promise<string | null> => successorOf(id, looking);
        return await endOfLine(runId, (id) => this.#ending(id, signal), successor);
      }),
    );
  }

  async #ending(runId: string, signal: AbortSignal | undefined): Promise<RunEnding> {
    return await this.#unattended.during(runId, this.#watcher.ended(runId, signal));
  }

  async cancel(runId: string, reason: string | undefined, mode: "graceful" | "terminate"): Promise<void> {
    refuseInWorkflow("run.cancel()");
    const data = encode(reason, "reason");
    if (mode === "graceful") {
      await this.#toRun(runId, "cancel_requested", data);
    } else if ((await this.#toRun(runId, TERMINATE, data)) === "delivered") {
      await this.#awaited(() => terminate(this.world, { clock: this.#clock, ids: this.#ids, runId, reason }));
    }
  }

  async state(runId: string, { after, ...options }: StateOptions): Promise<RunState | null> {
    return await this.ask("run.getState()", (world) => {
      const look = (signal?: AbortSignal): Promise<RunState | null> =>
        stateOf({ world, runId, clock: this.#clock, signal }, after);
      return this.#unattended.during(runId, withinOptions(runId, options, this.#clock, look));
    });
  }

  /** Has a diverged run tried again now, or goes on for a failed one; the id of the run that goes on. */
  async retry(runId: string, keys: "keep" | "new"): Promise<string> {
    refuseInWorkflow("run.retry()");
    if ((await this.#toRun(runId, "wake", null)) === "delivered") return runId;
    const run = await this.getRecord(runId);
    if (run?.status === "failed") return await this.#fork(run, (terms) => retryRun(run, keys, terms));
    throw new WorkflowRuntimeError(
      `Workflow run "${runId}" has ended (${run?.status ?? "and was deleted"}), so there is nothing to retry: retry() is ` +
        "for failed and diverged runs. To do its work again, start() a new run, or fork() this one.",
    );
  }

  async fork(runId: string, request: ForkRequest): Promise<string> {
    const run = await this.getRecord(runId);
    if (run === null) throw new WorkflowRunNotFoundError(runId);
    storable(request.args?.value ?? null, "args", largestValue(this.world));
    return await this.#fork(run, (terms) => forkRun(run, request, terms));
  }

  async #fork(run: RunRecord, make: (terms: ForkTerms) => Promise<string>): Promise<string> {
    const means = { world: this.world, clock: this.#clock, ids: this.#ids, create: this.#create };
    return await this.#awaited(() => forkFromProgram(run, make, { ...means, logger: this.#logger }));
  }

  wakeUp(runId: string, ids: readonly string[] | null): Promise<StopSleepResult> {
    return this.ask("run.wakeUp()", () => stopSleeps({ runId, ids }, this.#calls));
  }

  async releaseKey(runId: string): Promise<void> {
    await this.ask("run.releaseKey()", (world) => {
      const means = { world, clock: this.#clock, ids: this.#ids, calls: this.#calls };
      return this.#unattended.during(runId, releaseKey({ ...means, runId }));
    });
  }

  async resumeHook(
    tokenOrHook: string | { readonly token: string },
    payload: unknown,
    options: ResumeOptions = {},
  ): Promise<ResumedHook> {
    return await this.#hooks.resume(tokenOrHook, payload, options);
  }

  /** Sends a payload with a transaction of the caller's. */
  async joinedResume(token: string, payload: unknown, options: ResumeOptions): Promise<void> {
    await this.#hooks.joinedResume(token, payload, options);
  }

  /** Takes a request to a webhook, and gives the response to it. */
  async resumeWebhook(token: string, request: Request, options: TakeOptions = {}): Promise<Response> {
    return await this.#hooks.take(token, request, options);
  }

  async getHookByToken(token: string): Promise<HookInfo> {
    const names = await this.ask("getHookByToken()", (world) =>
      world.getNames([hookName(token)], this.#clock.now()),
    );
    return hookInfo(token, names[0]);
  }

  /** Ties the signals of ordinary code; those of a step are its own affair. */
  #signals(): OutsideSignals | undefined {
    return currentContext() === undefined ? new OutsideSignals(this.#ids) : undefined;
  }

  async #toRun(
    runId: string,
    type: "cancel_requested" | "wake" | typeof TERMINATE,
    data: Uint8Array | null,
  ): Promise<"delivered" | "finished"> {
    const message = { messageId: `msg_${this.#ids.token()}`, to: { runId }, type, data };
    const { outcome } = await this.#send(message, "reason");
    if (outcome === "delivered" || outcome === "finished") return outcome;
    throw new WorkflowRunNotFoundError(runId);
  }

  /** Delivers a message whose value is called `where`. */
  async #send(message: Omit<Message, "at">, where: string): Promise<DeliverResult> {
    return await this.#awaited(async () => {
      await this.open();
      storable(message.data, where, largestValue(this.world));
      return await this.#deliver({ ...message, at: this.#clock.now() });
    });
  }
}
