import { type Clock, keepProcessAlive, systemClock } from "../clock.ts";
import { currentContext } from "../context.ts";
import { type AsyncFunction, workflowIdOf } from "../define/registry.ts";
import type { Duration } from "../duration.ts";
import { parseDuration } from "../duration.ts";
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
import { decode, encode, fingerprint, largestValue, storable } from "../serialization/index.ts";
import type { CreateRun, CreateRunResult, DeliverResult, Message, RunRecord, World } from "../world/index.ts";
import { batcher } from "./batcher.ts";
import { Run } from "./run.ts";
import { RunWatcher } from "./run-watcher.ts";

/** What a program can do with the runs of one World without executing them. */

/** Options of `start`. */
export interface StartOptions {
  /**
   * At most one run of the workflow comes of all starts with this key, also after it has finished, until `ttl`. At most
   * 255 characters.
   */
  readonly idempotencyKey?: string;
  /** How long a finished run holds its key, from the start. Default: as long as the run is stored. */
  readonly ttl?: Duration;
  /** What a start gets whose key has a run: that run, or an `IdempotencyConflictError`. Default `"return"`. */
  readonly onConflict?: "return" | "reject";
}

/** A live hook, as those outside the workflow see it. */
export interface HookInfo {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
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

export interface ClientOptions {
  readonly world: World;
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

export class Client {
  readonly world: World;
  /** Workers of this process on this World: a new run may begin in one of them at once. */
  readonly workers: Set<EngineWorker> = new Set();
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #watcher: RunWatcher;
  readonly #create: (request: CreateRun) => Promise<CreateRunResult>;
  readonly #deliver: (message: Message) => Promise<DeliverResult>;
  #opening: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    this.world = options.world;
    this.#clock = options.clock ?? systemClock;
    this.#ids = options.ids ?? systemIds();
    this.#watcher = new RunWatcher(
      this.world,
      this.#clock,
      options.clock === undefined ? keepProcessAlive : () => () => {},
    );
    this.#create = batcher(this.#clock, (batch) => this.world.createRuns(batch, this.#clock.now()));
    this.#deliver = batcher(this.#clock, (batch) => this.world.deliver(batch, this.#clock.now()));
  }

  /** Opens the World once. */
  open(): Promise<void> {
    this.#opening ??= this.world.open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async start<T>(fn: unknown, args: unknown[], options: StartOptions = {}): Promise<Run<T>> {
    refuseInWorkflow("start()");
    const workflow = workflowOf(fn);
    if (!Array.isArray(args)) throw new TypeError(`args: must be an array, got ${typeof args}.`);
    const input = encode(args, "args");
    const { idempotencyKey, onConflict = "return" } = options;
    if (onConflict !== "return" && onConflict !== "reject") {
      throw new TypeError(`onConflict: must be "return" or "reject", got ${JSON.stringify(onConflict)}.`);
    }
    checkKey(idempotencyKey, "idempotencyKey");
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
          : {
              key: idempotencyKey,
              fingerprint: fingerprint(workflow, input),
              expiresAt: options.ttl === undefined ? null : parseDuration(options.ttl, now),
            },
      lease:
        worker === undefined ? null : { owner: worker.id, claimId: this.#ids.token(), ttl: worker.leaseTtl },
    };
    const leaseUntil = worker?.leaseEnd() ?? 0;
    const result = await this.#create(request);
    switch (result.outcome) {
      case "created":
        if (result.lease !== null && worker !== undefined) {
          worker.adopt(result.lease, workflow, request.event, leaseUntil);
        }
        return new Run<T>(this, request.runId);
      case "exists":
        if (onConflict === "reject") {
          throw new IdempotencyConflictError(workflow, idempotencyKey as string, result.run.runId);
        }
        return new Run<T>(this, result.run.runId);
      case "mismatch":
        throw new IdempotencyMismatchError(workflow, idempotencyKey as string, result.run.runId);
    }
  }

  getRun<T>(runId: string): Run<T> {
    return new Run<T>(this, runId);
  }

  async getRecord(runId: string): Promise<RunRecord | null> {
    refuseInWorkflow("A property of a run");
    await this.open();
    const [run] = await this.world.getRuns([runId]);
    return run ?? null;
  }

  /** The run's row once it is terminal. */
  async ended(runId: string): Promise<RunRecord> {
    refuseInWorkflow("run.returnValue");
    await this.open();
    return await this.#watcher.ended(runId);
  }

  async cancel(runId: string, reason: string | undefined): Promise<void> {
    refuseInWorkflow("run.cancel()");
    await this.#toRun(runId, "cancel_requested", encode(reason, "reason"));
  }

  async wake(runId: string): Promise<void> {
    refuseInWorkflow("run.retry()");
    await this.#toRun(runId, "wake", null);
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
    await this.open();
    storable(data, "payload", largestValue(this.world));
    const result = await this.#deliver({
      messageId:
        idempotencyKey === undefined ? `msg_${this.#ids.token()}` : keyedMessageId(token, idempotencyKey),
      to: { token },
      type: "hook_received",
      at: this.#clock.now(),
      data,
    });
    if (result.outcome !== "delivered" || result.hookId === null) throw new HookNotFoundError(token);
    return { token, hookId: result.hookId, runId: result.runId };
  }

  async getHookByToken(token: string): Promise<HookInfo> {
    refuseInWorkflow("getHookByToken()");
    await this.open();
    const hook = await this.world.getHookByToken(token);
    if (hook === null) throw new HookNotFoundError(token);
    return {
      token: hook.token,
      hookId: hook.hookId,
      runId: hook.runId,
      createdAt: new Date(hook.createdAt),
      metadata: decode(hook.data),
    };
  }

  async #toRun(runId: string, type: "cancel_requested" | "wake", data: Uint8Array | null): Promise<void> {
    await this.open();
    storable(data, "reason", largestValue(this.world));
    const result = await this.#deliver({
      messageId: `msg_${this.#ids.token()}`,
      to: { runId },
      type,
      at: this.#clock.now(),
      data,
    });
    if (result.outcome === "no_such_run") throw new WorkflowRunNotFoundError(runId);
  }
}

function workflowOf(fn: unknown): string {
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
