import type { Run } from "../api/run.ts";
import { systemElapsed, systemSetTimeout } from "../clock.ts";
import { stepReferenceOf } from "../define/registry.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { openIn } from "../interpreter/kinds/index.ts";
import { isSleep } from "../interpreter/kinds/wait.ts";
import { checkOptionNames, type OptionNames } from "../option-names.ts";

/**
 * For tests: waits until a run waits for something. They look into the journal every few milliseconds of real time, so they work
 * under a virtual clock as well, whose time they do not move. The names are those of the Workflow SDK's test package.
 */

/** Options of {@link waitForSleep}. */
export interface WaitOptions {
  /** How long to wait at most, in milliseconds of real time. Default 30 000. */
  readonly timeout?: number;
  /** How long to wait between two looks, in milliseconds of real time. Default 10. */
  readonly pollInterval?: number;
}

/** Options of {@link waitForHook}. */
export interface WaitForHookOptions extends WaitOptions {
  /** Only the hook with this token. Default: the first one. */
  readonly token?: string;
}

/** A hook that waits for a payload. */
export interface PendingHook {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
}

/** Options of {@link waitForStep}. */
export interface WaitForStepOptions extends WaitOptions {
  /** Only this step: its function or its id. Default: whichever comes. */
  // biome-ignore lint/suspicious/noExplicitAny: any step function.
  readonly step?: string | ((...args: any[]) => unknown);
  /** `created`: the run waits for it. `completed`, `failed`: it has ended so. Default `created`. */
  readonly state?: "created" | "completed" | "failed";
}

/** A step of a run. */
export interface FoundStep {
  readonly stepId: string;
  /** The id of its function. */
  readonly stepName: string;
}

const WAIT_OPTIONS: OptionNames<WaitOptions> = { timeout: true, pollInterval: true };

/**
 * Waits until the run sleeps.
 *
 * @returns the id of its first sleep that is not over, which `run.wakeUp({ correlationIds: [id] })` takes
 * @throws {WorkflowRuntimeError} if the run ends, or the time is over, before it sleeps
 * @example
 * ```ts
 * const sleepId = await waitForSleep(run);
 * await run.wakeUp({ correlationIds: [sleepId] });
 * ```
 */
export async function waitForSleep(run: Run, options: WaitOptions = {}): Promise<string> {
  checkOptionNames("waitForSleep()", options, WAIT_OPTIONS);
  return await waitFor(run, "a sleep", options, (events) => {
    const [sleep] = [...openIn(events, "wait").values()].filter(isSleep);
    return sleep?.id ?? undefined;
  });
}

/**
 * Waits until the run has a hook that nothing was sent to.
 *
 * @throws {WorkflowRuntimeError} if the run ends, or the time is over, before it has one
 * @example
 * ```ts
 * const hook = await waitForHook(run, { token: "approval:17" });
 * await resumeHook(hook.token, { approved: true });
 * ```
 */
export async function waitForHook(run: Run, options: WaitForHookOptions = {}): Promise<PendingHook> {
  checkOptionNames<WaitForHookOptions>("waitForHook()", options, { ...WAIT_OPTIONS, token: true });
  return await waitFor(run, "a hook", options, (events) => {
    const hooks = new Map<string, PendingHook>();
    for (const { type, id, name } of events) {
      if (id === null) continue;
      if ((type === "hook_created" || type === "hook_held") && name !== null) {
        hooks.set(id, { token: name, hookId: id, runId: run.runId });
      }
      if (type === "hook_received" || type === "hook_disposed") hooks.delete(id);
    }
    const found = [...hooks.values()];
    return options.token === undefined ? found[0] : found.find(({ token }) => token === options.token);
  });
}

/**
 * Waits until a step of the run is in a state: by default until the run waits for it.
 *
 * @returns the first that is
 * @throws {WorkflowRuntimeError} if the run ends, or the time is over, before one is
 * @example
 * ```ts
 * const { stepId } = await waitForStep(run, { step: createCharge, state: "completed" });
 * ```
 */
export async function waitForStep(run: Run, options: WaitForStepOptions = {}): Promise<FoundStep> {
  checkOptionNames<WaitForStepOptions>("waitForStep()", options, {
    ...{ ...WAIT_OPTIONS, step: true, state: true },
  });
  const { step, state = "created" } = options;
  const wanted = typeof step === "function" ? stepReferenceOf(step)?.id : step;
  if (step !== undefined && wanted === undefined) {
    throw new TypeError("waitForStep({ step }): must be a step function, or the id of one.");
  }
  const what = `${wanted === undefined ? "a step" : `the step "${wanted}"`}${state === "created" ? "" : ` to be ${state}`}`;
  return await waitFor(run, what, options, (events) => {
    const created = new Map<string, FoundStep>();
    for (const { type, id, name } of events) {
      if (id === null) continue;
      if (type === "step_created" && name !== null && (wanted === undefined || name === wanted)) {
        created.set(id, { stepId: id, stepName: name });
      }
      const ended = type === "step_completed" ? "completed" : type === "step_failed" ? "failed" : null;
      const found = created.get(id);
      if (ended === null || found === undefined) continue;
      if (ended === state) return found;
      created.delete(id);
    }
    return state === "created" ? created.values().next().value : undefined;
  });
}

type Seen = { readonly type: string; readonly id: string | null; readonly name: string | null };

async function waitFor<T>(
  run: Run,
  what: string,
  { timeout = 30_000, pollInterval = 10 }: WaitOptions,
  find: (events: readonly Seen[]) => T | undefined,
): Promise<T> {
  const end = systemElapsed() + timeout;
  const seen: Seen[] = [];
  let after = 0;
  for (;;) {
    const status = await run.status;
    for await (const event of run.events({ after })) {
      seen.push(event);
      after = event.seq;
    }
    const found = find(seen);
    if (found !== undefined) return found;
    if (status === "completed" || status === "failed" || status === "cancelled") {
      throw new WorkflowRuntimeError(
        `Workflow run "${run.runId}" has ended (${status}) and waits for ${what} no more.`,
      );
    }
    if (systemElapsed() >= end) {
      throw new WorkflowRuntimeError(
        `Workflow run "${run.runId}" (${status}) did not wait for ${what} within ${timeout} ms: see run.events() for what it does.`,
      );
    }
    await new Promise((resolve) => systemSetTimeout(resolve, pollInterval));
  }
}
