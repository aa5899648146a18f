import {
  acquireLock,
  continueAsNew,
  createHook,
  FatalError,
  getStepMetadata,
  getWorkflowMetadata,
  once,
  RetryableError,
  setAttributes,
  setState,
  shield,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import {
  DeadlockError,
  HookConflictError,
  LockTimeoutError,
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRunNotFoundError,
} from "@perdure/core/errors";
import { currentProcess, pause } from "@perdure/simulator/cluster";
import type { Plant } from "./config.ts";
import type { ChildNode, CollectNode, HookSpec, LockedNode, Node, StepKind, StepSpec } from "./program.ts";

/** The one workflow and the few steps that every simulated program is made of. */

/** What a body tells the simulation that executes it. */
export interface BodyObserver {
  started(runId: string, stepId: string, attempt: number, spec: StepSpec): void;
  /** Its signal was aborted by a cancel of the run. */
  cancelled(runId: string, stepId: string): void;
  /** The body of a step that is called at most once does what it is for. */
  happens(runId: string, stepId: string, attempt: number): void;
  /** Whether the other side knows of it. */
  asked(runId: string, stepId: string, attempt: number): boolean;
}

let observer: BodyObserver | null = null;

/** Sets who is told of step bodies. One simulation at a time. */
export function observeBodies(next: BodyObserver | null): void {
  observer = next;
}

/** The bug that is planted, where it is one of programs and not of the World. */
let plant: Plant | null = null;

export function plantInPrograms(next: Plant | null): void {
  plant = next;
}

/** Programs whose steps are mended, by the beginnings of their keys. */
const mended: Set<string> = new Set();

/** From now on, steps of this program do not fail any more that can be mended; `null`: all do again. */
export function mend(program: string | null): void {
  if (program === null) mended.clear();
  else mended.add(program);
}

/** Called in the workflow when a `finally` block begins and ends; `null` except during the last replay. */
let cleanups: ((key: string, phase: "entered" | "left") => void) | null = null;

export function observeCleanups(next: typeof cleanups): void {
  cleanups = next;
}

async function body(spec: StepSpec): Promise<string> {
  const { stepId, attempt, signal } = getStepMetadata();
  const process = currentProcess();
  if (process === undefined) throw new Error("a body runs in a process");
  const { workflowRunId } = getWorkflowMetadata();
  observer?.started(workflowRunId, stepId, attempt, spec);
  if (spec.ms > 0) await pause(process, spec.ms);
  if (signal.aborted && WorkflowRunCancelledError.is(signal.reason))
    observer?.cancelled(workflowRunId, stepId);
  if (spec.kind === "asked" || spec.kind === "blind") {
    observer?.happens(workflowRunId, stepId, attempt);
    if (spec.ms > 0) await pause(process, spec.ms);
  }
  if (attempt <= spec.failures) {
    if (spec.how === "hang") await aborted(signal);
    if (spec.how === "later") throw new RetryableError(`${spec.key} later`, { retryAfter: 700 });
    throw new Error(`${spec.key} failed`);
  }
  const isMended = spec.end === "mended" && mended.has(spec.key.split("/")[0] ?? "");
  if (spec.end === "fatal" || (spec.end === "mended" && !isMended))
    throw new FatalError(`${spec.key} is fatal`);
  return spec.key;
}

/** What the other side knows of a step. */
async function reconcile(stepId: string, args: StepSpec[]): Promise<string | undefined> {
  const process = currentProcess();
  const [spec] = args;
  if (process === undefined || spec === undefined) throw new Error("it is asked in a process");
  if (plant === "answer-unheard") return undefined;
  const { attempt } = getStepMetadata();
  const happened = observer?.asked(getWorkflowMetadata().workflowRunId, stepId, attempt) === true;
  if (spec.ms > 0) await pause(process, spec.ms);
  return happened ? spec.key : undefined;
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

const steps: Record<StepKind, (spec: StepSpec) => Promise<string>> = {
  patient: step("sim//patient", body, { maxRetries: 1000, backoff: { initial: 50, max: 1000 } }),
  default: step("sim//default", body),
  once: step("sim//once", body, { maxRetries: 0 }),
  timed: step("sim//timed", body, { timeout: 3000, maxRetries: 5, backoff: () => 100 }),
  asked: step("sim//asked", body, { semantics: "at-most-once", reconcile }),
  blind: step("sim//blind", body, { semantics: "at-most-once" }),
  shared: step("sim//shared", body, { maxRetries: 1000, backoff: { initial: 50, max: 1000 } }),
};

/** The attribute that programs set. */
export const ATTRIBUTE = "label";

const label = step(
  "sim//label",
  async (spec: StepSpec, value: string | null): Promise<string> => {
    const key = await body(spec);
    await setAttributes({ [ATTRIBUTE]: value ?? undefined });
    return key;
  },
  { maxRetries: 1000, backoff: { initial: 50, max: 1000 } },
);

/** The step that only the bad version has. */
export const UNPLANNED = "sim//unplanned";

const unplanned = step(UNPLANNED, async (): Promise<void> => {});

let badSince: number | null = null;

/** From now on, runs that began before `since` do not follow their journals when they are replayed; `null`: they do again. */
export function deployBadVersion(since: number | null): void {
  badSince = since;
}

/** What a program returns, and what its nodes give each other. */
export type Value = string | null | readonly Value[];

/** What every node of a run may need. */
interface Scope {
  /** The program's name. */
  readonly name: string;
  /** Promises that nobody awaits. */
  readonly floating: Promise<unknown>[];
  /** The runs of other programs, by their index. */
  readonly others: Readonly<Record<number, string>>;
}

async function execute(node: Node, scope: Scope): Promise<Value> {
  switch (node.type) {
    case "step":
      return await steps[node.step.kind](node.step);
    case "sequence": {
      const values: Value[] = [];
      for (const child of node.nodes) values.push(await execute(child, scope));
      return values;
    }
    case "parallel":
      return await parallel(
        node.how,
        node.nodes.map((child) => execute(child, scope)),
      );
    case "sleep":
      await sleep(node.ms);
      return null;
    case "locked":
      return await underLock(node, scope);
    case "limit":
      return await Promise.race([execute(node.node, scope), sleep(node.ms).then(() => "late")]);
    case "helper":
      return await helper(node.node, scope);
    case "try":
      try {
        return await execute(node.node, scope);
      } catch (error) {
        if (isOwnCancel(error)) throw error;
        return "caught";
      }
    case "finally":
      try {
        return await execute(node.node, scope);
      } finally {
        cleanups?.(node.key, "entered");
        await shielded(node.cleanup, node.rest);
        cleanups?.(node.key, "left");
      }
    case "hook":
      return await receive(node.hook);
    case "shared":
      return await exclusive(node, scope);
    case "once":
      return await once(node.step.key, steps.shared, node.step);
    case "child":
      return await child(node, scope);
    case "watch":
      return await watch(scope.others[node.program]);
    case "floating": {
      // Nobody awaits it: the run may end before it does, whatever becomes of it.
      const promise = execute(node.node, scope);
      promise.catch(() => {});
      scope.floating.push(promise);
      return "floating";
    }
    case "clock":
      return await clock();
    case "state":
      setState(node.value);
      return node.value;
    case "attribute":
      if (node.by !== "workflow") return await label(node.by, node.value);
      await setAttributes({ [ATTRIBUTE]: node.value ?? undefined });
      return node.value;
    case "shielded":
      return await shielded(node.step, node.rest);
    case "anew":
      await execute(node.node, scope);
      return await continueAsNew([scope.name, node.next, scope.others]);
    case "collect":
      return await collect(node, scope);
    case "branch":
      return await execute(Math.random() < 0.5 ? node.left : node.right, scope);
    case "loop": {
      let value: Value = null;
      for (let i = 0; i < node.times; i++) value = await execute(node.node, scope);
      return value;
    }
  }
}

async function shielded(spec: StepSpec, rest: number): Promise<string> {
  const work = async (): Promise<string> => {
    const value = await steps.patient(spec);
    if (rest > 0) await sleep(rest);
    return value;
  };
  return await (plant === "shield-with-a-hole" ? work() : shield(work));
}

async function collect(node: CollectNode, { name, others }: Scope): Promise<Value> {
  const { token, takes, quiet, heard } = node;
  const hook = createHook<string>({ token });
  if ((await hook.getConflict()) !== null) throw new Error("a run that was started with a hook has it");
  const got = [...heard];
  while (got.length < heard.length + takes) {
    const payload = await Promise.race([hook, sleep(quiet).then(() => null)]);
    if (payload === null) return got;
    got.push(payload);
  }
  return await continueAsNew([
    name,
    { ...node, heard: plant === "heard-forgotten" ? got.slice(1) : got },
    others,
  ]);
}

/** Time and randomness as the journal gives them. */
async function clock(): Promise<Value> {
  const before = Date.now();
  await sleep(7);
  const passed = Date.now() - before;
  return `${passed >= 7 ? "later" : "too early"} ${new Date().toISOString()} ${Math.random()} ${crypto.randomUUID()}`;
}

async function helper(node: Node, scope: Scope): Promise<Value> {
  await null;
  const value = await execute(node, scope);
  await null;
  return [value];
}

async function parallel(
  how: "all" | "allSettled" | "race" | "any",
  promises: Promise<Value>[],
): Promise<Value> {
  for (const promise of promises) promise.catch(() => {});
  switch (how) {
    case "all":
      return await Promise.all(promises);
    case "allSettled": {
      const results = await Promise.allSettled(promises);
      return results.map((result) => (result.status === "fulfilled" ? result.value : "rejected"));
    }
    case "race":
      return await Promise.race(promises);
    case "any":
      return await Promise.any(promises);
  }
}

async function receive({ token, takes, how, confirmed }: HookSpec): Promise<Value> {
  const hook = createHook<string>({ token, metadata: { takes } });
  if (confirmed !== null) {
    await hook.getConflict();
    await steps[confirmed.kind](confirmed);
  }
  const values: string[] = [];
  if (how === "iterate") {
    for await (const value of hook) {
      values.push(value);
      if (values.length === takes) break;
    }
  } else {
    while (values.length < takes) values.push(await hook);
  }
  if (how === "dispose") hook.dispose();
  return values;
}

async function exclusive(node: Node & { readonly type: "shared" }, scope: Scope): Promise<Value> {
  const hook = createHook<string>({ token: node.token });
  try {
    const conflict = await hook.getConflict();
    if (conflict !== null) {
      try {
        await hook;
      } catch (error) {
        if (HookConflictError.is(error)) return "conflict";
        throw error;
      }
    }
    const value = await execute(node.node, scope);
    if (node.takes !== null) await Promise.race([hook, sleep(node.takes)]);
    return value;
  } finally {
    if (!node.kept) hook.dispose();
  }
}

async function child({ name, root, how, ms, onParentEnd, key }: ChildNode, scope: Scope): Promise<Value> {
  // Whoever wants the same run asks with the same arguments.
  const others = key === null ? scope.others : {};
  const started = start(simulated, [name, root, others], {
    ...(onParentEnd !== null && { onParentEnd }),
    ...(key !== null && { idempotencyKey: key }),
  });
  if (how === "forget") {
    started.catch(() => {});
    return "started";
  }
  const run = await started;
  if (how === "start") return "started";
  if (how === "cancel") {
    await sleep(ms);
    await run.cancel({ reason: "simulated" });
  }
  try {
    return await run.returnValue;
  } catch (error) {
    if (WorkflowRunCancelledError.is(error) && !isOwnCancel(error)) return "child cancelled";
    throw error;
  }
}

/** Waits for a run of another program, from two places. */
async function watch(runId: string | undefined): Promise<Value> {
  const run = getRun<Value>(runId ?? "wrun_nobody");
  try {
    const [value, again] = await Promise.all([run.returnValue, run.returnValue]);
    if (JSON.stringify(value) !== JSON.stringify(again))
      throw new Error("two watchers were told two results");
    return "watched completed";
  } catch (error) {
    if (isOwnCancel(error)) throw error;
    if (WorkflowRunNotFoundError.is(error)) return "nobody";
    if (WorkflowRunCancelledError.is(error)) return "watched cancelled";
    if (WorkflowRunFailedError.is(error)) return "watched failed";
    throw error;
  }
}

/** The run itself is cancelled, and not one that it awaits. */
function isOwnCancel(error: unknown): boolean {
  return WorkflowRunCancelledError.is(error) && error.runId === getWorkflowMetadata().workflowRunId;
}

/** What a simulated run is started with. */
export type Arguments = [name: string, root: Node, others: Readonly<Record<number, string>>];

export const simulated: (...args: Arguments) => Promise<Value> = workflow(
  "sim//program",
  async (...[name, root, others]: Arguments): Promise<Value> => {
    const { workflowStartedAt } = getWorkflowMetadata();
    if (badSince !== null && workflowStartedAt.getTime() < badSince) await unplanned();
    return await execute(root, { name, floating: [], others });
  },
);

/** One that no worker of the cluster executes. */
export const abandoned: () => Promise<void> = workflow("sim//abandoned", async (): Promise<void> => {});

async function underLock({ key, limit, timeout, releases, node }: LockedNode, scope: Scope): Promise<Value> {
  let lock: Awaited<ReturnType<typeof acquireLock>>;
  try {
    lock = await acquireLock(key, { limit, ...(timeout !== null && { timeout }) });
  } catch (error) {
    if (LockTimeoutError.is(error)) return "locked out";
    if (DeadlockError.is(error)) return "deadlock";
    throw error;
  }
  try {
    return await execute(node, scope);
  } finally {
    if (releases) await lock.release();
  }
}
