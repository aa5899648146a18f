import { systemNow } from "../clock.ts";
import { currentContext } from "../context.ts";
import { type WorkerInfo, workersOf } from "../engine/upkeep/sign-of-life.ts";
import { checkOptionNames } from "../option-names.ts";
import { whenRead } from "../serialization/index.ts";
import { startInStep } from "../step-runs.ts";
import { startInWorkflow } from "../workflow-runs.ts";
import {
  type HookInfo,
  type OrStartRequest,
  type ResumedHook,
  type ResumeOptions,
  takenResumeOptions,
} from "./hooks.ts";
import {
  type ListRunsOptions,
  listQuery,
  listRunsOf,
  type RunList,
  type RunSelection,
  selectionFilter,
} from "./listing.ts";
import { type ListLocksOptions, type LockInfo, locksOf, locksQuery } from "./locks-listing.ts";
import {
  type HookList,
  hooksOf,
  type ListNamesOptions,
  namesQuery,
  type StartKeyList,
  startKeysOf,
} from "./names-listing.ts";
import { Run } from "./run.ts";
import { clientHere, clientOf, runsHere } from "./runtime.ts";
import {
  type StartOptions,
  takenOptions,
  type WorkflowFunction,
  type WorkflowReference,
} from "./start-request.ts";
import { RESUME_WEBHOOK_OPTIONS, type ResumeWebhookOptions } from "./webhooks.ts";

/**
 * `perdure/api`: starting runs and acting on them from outside. The names are those of `workflow/api`; where ours is another one, its
 * name for the type is beside it.
 */

export type { StopSleepResult } from "../engine/system-steps/wake-up.ts";
export type { WorkerInfo } from "../engine/upkeep/sign-of-life.ts";
export type { ForkOptions, RetryOptions } from "../interpreter/fork.ts";
export type { RunState } from "../interpreter/kinds/state.ts";
export type {
  GetChunksOptions,
  StreamChunk,
  StreamChunkPage,
  WorkflowReadableStream,
} from "../streams/readable.ts";
export type { CancelOptions, CancelOptions as CancelRunOptions } from "./cancel-options.ts";
export { EncryptedValue } from "./encrypted-value.ts";
export type { RunEvent, RunEvent as Event, RunEventsOptions } from "./journal.ts";
export {
  type RunCompletedHookParams,
  type RunFailedHookParams,
  registerLifecycleHooks,
  type WorkflowLifecycleHooks,
} from "./lifecycle-hooks.ts";
export type { ListRunsOptions, RunInfo, RunInfo as WorkflowRun, RunList, RunSelection } from "./listing.ts";
export type { ListLocksOptions, LockHolder, LockInfo } from "./locks-listing.ts";
export type { HookList, ListNamesOptions, StartKeyInfo, StartKeyList } from "./names-listing.ts";
export type { StopSleepOptions } from "./sleeps.ts";
export type { StateOptions } from "./state.ts";
export type {
  RunChunksOptions,
  WorkflowReadableStreamOptions,
  WorkflowWritableStreamOptions,
  WorkflowWritableStreamOptions as WorkflowRunWritableStreamOptions,
} from "./stream-options.ts";
export type { ResultOptions } from "./waiting.ts";
export {
  type HookInfo,
  type HookInfo as Hook,
  type OrStartRequest,
  type ResumedHook,
  type ResumeOptions,
  type ResumeWebhookOptions,
  Run,
  type StartOptions,
  type WorkflowFunction,
  type WorkflowReference,
};

