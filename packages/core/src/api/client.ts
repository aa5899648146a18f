import { type Clock, keptAlive, systemClock } from "../clock.ts";
import { currentContext } from "../context.ts";
import { type AsyncFunction, checkNotReplaced, workflowIdOf } from "../define/registry.ts";
import { type Duration, durationFrom } from "../duration.ts";
import type { RunEnding } from "../engine/completions.ts";
import type { EngineWorker } from "../engine/worker.ts";
import {
  HookNotFoundError,
  IdempotencyConflictError,
  IdempotencyMismatchError,
  NonDeterminismError,
  WorkflowRunNotFoundError,
  WorkflowRuntimeError,
} from "../errors/index.ts";
import { type IdSource, keyedMessageId, systemIds } from "../ids.ts";
import { type LoggerChoice, resolveLogger } from "../logger-choice.ts";
import { decode, encode, fingerprint, largestBatch, largestValue, storable } from "../serialization/index.ts";
import {
  type CreateRun,
  type CreateRunResult,
  type DeliverResult,
  EVENT_OVERHEAD,
  type Message,
  type RunRecord,
  type World,
} from "../world/index.ts";
import { batcher } from "./batcher.ts";
import { withinOneTurn } from "./one-delivery.ts";
import { Run, type RunAccess } from "./run.ts";
import { RunWatcher } from "./run-watcher.ts";
import { unansweredMessage, unansweredStart } from "./unanswered.ts";
import { UnattendedRuns } from "./unattended-runs.ts";

/**
 * What a program can do with the runs of one World without executing them.
 *
 * Values and options are taken as they are when a method is called: they are read and encoded before anything is awaited.
 * What a method's caller awaits keeps the process alive.
 */

/** Options of `start`. */
export interface StartOptions {
  /**
   * At most one run of the workflow comes of all starts with this key, also after it has finished, until `ttl`. At most
   * 255 characters.
   *
   * The key goes with its arguments: the same key with others is an `IdempotencyMismatchError`. A message that a queue
   * delivers again has often been through JSON once more, so what JSON changes without changing what is meant is the same:
   * the order of properties; a property or a last argument that is `undefined` or missing; `undefined` or `null` inside an
   * array or before another argument; `-0` and `0`; a `Date` or a `URL` and its text; one object in two places and two equal
   * ones. Different are: `null` and a missing property or last argument, another order of an array, `Map` or `Set`, and
   * all that JSON cannot tell: bigint, `NaN`, bytes, instances of classes.
   */
  readonly idempotencyKey?: string;
  /** How long a finished run holds its key, from the start. Default: as long as the run is stored. */
  readonly ttl?: Duration;
  /** What a start gets whose key has a run: that run, or an `IdempotencyConflictError`. Default `"return"`. */
  readonly onConflict?: "return" | "reject";
}

/** A live hook, as those outside the workflow see it. */
export interface HookInfo {
  /** What `resumeHook` takes. Whoever knows it can resume the hook. */
  readonly token: string;
  readonly hookId: string;
  /** The run that created it. */
  readonly runId: string;
  /** When the run asked for it. */
  readonly createdAt: Date;
  /** What the workflow gave as `metadata`. */
  readonly metadata: unknown;
}

/** Where a payload went. */
export interface ResumedHook {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
}

/** Options of `resumeHook`. */
export interface ResumeOptions {
  /**
   * The same key again for this token delivers nothing more and answers as before, also after the run has ended. At most
   * 255 characters. Default: every call is a payload of its own.
   */
  readonly idempotencyKey?: string;
}

