import { batcher } from "../batcher.ts";
import { type Clock, keptAlive, systemClock } from "../clock.ts";
import { currentContext, refuseInWorkflow } from "../context.ts";
import type { RunEnding } from "../engine/commits/completions.ts";
import { resumeOrStart } from "../engine/system-steps/resume-or-start.ts";
import { type StartRunInput, startedRun } from "../engine/system-steps/start-run.ts";
import { type StopSleepResult, stopSleeps } from "../engine/system-steps/wake-up.ts";
import type { EngineWorker } from "../engine/worker.ts";
import { HookNotFoundError, WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { type IdSource, keyedMessageId, systemIds } from "../ids.ts";
import { TERMINATE } from "../interpreter/kinds/cancel.ts";
import type { OrStart } from "../interpreter/kinds/or-start.ts";
import type { RunState } from "../interpreter/kinds/state.ts";
import { createRunRequest, type NewRun } from "../interpreter/new-run.ts";
import { isWebhookId, webhookFacts } from "../interpreter/webhook.ts";
import { type LoggerChoice, resolveLogger } from "../logger-choice.ts";
import { hookName, successorName } from "../names.ts";
import {
  decode,
  encode,
  largestBatch,
  largestValue,
  sizeInBatch,
  storable,
  withOutlet,
} from "../serialization/index.ts";
import { PassedStreams } from "../streams/passed-streams.ts";
import { streamsOf } from "../streams/run-streams.ts";
import type { CreateRun, CreateRunResult, DeliverResult, Message, RunRecord, World } from "../world/index.ts";
import { ClientStreams } from "./client-streams.ts";
import { type ForkOptions, type ForkTerms, forkRun, retryRun } from "./fork.ts";
import type { HookInfo, OrStartRequest, ResumedHook, ResumeOptions } from "./hooks.ts";
import { resumeOptions } from "./hooks.ts";
import { joinedAccess, joinStart, refuseTied } from "./joined-start.ts";
import { withinOneTurn } from "./one-delivery.ts";
import { OutsideSignals, type SignalTerms } from "./outside-signals.ts";
import { Run } from "./run.ts";
import type { RunAccess } from "./run-access.ts";
import { RunWatcher } from "./run-watcher.ts";
import { checkKey, type StartOptions, startRequest } from "./start-request.ts";
import { type StateOptions, stateOf } from "./state.ts";
import { terminate } from "./terminate.ts";
import { unansweredMessage, unansweredStart } from "./unanswered.ts";
import { UnattendedRuns } from "./unattended-runs.ts";
import { endOfLine, type ResultOptions, unlessAborted, withinOptions } from "./waiting.ts";
import { WebhookVerifiers } from "./webhook-verifier.ts";
import { type TakeOptions, takeRequest } from "./webhooks.ts";

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
  readonly #watcher: RunWatcher;
  readonly #verifiers: WebhookVerifiers;
  readonly #create: (request: CreateRun) => Promise<CreateRunResult>;
  readonly #deliver: (message: Message) => Promise<DeliverResult>;
  readonly #unattended: UnattendedRuns;
  readonly #signalTerms: SignalTerms;
  readonly #prepare: (() => Promise<void>) | undefined;
  /** Does what a caller awaits. Under a test's clock the process is the test's. */
  readonly #awaited: <T>(work: () => Promise<T>) => Promise<T>;
  #opening: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    const { world, clock = systemClock } = options;
    const logger = resolveLogger(options.logger);
    this.world = world;
    this.#clock = clock;
    this.#ids = options.ids ?? systemIds();
    this.#prepare = options.prepare;
    this.#awaited = options.clock === undefined ? keptAlive : (work) => work();
    this.#verifiers = new WebhookVerifiers(world, clock);
    this.#watcher = new RunWatcher(world, clock, (runId) =>
      [...this.workers].some((worker) => worker.holds(runId)),
    );
    this.#unattended = new UnattendedRuns({
      world,
      clock,
      logger,
      workers: this.workers,
    });
    this.streams = new ClientStreams({
      open: async () => {
        await this.open();
        return streamsOf(world, clock);
      },
      awaited: this.#awaited,
      newToken: () => this.#ids.token(),
      logger: resolveLogger(options.logger),
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
      send: (batch) => world.createRuns(batch, clock.now()),
      size: ({ events, mail }) => bytesOf(...events, ...mail),
      largest,
      unanswered: unansweredStart,
    });
    this.#deliver = batcher({
      clock,
      send: (batch) => world.deliver(batch, clock.now()),
      size: bytesOf,
      largest,
      answers: withinOneTurn,
      unanswered: unansweredMessage,
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
    const { keyAt, onConflict, ...asked } = startRequest(fn, args, options, signals, passed);
    const { workflow } = asked;
    return await this.#awaited(async () => {
      await this.open();
      storable(asked.args, "args", largestValue(this.world));
      const now = this.#clock.now();
      const worker = [...this.workers].find((candidate) => candidate.accepts(workflow));
      const lease =
        worker === undefined ? null : { owner: worker.id, claimId: this.#ids.token(), ttl: worker.leaseTtl };
      const run: NewRun = { ...asked, runId: this.#ids.runId(now), key: keyAt(now) };
      if (options.tx !== undefined) {
        refuseTied("start({ tx })", passed.any || signals?.any === true);
        return await this.joinedStart<T>(options.tx, { run, onConflict });
      }
      const request = createRunRequest(run, { at: now, lease, mail: [] });
      const leaseUntil = worker?.leaseEnd() ?? 0;
      const release = worker?.reserve();
      try {
        const result = await this.#create(request);
        if (result.outcome === "created" && result.lease !== null) {
          worker?.adopt(result.lease, workflow, request.events, leaseUntil);
        }
        const runId = startedRun({ run, onConflict }, result);
        this.streams.serve(passed, runId, runId === run.runId);
        if (result.outcome !== "held") signals?.sentTo(runId, this.#signalTerms);
        return new Run<T>(this, runId);
      } finally {
        release?.();
      }
    });
  }

  /** Starts a run with a transaction of the caller's. */
  async joinedStart<T>(tx: unknown, start: StartRunInput): Promise<Run<T>> {
    const joined = { world: this.world, clock: this.#clock, tx, start };
    await joinStart(joined);
    return new Run<T>(joinedAccess(this, joined), start.run.runId);
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
        const successor = (id: string): Promise<string | null> =>
          unlessAborted(this.#holderOf(successorName(id)), signal);
        return await endOfLine(runId, (id) => this.#ending(id, signal), successor);
      }),
    );
  }

  async #ending(runId: string, signal: AbortSignal | undefined): Promise<RunEnding> {
    const ending = this.#watcher.ended(runId, signal);
    const stop = this.#unattended.watch(runId);
    return await ending.finally(stop);
  }

  async #holderOf(name: string): Promise<string | null> {
    const [held] = await this.world.getNames([name], this.#clock.now());
    return held?.runId ?? null;
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
    return await this.ask("run.getState()", (world) =>
      withinOptions(runId, options, this.#clock, (signal) =>
        stateOf({ world, runId, clock: this.#clock, signal }, after),
      ),
    );
  }

  /** Has a diverged run tried again now, or goes on for a failed one; the id of the run that goes on. */
  async retry(runId: string, keys: "keep" | "new"): Promise<string> {
    refuseInWorkflow("run.retry()");
    if ((await this.#toRun(runId, "wake", null)) === "delivered") return runId;
    const run = await this.getRecord(runId);
    if (run?.status === "failed") return await this.#fork((terms) => retryRun(run, keys, terms));
    throw new WorkflowRuntimeError(
      `Workflow run "${runId}" has ended (${run?.status ?? "and was deleted"}), so there is nothing to retry: retry() is ` +
        "for failed and diverged runs. To do its work again, start() a new run, or fork() this one.",
    );
  }

  async fork(runId: string, options: ForkOptions): Promise<string> {
    const run = await this.getRecord(runId);
    if (run === null) throw new WorkflowRunNotFoundError(runId);
    return await this.#fork((terms) => forkRun(run, options, terms));
  }

  async #fork(work: (terms: ForkTerms) => Promise<string>): Promise<string> {
    return await this.#awaited(async () => {
      const now = this.#clock.now();
      return await work({ world: this.world, runId: this.#ids.runId(now), now, create: this.#create });
    });
  }

  /** Ends sleeps of a run. */
  async wakeUp(runId: string, ids: readonly string[] | null): Promise<StopSleepResult> {
    return await this.ask("run.wakeUp()", (world) =>
      stopSleeps(
        { runId, ids },
        {
          getRun: async (id) => (await world.getRuns([id]))[0] ?? null,
          listEvents: (id, after, limit) => world.listEvents(id, after, limit),
          deliver: this.#deliver,
          now: () => this.#clock.now(),
        },
      ),
    );
  }

  async resumeHook(
    tokenOrHook: string | { readonly token: string },
    payload: unknown,
    options: ResumeOptions = {},
  ): Promise<ResumedHook> {
    refuseInWorkflow("resumeHook()");
    const token = typeof tokenOrHook === "string" ? tokenOrHook : tokenOrHook.token;
    const signals = this.#signals();
    const { idempotencyKey, orStart } = resumeOptions(options);
    const messageId = this.#messageId(token, idempotencyKey);
    const passed = new PassedStreams(messageId, { runId: null, writables: true });
    const data = withOutlet(passed, () => encode(payload, "payload", signals));
    const resumed =
      orStart === undefined
        ? await this.#resume(token, messageId, data, signals)
        : await this.#resumeOrStart(token, messageId, data, orStart, signals);
    this.streams.serve(passed, resumed.runId, true);
    return resumed;
  }

  /** Sends a payload with a transaction of the caller's. */
  async joinedResume(token: string, payload: unknown, options: ResumeOptions): Promise<void> {
    refuseInWorkflow("resumeHook()");
    const signals = this.#signals();
    const { idempotencyKey, tx } = resumeOptions(options);
    const messageId = this.#messageId(token, idempotencyKey);
    const passed = new PassedStreams(messageId, { runId: null, writables: false });
    const data = withOutlet(passed, () => encode(payload, "payload", signals));
    refuseTied("resumeHook({ tx })", passed.any || signals?.any === true);
    await this.#awaited(async () => {
      await this.open();
      storable(data, "payload", largestValue(this.world));
      const at = this.#clock.now();
      const message: Message = { messageId, to: { name: hookName(token) }, type: "hook_received", at, data };
      await this.world.joining(tx).deliver([message], at);
    });
  }

  /** Takes a request to a webhook, and gives the response to it. */
  async resumeWebhook(token: string, request: Request, options: TakeOptions = {}): Promise<Response> {
    refuseInWorkflow("resumeWebhook()");
    return await this.#awaited(async () => {
      await this.open();
      return await takeRequest(token, request, options, {
        world: this.world,
        clock: this.#clock,
        verifiers: this.#verifiers,
        messageId: (key) => this.#messageId(token, key),
        deliver: async (messageId, payload) => {
          const signals = this.#signals();
          await this.#resume(token, messageId, encode(payload, "request", signals), signals);
        },
      });
    });
  }

  #messageId(token: string, key: string | undefined): string {
    return key === undefined ? `msg_${this.#ids.token()}` : keyedMessageId(token, key);
  }

  async #resume(
    token: string,
    messageId: string,
    data: Uint8Array | null,
    signals: OutsideSignals | undefined,
  ): Promise<ResumedHook> {
    const result = await this.#send({ name: hookName(token) }, messageId, "hook_received", data, "payload");
    if (result.outcome !== "delivered" || result.id === null) throw new HookNotFoundError(token);
    signals?.sentTo(result.runId, this.#signalTerms);
    return { token, hookId: result.id, runId: result.runId };
  }

  async #resumeOrStart(
    token: string,
    messageId: string,
    payload: Uint8Array | null,
    [fn, args = [], options = {}]: OrStartRequest,
    signals: OutsideSignals | undefined,
  ): Promise<ResumedHook> {
    for (const name of ["hook", "onConflict", "world", "tx"]) {
      if (name in options) {
        throw new TypeError(
          `resumeHook({ orStart }): a start has no option ${name} there: the run has the hook, and it is one run.`,
        );
      }
    }
    const { keyAt, onConflict: _, ...asked } = startRequest(fn, args, options, signals);
    checkKey(token, "token");
    const { runId, hookId } = await this.#awaited(async () => {
      await this.open();
      const now = this.#clock.now();
      const start: NewRun = { ...asked, runId: this.#ids.runId(now), key: keyAt(now), hookToken: token };
      const data = encode({ payload, start } satisfies OrStart, "payload");
      storable(data, "payload", largestValue(this.world));
      const store = { createRun: this.#create, deliver: this.#deliver, now: () => this.#clock.now() };
      return await resumeOrStart({ messageId, token, data, start }, store);
    });
    signals?.sentTo(runId, this.#signalTerms);
    return { token, hookId, runId };
  }

  async getHookByToken(token: string): Promise<HookInfo> {
    const [hook] = await this.ask("getHookByToken()", (world) =>
      world.getNames([hookName(token)], this.#clock.now()),
    );
    if (hook === undefined || hook === null) throw new HookNotFoundError(token);
    return {
      token,
      hookId: hook.id,
      runId: hook.runId,
      createdAt: new Date(hook.createdAt),
      metadata: isWebhookId(hook.id) ? webhookFacts(hook.data).metadata : decode(hook.data),
    };
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
    const { outcome } = await this.#send({ runId }, `msg_${this.#ids.token()}`, type, data, "reason");
    if (outcome === "delivered" || outcome === "finished") return outcome;
    throw new WorkflowRunNotFoundError(runId);
  }

  async #send(
    to: Message["to"],
    messageId: string,
    type: Message["type"],
    data: Uint8Array | null,
    where: string,
  ): Promise<DeliverResult> {
    return await this.#awaited(async () => {
      await this.open();
      storable(data, where, largestValue(this.world));
      return await this.#deliver({ messageId, to, type, at: this.#clock.now(), data });
    });
  }
}

function bytesOf(...parts: readonly { readonly data: Uint8Array | null }[]): number {
  return parts.reduce((sum, { data }) => sum + sizeInBatch(data), 0);
}