/**
 * Starts a run of a workflow. Resolves when the run is durable; it executes in this process if a worker is here, else in
 * another one. In a workflow it starts a child: once, however often the workflow is replayed. In a step it starts one too, in the
 * run's own World; without a key, another attempt of the step gets the same run.
 *
 * @param workflow a function marked `"use workflow"` or made with `workflow(id, fn)`, or `{ workflowId }`
 * @param args its arguments; they cross the journal by value, as they are at the call
 * @throws {SerializationError} for an argument that cannot be stored, with its path
 * @throws {WorldError} if the store does not answer for some seconds; whether the run exists is then not known, and the
 *   message says how to find out
 * @throws {IdempotencyMismatchError} if the key started a run with other arguments
 * @throws {IdempotencyConflictError} if the key has a run and `onConflict` is `"reject"`
 * @example
 * ```ts
 * const run = await start(chargeCustomer, ["cus_1", 4200], { idempotencyKey: "invoice_17" });
 * console.log(await run.returnValue);
 * ```
 */
export function start<Args extends unknown[], Result>(
  workflow: WorkflowFunction<Args, Result> | WorkflowReference,
  args: Args,
  options?: StartOptions,
): Promise<Run<Result>>;
export function start<Result>(
  workflow: WorkflowFunction<[], Result> | WorkflowReference,
  options?: StartOptions,
): Promise<Run<Result>>;
export async function start(
  workflow: unknown,
  argsOrOptions: unknown[] | StartOptions = [],
  options?: StartOptions,
): Promise<Run> {
  const isOptions = typeof argsOrOptions === "object" && !Array.isArray(argsOrOptions);
  const args = isOptions ? [] : (argsOrOptions as unknown[]);
  const given = takenOptions((isOptions ? argsOrOptions : options) ?? {});
  const context = currentContext();
  if (context?.kind === "workflow") {
    return await whenRead(() => startInWorkflow(context.execution, workflow, args, given));
  }
  if (context?.kind === "step") return await whenRead(() => startInStep(context, workflow, args, given));
  const { world } = given;
  const client = world === undefined ? clientHere("start()") : clientOf(world);
  return await whenRead(() => client.start(workflow, args, given));
}

/**
 * A handle of the run with this id. Reads nothing: `await run.exists` tells whether there is one. In a workflow, what its
 * properties give is recorded, and the same in every replay; waiting for `returnValue` takes no slot and no lease.
 */
export function getRun<T = unknown>(runId: string): Run<T> {
  return new Run<T>(runsHere(), runId);
}

/**
 * Sends a payload to a live hook. Resolves when it is durable; the run gets it also if it does not wait yet. With `tx` it resolves
 * with nothing: where the payload goes is known after the commit only.
 *
 * @throws {HookNotFoundError} if no live hook has the token; never with `tx`
 * @throws {SerializationError} for a payload that cannot be stored
 */
export function resumeHook<T = unknown>(
  tokenOrHook: string | { readonly token: string },
  payload: T,
  options: ResumeOptions & { readonly tx: NonNullable<unknown> },
): Promise<undefined>;
export function resumeHook<T = unknown>(
  tokenOrHook: string | { readonly token: string },
  payload?: T,
  options?: Omit<ResumeOptions, "tx">,
): Promise<ResumedHook>;
export async function resumeHook<T = unknown>(
  tokenOrHook: string | { readonly token: string },
  payload?: T,
  options?: ResumeOptions,
): Promise<ResumedHook | undefined> {
  const client = clientHere("resumeHook()");
  const token = typeof tokenOrHook === "string" ? tokenOrHook : tokenOrHook.token;
  const given = takenResumeOptions(options);
  if (given.tx === undefined) return await whenRead(() => client.resumeHook(token, payload, given));
  await whenRead(() => client.joinedResume(token, payload, given));
  return undefined;
}

/**
 * Takes an HTTP request to a webhook and gives the response to it, for a server with routes of its own; `webhookHandler()` of
 * `perdure/http` calls it. 202, or what the webhook was created with, or what the workflow answers; 405, 413, 401 and 504 as
 * `docs/webhooks.md` says.
 *
 * @throws {HookNotFoundError} if no live webhook has the token; a plain hook is none
 * @throws {WorkflowNotRegisteredError} if the webhook has a `verify` and this process does not have the workflow's code
 * @example
 * ```ts
 * const answer = await resumeWebhook(token, request);
 * ```
 */