/** A workflow as `start` takes it. */
export type WorkflowFunction<Args extends unknown[], Result> = (...args: Args) => Promise<Result>;

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
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #watcher: RunWatcher;
  readonly #create: (request: CreateRun) => Promise<CreateRunResult>;
  readonly #deliver: (message: Message) => Promise<DeliverResult>;
  readonly #unattended: UnattendedRuns;
  readonly #prepare: (() => Promise<void>) | undefined;
  /** Does what a caller awaits. Under a test's clock the process is the test's. */
  readonly #awaited: <T>(work: () => Promise<T>) => Promise<T>;
  #opening: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    const { world, clock = systemClock } = options;
    this.world = world;
    this.#clock = clock;
    this.#ids = options.ids ?? systemIds();
    this.#prepare = options.prepare;
    this.#awaited = options.clock === undefined ? keptAlive : (work) => work();
    this.#watcher = new RunWatcher(world, clock, (runId) =>
      [...this.workers].some((worker) => worker.holds(runId)),
    );
    this.#unattended = new UnattendedRuns({
      world,
      clock,
      logger: resolveLogger(options.logger),
      workers: this.workers,
    });
    const largest = (): number => largestBatch(world);
    this.#create = batcher({
      clock,
      send: (batch) => world.createRuns(batch, clock.now()),
      size: ({ event }) => bytesOf(event),
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
    const workflow = workflowOf(fn);
    if (!Array.isArray(args)) throw new TypeError(`args: must be an array, got ${typeof args}.`);
    const input = encode(args, "args");
    const { idempotencyKey, ttl, onConflict = "return" } = options;
    if (onConflict !== "return" && onConflict !== "reject") {
      throw new TypeError(`onConflict: must be "return" or "reject", got ${JSON.stringify(onConflict)}.`);
    }
    checkKey(idempotencyKey, "idempotencyKey");
    const freeFrom = ttl === undefined ? () => null : durationFrom(ttl);
    const print = idempotencyKey === undefined ? "" : fingerprint(workflow, input);
    const result = await this.#awaited(async () => {
      await this.open();
      storable(input, "args", largestValue(this.world));
      const now = this.#clock.now();
      const worker = [...this.workers].find((candidate) => candidate.accepts(workflow));
      const request: CreateRun = {
        runId: this.#ids.runId(now),
        workflow,
        event: { type: "run_created", at: now, id: null, name: workflow, data: input },
        dueAt: now,
        startKey:
          idempotencyKey === undefined
            ? null
            : { key: idempotencyKey, fingerprint: print, expiresAt: freeFrom(now) },
        lease:
          worker === undefined
            ? null
            : { owner: worker.id, claimId: this.#ids.token(), ttl: worker.leaseTtl },
      };
      const leaseUntil = worker?.leaseEnd() ?? 0;
      const release = worker?.reserve();
      try {
        const created = await this.#create(request);
        if (created.outcome !== "created") return { ...created, runId: created.run.runId };
        if (created.lease !== null) worker?.adopt(created.lease, workflow, request.event, leaseUntil);
        return { outcome: created.outcome, runId: request.runId };
      } finally {
        release?.();
      }
    });
    if (result.outcome === "mismatch") {
      throw new IdempotencyMismatchError(workflow, idempotencyKey as string, result.runId);
    }
    if (result.outcome === "exists" && onConflict === "reject") {
      throw new IdempotencyConflictError(workflow, idempotencyKey as string, result.runId);
    }
    return new Run<T>(this, result.runId);
  }

  getRun<T>(runId: string): Run<T> {
    return new Run<T>(this, runId);
  }

  async getRecord(runId: string): Promise<RunRecord | null> {
    refuseInWorkflow("A property of a run");
    return await this.#awaited(async () => {
      await this.open();
      const [run] = await this.world.getRuns([runId]);
      return run ?? null;
    });
  }

  /** How the run ended, once it has. */
  async ended(runId: string): Promise<RunEnding> {
    refuseInWorkflow("run.returnValue");
    return await this.#awaited(async () => {
      await this.open();
      const ending = this.#watcher.ended(runId);
      const stop = this.#unattended.watch(runId);
      return await ending.finally(stop);
    });
  }

  async cancel(runId: string, reason: string | undefined): Promise<void> {
    refuseInWorkflow("run.cancel()");
    await this.#toRun(runId, "cancel_requested", encode(reason, "reason"));
  }

  /** Has a diverged run tried again now. */
  async retry(runId: string): Promise<void> {
    refuseInWorkflow("run.retry()");
    const outcome = await this.#toRun(runId, "wake", null);
    if (outcome === "finished") {
      const run = await this.getRecord(runId);
      throw new WorkflowRuntimeError(
        `Workflow run "${runId}" has ended (${run?.status ?? "and was deleted"}), so there is nothing to retry: retry() is ` +
          "for diverged runs. To do its work again, start() a new run, with another idempotencyKey if it had one.",
      );
    }
  }

  async resumeHook(
    tokenOrHook: string | { readonly token: string },
    payload: unknown,
    options: ResumeOptions = {},
  ): Promise<ResumedHook> {
    refuseInWorkflow("resumeHook()");
    const token = typeof tokenOrHook === "string" ? tokenOrHook : tokenOrHook.token;
    const data = encode(payload, "payload");
    const { idempotencyKey } = options;
    checkKey(idempotencyKey, "idempotencyKey");
    const messageId =
      idempotencyKey === undefined ? `msg_${this.#ids.token()}` : keyedMessageId(token, idempotencyKey);
    const result = await this.#send({ token }, messageId, "hook_received", data, "payload");
    if (result.outcome !== "delivered" || result.hookId === null) throw new HookNotFoundError(token);
    return { token, hookId: result.hookId, runId: result.runId };
  }

  async getHookByToken(token: string): Promise<HookInfo> {
    refuseInWorkflow("getHookByToken()");
    const hook = await this.#awaited(async () => {
      await this.open();
      return await this.world.getHookByToken(token);
    });
    if (hook === null) throw new HookNotFoundError(token);
    return {
      token: hook.token,
      hookId: hook.hookId,
      runId: hook.runId,
      createdAt: new Date(hook.createdAt),
      metadata: decode(hook.data),
    };
  }

  async #toRun(
    runId: string,
    type: "cancel_requested" | "wake",
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

function bytesOf({ data }: { readonly data: Uint8Array | null }): number {
  return EVENT_OVERHEAD + (data?.byteLength ?? 0);
}

function workflowOf(fn: unknown): string {
  checkNotReplaced(fn);
  const id = workflowIdOf(fn) ?? (fn as { workflowId?: unknown } | null)?.workflowId;
  if (typeof id === "string") return id;
  const name = typeof fn === "function" ? `the function "${(fn as AsyncFunction).name}"` : String(fn);
  throw new WorkflowRuntimeError(
    `start() was given ${name}, which is not a workflow. Begin the function with "use workflow" and let the compiler see ` +
      "its file (node --import perdure/register), or make it one with workflow(id, fn).",
  );
}

function checkKey(key: string | undefined, name: string): void {
  if (key !== undefined && (typeof key !== "string" || key === "" || key.length > 255)) {
    throw new TypeError(`${name}: must be a string of 1 to 255 characters, got ${String(key).slice(0, 80)}.`);
  }
}

/** These act outside the run, so a replay would do them again: they belong in a step. */
function refuseInWorkflow(what: string): void {
  const context = currentContext();
  if (context?.kind === "workflow") {
    throw new NonDeterminismError(what, context.execution.describe, "Call it in a step.");
  }
}
