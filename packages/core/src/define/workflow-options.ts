import { checkOptionNames, checkPropertyNames, type OptionNames } from "../option-names.ts";
import { type AsyncFunction, workflowFunction } from "./registry.ts";

/** How many runs of a workflow there are at a time: options of `workflow(id, fn, options)`, or properties of the function. */

/** How many runs are executed at a time, by a key of their arguments. */
export interface Concurrency<Args extends unknown[] = never[]> {
  /** Runs that give the same key share the limit; at most 255 characters. Deterministic. Default: all runs of the workflow do. */
  readonly key?: (...args: Args) => string;
  /** How many of them are executed at a time. Default 1. */
  readonly limit?: number;
  /**
   * What a run does that is one too many, before its first line. `"queue"`: it waits for its turn, in the order of the starts.
   * `"skip"`: it ends at once, cancelled, with a reason that names the run in its way. `"cancel-oldest"`: the oldest is cancelled,
   * and the run begins when that one has ended. Default `"queue"`.
   */
  readonly onLimit?: "queue" | "skip" | "cancel-oldest";
}

/** One run at a time, by a key of the arguments: a start that is one too many makes no run. */
export interface Singleton<Args extends unknown[] = never[]> {
  /** Runs that give the same key exclude each other; at most 255 characters. Default: all runs of the workflow do. */
  readonly key?: (...args: Args) => string;
  /**
   * `"skip"`: a start gives the run that is there. `"cancel"`: it cancels that run, waits for its end, and makes a new one. Default
   * `"skip"`.
   */
  readonly mode?: "skip" | "cancel";
}

/** Options of a workflow, given to `workflow(id, fn, options)` or set as properties of the function. */
export interface WorkflowOptions<Args extends unknown[] = never[]> {
  concurrency?: Concurrency<Args>;
  singleton?: Singleton<Args>;
}

const WORKFLOW_OPTIONS: OptionNames<WorkflowOptions<unknown[]>> = { concurrency: true, singleton: true };
const CONCURRENCY: OptionNames<Concurrency<unknown[]>> = { key: true, limit: true, onLimit: true };
const SINGLETON: OptionNames<Singleton<unknown[]>> = { key: true, mode: true };

/** Those who have a lock stand in one record. */
export const MOST_HOLDERS = 1_000;

/** @throws {TypeError} for what cannot be a limit */
export function checkLimit(where: string, limit: unknown): void {
  if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > MOST_HOLDERS) {
    throw new TypeError(
      `${where}: limit must be a whole number from 1 to ${MOST_HOLDERS}, got ${String(limit)}.`,
    );
  }
}

/** Checks options where they are given. */
export function checkWorkflowOptions<Args extends unknown[]>(
  id: string,
  options: WorkflowOptions<Args>,
): void {
  checkOptionNames(`Workflow ${id}`, options, WORKFLOW_OPTIONS);
  checkValues(id, options);
}

/** The options of a workflow, as this process has them; they may be set at any time after its definition. */
export function workflowOptions(id: string): WorkflowOptions {
  const fn = workflowFunction(id) as (AsyncFunction & WorkflowOptions) | undefined;
  if (fn === undefined) return {};
  const { concurrency, singleton } = fn;
  if (!checked.has(fn)) {
    checkPropertyNames(`Workflow ${id}`, fn as WorkflowOptions, WORKFLOW_OPTIONS);
    checked.add(fn);
  }
  const options: WorkflowOptions = {
    ...(concurrency !== undefined && { concurrency }),
    ...(singleton !== undefined && { singleton }),
  };
  checkValues(id, options);
  return options;
}

const checked = new WeakSet<AsyncFunction>();

function checkValues<Args extends unknown[]>(
  id: string,
  { concurrency, singleton }: WorkflowOptions<Args>,
): void {
  if (concurrency !== undefined) {
    const where = `Workflow ${id}: concurrency`;
    checkOptionNames(where, concurrency, CONCURRENCY);
    checkKeyFunction(where, concurrency.key);
    if (concurrency.limit !== undefined) checkLimit(where, concurrency.limit);
    checkOneOf(`${where}.onLimit`, concurrency.onLimit, ["queue", "skip", "cancel-oldest"]);
  }
  if (singleton !== undefined) {
    const where = `Workflow ${id}: singleton`;
    checkOptionNames(where, singleton, SINGLETON);
    checkKeyFunction(where, singleton.key);
    checkOneOf(`${where}.mode`, singleton.mode, ["skip", "cancel"]);
  }
}

function checkKeyFunction(where: string, key: unknown): void {
  if (key !== undefined && typeof key !== "function") {
    throw new TypeError(
      `${where}.key must be a function of the arguments that gives a string, got ${typeof key}.`,
    );
  }
}

function checkOneOf(where: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || allowed.includes(value as string)) return;
  const list = allowed.map((each) => JSON.stringify(each)).join(", ");
  throw new TypeError(`${where} must be one of ${list}; got ${JSON.stringify(value)}.`);
}

/**
 * The key of a run.
 *
 * @throws {TypeError} if the function gives something else
 */
export function keyOfArgs(
  where: string,
  key: ((...args: never[]) => string) | undefined,
  args: readonly unknown[],
): string {
  if (key === undefined) return "";
  const given: unknown = key(...(args as never[]));
  if (typeof given !== "string" || given.length > 255) {
    const what = typeof given === "string" ? `one of ${given.length} characters` : typeof given;
    throw new TypeError(`${where}.key must give a string of at most 255 characters, got ${what}.`);
  }
  return given;
}
