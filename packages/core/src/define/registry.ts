import { WorkflowRuntimeError } from "../errors/index.ts";
import { processWide } from "../process-wide.ts";
import { isReload, type Origin, originOf } from "./origin.ts";

/** The steps and workflows of this process. Workers claim only runs of these workflows. */

// biome-ignore lint/suspicious/noExplicitAny: the parameter list of "any async function"; `unknown[]` would refuse typed ones.
export type AsyncFunction = (...args: any[]) => Promise<any>;

// biome-ignore lint/suspicious/noExplicitAny: as above.
export type AnyFunction = (...args: any[]) => unknown;

/** What a step function is known by, as a property of it. */
export interface StepReference {
  readonly id: string;
  /** It was made while a workflow or a step ran, and not when its module was loaded. */
  readonly inContext: boolean;
  /** The values of the variables around it that it uses, where the compiler knows them. */
  readonly captured: (() => Readonly<Record<string, unknown>>) | undefined;
}

/** Makes a step of its captured values and the options that were set on it. */
export type StepMaker = (read: () => Readonly<Record<string, unknown>>, options: object) => AsyncFunction;

/** What modules registered, by id. */
export interface Registry {
  readonly workflows: Map<string, AsyncFunction>;
  readonly steps: Map<string, AsyncFunction>;
  /** What stands for the steps where they are called. */
  readonly stepFunctions: Map<string, AsyncFunction>;
  /** How steps are made that stand in other functions. */
  readonly closures: Map<string, StepMaker>;
  /** Where the functions were registered. */
  origins: WeakMap<AsyncFunction, Origin>;
  /** Called when a workflow, or a step with the workflow that calls it, is registered, so that running workers look for its runs. */
  readonly listeners: Set<(workflow: string) => void>;
}

/** The registry of this process. */
export const registry: Registry = processWide("registry", () => ({
  workflows: new Map(),
  steps: new Map(),
  stepFunctions: new Map(),
  closures: new Map(),
  origins: new WeakMap(),
  listeners: new Set(),
}));

/** The key of a workflow's id, as a property of its function; the Workflow SDK's name. */
const WORKFLOW_ID = "workflowId";
/** The key of a step's id, as a property of what stands for it; the Workflow SDK's name. */
export const STEP_ID = "stepId";
/** The key of a step function's {@link StepReference}. */
export const STEP: symbol = Symbol.for("perdure.step");

/**
 * Registers a workflow. A module that is loaded again, as it was or edited, replaces its old code.
 *
 * @throws {WorkflowRuntimeError} if another function has the id
 */
export function registerWorkflow(id: string, fn: AsyncFunction, define: (...args: never[]) => unknown): void {
  const { workflows, listeners } = registry;
  register("workflow", workflows, id, fn, define);
  Object.defineProperty(fn, WORKFLOW_ID, { value: id, configurable: true });
  for (const listener of listeners) listener(id);
}

/** Registers a step, as {@link registerWorkflow} does a workflow. */
export function registerStep(id: string, fn: AsyncFunction, define: (...args: never[]) => unknown): void {
  register("step", registry.steps, id, fn, define);
}

function register(
  kind: "step" | "workflow",
  functions: Map<string, AsyncFunction>,
  id: string,
  fn: AsyncFunction,
  define: (...args: never[]) => unknown,
): void {
  const { origins } = registry;
  const holder = functions.get(id);
  const held = holder === undefined ? undefined : origins.get(holder);
  const origin = originOf(fn, define);
  if (holder !== fn && held !== undefined && held.text !== origin.text && !isReload(held, origin)) {
    throw taken(kind, id, held, origin);
  }
  functions.set(id, fn);
  origins.set(fn, origin);
}

/** What a step function is known by; `undefined` for other functions. */
export function stepReferenceOf(fn: unknown): StepReference | undefined {
  return typeof fn === "function"
    ? (fn as unknown as { [key: symbol]: StepReference | undefined })[STEP]
    : undefined;
}

/** The id of a step that a function without code of its own stands for, such as one of a program that has only the step's id. */
export function namedStepOf(fn: unknown): string | undefined {
  if (typeof fn !== "function" || !Object.hasOwn(fn, STEP_ID) || stepReferenceOf(fn) !== undefined)
    return undefined;
  const id: unknown = (fn as { [STEP_ID]?: unknown })[STEP_ID];
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** The id under which a function was registered, or `undefined` for a function that is no workflow. */
export function workflowIdOf(fn: unknown): string | undefined {
  return typeof fn === "function" ? (fn as { [WORKFLOW_ID]?: string })[WORKFLOW_ID] : undefined;
}

/** The function of a workflow id, if this process has it. */
export function workflowFunction(id: string): AsyncFunction | undefined {
  return registry.workflows.get(id);
}

/**
 * Refuses to start a function in whose place another one would be executed. Functions of equal text may share an id, as those
 * of a module that was loaded again do; those from two places may still be two functions.
 *
 * @throws {WorkflowRuntimeError} if another function, of another place, has taken its id
 */
export function checkNotReplaced(fn: unknown): void {
  const { workflows, origins } = registry;
  const id = workflowIdOf(fn);
  const holder = id === undefined ? undefined : workflows.get(id);
  if (id === undefined || holder === undefined || holder === fn) return;
  const own = origins.get(fn as AsyncFunction);
  const held = origins.get(holder);
  if (own !== undefined && held !== undefined && !isReload(own, held)) throw taken("workflow", id, own, held);
}

function taken(kind: "step" | "workflow", id: string, one: Origin, other: Origin): WorkflowRuntimeError {
  return new WorkflowRuntimeError(
    `Two functions have the ${kind} id "${id}":\n  - ${one.place}\n  - ${other.place}\n` +
      `Give one of them another id: runs find their code by it, so one would be executed in place of the other.`,
  );
}
