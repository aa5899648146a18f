import { type AsyncFunction, checkNotReplaced, workflowIdOf } from "../define/registry.ts";
import { type Duration, durationFrom } from "../duration.ts";
import type { StartTerms } from "../engine/system-steps/start-run.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { checkAttributes, withChanges } from "../interpreter/kinds/attributes.ts";
import type { NewRun, StartKey } from "../interpreter/new-run.ts";
import { SINGLETON, singletonFor } from "../interpreter/singleton.ts";
import { checkOptionNames, type OptionNames } from "../option-names.ts";
import {
  asTaken,
  encode,
  fingerprint,
  type SignalHost,
  type StreamOutlet,
  withOutlet,
} from "../serialization/index.ts";
import type { World } from "../world/index.ts";

/** What `start` is asked for, read and encoded in the call. */

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
  /**
   * What a start does whose key has a run: `"return"` gives that run, `"reject"` throws an `IdempotencyConflictError`. `"replace"`
   * cancels that run if it has not ended, waits for its end, and starts a new one that has the key from then on; the arguments
   * may be others. Of several that replace at once each cancels the one before it, and the last one stays. Default `"return"`.
   */
  readonly onConflict?: "return" | "reject" | "replace";
  /**
   * What a start gets whose key has a run that failed: with `"reuse"` that run, with its error; with `"retry"` a run that goes on
   * from it, as `run.retry()` does: the step that failed is executed anew under its old `stepId`. One that was cancelled is given as
   * it is. Not beside `onConflict: "replace"`, which begins anew. Default `"reuse"`.
   */
  readonly failedRuns?: "reuse" | "retry";
  /**
   * For a run that a workflow starts: `"cancel"` cancels it when the one that started it ends, however it ends; `"leave"` never
   * does. Default: it is cancelled if the one that started it ends cancelled.
   */
  readonly onParentEnd?: "cancel" | "leave";
  /**
   * A hook that the run has from the first moment: whoever has the token may send to it before the workflow has begun. The
   * workflow's first `createHook` with this token is that hook.
   */
  readonly hook?: { readonly token: string };
  /**
   * What the run is searched by, name → text. At most 64, names and texts of at most 256 characters; names that begin with `$`
   * are perdure's own.
   */
  readonly attributes?: Readonly<Record<string, string>>;
  /**
   * A transaction of yours on the database that the World is in: the run is there when it commits, and never when it does not.
   * A client of `pg`, a Kysely `Transaction`, a `DatabaseSync` or a MongoDB `ClientSession`, as the World takes it, or what the
   * adapters of `perdure/transactions` make of those of other libraries. Not in a workflow.
   */
  readonly tx?: unknown;
  /** As in the Workflow SDK. A run is always executed by whichever worker has its workflow, so there is no other deployment to name. */
  readonly deploymentId?: "latest" | undefined;
  /** The World of the run. Default: that of the process; in a workflow or a step, which can name no other, its own. */
  readonly world?: World;
}

const START_OPTIONS: OptionNames<StartOptions> = {
  idempotencyKey: true,
  ttl: true,
  onConflict: true,
  failedRuns: true,
  onParentEnd: true,
  hook: true,
  attributes: true,
  tx: true,
  deploymentId: true,
  world: true,
};

/** Why a workflow or a step cannot start a run elsewhere. */
export const ONE_WORLD =
  "a run that a run starts is in the same World. Leave it out, or start it from a program that is told to.";

const ELSEWHERE = {
  specVersion: "Leave it out.",
  region: "Runs are where their World is: leave it out, or pass the World of that region as world.",
  allowReservedAttributes: "Attributes that begin with $ are perdure's own: choose other names.",
  experimental_retention: "A run is stored until it is deleted: call run.delete() when it has ended.",
};