export async function resumeWebhook(
  token: string,
  request: Request,
  options: ResumeWebhookOptions = {},
): Promise<Response> {
  checkOptionNames<ResumeWebhookOptions>("resumeWebhook()", options, RESUME_WEBHOOK_OPTIONS);
  const { world, ...terms } = options;
  const client = world === undefined ? clientHere("resumeWebhook()") : clientOf(world);
  return await client.resumeWebhook(token, request, terms);
}

/**
 * Looks up a live hook.
 *
 * @throws {HookNotFoundError} if no live hook has the token
 */
export async function getHookByToken(token: string): Promise<HookInfo> {
  return clientHere("getHookByToken()").getHookByToken(token);
}

/**
 * One page of the runs that fit, the newest first, without their arguments, results and errors. Runs that are created or change
 * meanwhile neither repeat nor hide others; a page may be shorter than `limit` and not the last. Not in a workflow: call it in a step.
 *
 * @throws {TypeError} for an option that cannot be meant
 * @example
 * ```ts
 * let cursor: string | null = null;
 * do {
 *   const page = await listRuns({ workflow: chargeCustomer, statuses: ["failed"], cursor });
 *   for (const { runId, createdAt } of page.runs) console.log(runId, createdAt);
 *   cursor = page.cursor;
 * } while (cursor !== null);
 * ```
 */
export async function listRuns(options: ListRunsOptions = {}): Promise<RunList> {
  const query = listQuery(options);
  return await clientHere("listRuns()").ask("listRuns()", (world) => listRunsOf(world, query));
}

/**
 * How many runs fit. One moment only while nobody writes. Not in a workflow: call it in a step.
 *
 * @throws {TypeError} for an option that cannot be meant
 */
export async function countRuns(selection: RunSelection = {}): Promise<number> {
  const filter = selectionFilter(selection, "countRuns");
  return await clientHere("countRuns()").ask("countRuns()", (world) => world.countRuns(filter));
}

/**
 * The workers that execute runs of this World, in whatever process: each writes a sign of life every ten seconds, and is gone from the
 * list half a minute after the last one. Not in a workflow: call it in a step.
 *
 * @example
 * ```ts
 * for (const { workerId, host, health } of await listWorkers()) console.log(workerId, host, health.ok, health.heldRuns);
 * ```
 */
export async function listWorkers(): Promise<readonly WorkerInfo[]> {
  return await clientHere("listWorkers()").ask("listWorkers()", (world) => workersOf(world, systemNow()));
}

/**
 * One page of the live hooks, of all runs or of one, with their tokens: whoever sees them can resume the hooks. Not in a workflow: call it
 * in a step.
 *
 * @throws {TypeError} for an option that cannot be meant
 */
export async function listHooks(options: ListNamesOptions = {}): Promise<HookList> {
  const query = namesQuery(options, "listHooks");
  return await clientHere("listHooks()").ask("listHooks()", (world) => hooksOf(world, query, systemNow()));
}

/**
 * One page of the idempotency keys of starts that runs still have. Not in a workflow: call it in a step.
 *
 * @throws {TypeError} for an option that cannot be meant
 */
export async function listStartKeys(options: ListNamesOptions = {}): Promise<StartKeyList> {
  const query = namesQuery(options, "listStartKeys");
  return await clientHere("listStartKeys()").ask("listStartKeys()", (world) =>
    startKeysOf(world, query, systemNow()),
  );
}

/**
 * The locks that runs have, with their holders and how long their lines are. Not in a workflow: call it in a step.
 *
 * @throws {TypeError} for an option that cannot be meant
 */
export async function listLocks(options: ListLocksOptions = {}): Promise<readonly LockInfo[]> {
  const query = locksQuery(options);
  return await clientHere("listLocks()").ask("listLocks()", (world) => locksOf(world, query, systemNow()));
}