/** The options as they are now, for a start that has to read bodies first. */
export function takenOptions(options: StartOptions): StartOptions {
  const { ttl, hook, attributes } = options;
  return {
    ...options,
    ...(ttl instanceof Date && { ttl: new Date(ttl) }),
    ...(isObject(hook) && { hook: { ...hook } }),
    ...(isObject(attributes) && { attributes: { ...attributes } }),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A workflow as `start` takes it. */
export type WorkflowFunction<Args extends unknown[], Result> = (...args: Args) => Promise<Result>;

/** A workflow by its id, for programs that do not import its function. */
export interface WorkflowReference {
  /** Such as `workflow//./src/charge//chargeCustomer`: the `workflowName` of its runs. */
  readonly workflowId: string;
}

/** A start, as it was asked for: a run without an id. */
export interface StartRequest extends Omit<NewRun, "runId" | "key"> {
  /** The key, for a start at this time. */
  readonly keyAt: (now: number) => StartKey | null;
  readonly terms: StartTerms;
}

/** Reads what was passed to `start`; `signals` as `encode` takes it, streams go to `outlet`. Throws for what cannot be meant. */
export function startRequest(
  fn: unknown,
  list: unknown,
  options: StartOptions,
  signals?: SignalHost,
  outlet: StreamOutlet | null = null,
): StartRequest {
  checkOptionNames("start()", options, START_OPTIONS, ELSEWHERE);
  if (options.deploymentId !== undefined && options.deploymentId !== "latest") {
    throw new TypeError(
      `start({ deploymentId }): a run is executed by whichever worker has its workflow: pass "latest" or leave it out, got ${JSON.stringify(options.deploymentId)}.`,
    );
  }
  const workflow = workflowOf(fn, "start()");
  if (!Array.isArray(list)) throw new TypeError(`args: must be an array, got ${typeof list}.`);
  const args = withOutlet(outlet, () => encode(list, "args", signals));
  const { idempotencyKey: key, onConflict = "return", failedRuns = "reuse", onParentEnd, hook } = options;
  checkChoice("onConflict", onConflict, ["return", "reject", "replace"]);
  checkChoice("failedRuns", failedRuns, ["reuse", "retry"]);
  if (onConflict === "replace" && failedRuns === "retry") {
    throw new TypeError(
      'start(): onConflict "replace" begins anew, and failedRuns "retry" goes on with what failed: leave one of them out.',
    );
  }
  if (onParentEnd !== undefined) checkChoice("onParentEnd", onParentEnd, ["cancel", "leave"]);
  checkKey(key, "idempotencyKey");
  if (hook !== undefined) checkOptionNames("start({ hook })", hook, { token: true });
  const hookToken = hook === undefined ? null : hook.token;
  if (hookToken !== null) checkKey(hookToken, "hook.token");
  const freeFrom = freeFromTtl(options.ttl, "start({ ttl })");
  const keyAt = key === undefined ? () => null : keyFrom(key, freeFrom, fingerprint(workflow, args));
  const changes = options.attributes === undefined ? {} : checkAttributes(options.attributes, "attributes");
  const singleton = singletonFor(workflow, asTaken(list));
  const attributes = {
    ...withChanges({}, changes, "attributes"),
    ...(singleton !== undefined && { [SINGLETON]: singleton.key }),
  };
  const terms: StartTerms = { onConflict, ...(failedRuns === "retry" && { failedRuns }) };
  return { workflow, args, attributes, hookToken, singleton, keyAt, terms };
}

/** When a key is free that is used at a time; `null`: when its run is deleted. */
export function freeFromTtl(ttl: Duration | undefined, what: string): (now: number) => number | null {
  return ttl === undefined ? () => null : durationFrom(ttl, what);
}

/** A key, by the time of the start. */
export function keyFrom(
  key: string,
  freeFrom: (now: number) => number | null,
  print: string,
): (now: number) => StartKey {
  return (now) => ({ key, fingerprint: print, freeAt: freeFrom(now) });
}

/** Refuses what is none of the choices. */
export function checkChoice(option: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const quoted = choices.map((choice) => JSON.stringify(choice));
  const listed = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  throw new TypeError(`${option}: must be ${listed}, got ${JSON.stringify(value)}.`);
}

/**
 * The id of a workflow that was passed to `what`.
 *
 * @throws {WorkflowRuntimeError} for a function that is none
 */
export function workflowOf(fn: unknown, what: string): string {
  checkNotReplaced(fn);
  const id = workflowIdOf(fn) ?? (fn as { workflowId?: unknown } | null)?.workflowId;
  if (typeof id === "string") return id;
  const name = typeof fn === "function" ? `the function "${(fn as AsyncFunction).name}"` : String(fn);
  throw new WorkflowRuntimeError(
    `${what} was given ${name}, which is not a workflow. Begin the function with "use workflow" and let the compiler see ` +
      "its file (node --import perdure/register), or make it one with workflow(id, fn).",
  );
}

/** Refuses what cannot be a key. */
export function checkKey(key: string | undefined, name: string): void {
  if (key !== undefined && (typeof key !== "string" || key === "" || key.length > 255)) {
    throw new TypeError(`${name}: must be a string of 1 to 255 characters, got ${String(key).slice(0, 80)}.`);
  }
}
