import { currentContext } from "../context.ts";
import { NonDeterminismError } from "../errors/index.ts";
import type { Logger } from "../logger.ts";
import { checkOptionNames, type OptionNames } from "../option-names.ts";
import { processWide } from "../process-wide.ts";
import type { Interceptor } from "./interceptor.ts";

/** The interceptors of the process, by function: an empty list is all that is looked at where nobody is registered. */

type Hooks = { readonly [Name in keyof Interceptor]-?: NonNullable<Interceptor[Name]>[] };

interface Registered {
  configured: readonly Interceptor[];
  readonly added: Set<{ readonly interceptor: Interceptor }>;
  readonly hooks: Hooks;
}

const registered = processWide<Registered>("interceptors", () => ({
  configured: [],
  added: new Set(),
  hooks: { onStart: [], onExecute: [], aroundStep: [], onRunEnd: [], onMeasure: [] },
}));

/** Those that are registered, in their order. */
export const hooks: Hooks = registered.hooks;

const NAMES: OptionNames<Interceptor> = {
  onStart: true,
  onExecute: true,
  aroundStep: true,
  onRunEnd: true,
  onMeasure: true,
};

/**
 * Has an {@link Interceptor} called in this process, after those that are registered already; around a step the first one is the outermost.
 * `configure({ interceptors })` does the same for those that the program begins with.
 *
 * @returns a function that takes it away again
 * @throws {NonDeterminismError} in a workflow; `TypeError` for a function that no interceptor has
 * @example
 * ```ts
 * registerInterceptor({
 *   async aroundStep({ stepName, attempt }, next) {
 *     console.log(stepName, attempt);
 *     return await next();
 *   },
 * });
 * ```
 */
export function registerInterceptor(interceptor: Interceptor): () => void {
  refuseHere("registerInterceptor()");
  checkInterceptor("registerInterceptor()", interceptor);
  const entry = { interceptor };
  registered.added.add(entry);
  collect();
  return () => {
    registered.added.delete(entry);
    collect();
  };
}

/** Sets those of `configure()`, in place of the last ones. They come before all others. */
export function configureInterceptors(interceptors: readonly Interceptor[]): void {
  registered.configured = [...interceptors];
  collect();
}

/** Refuses what is no interceptor. */
export function checkInterceptor(where: string, interceptor: Interceptor): void {
  checkOptionNames(where, interceptor, NAMES);
  for (const name of Object.keys(NAMES) as (keyof Interceptor)[]) {
    const hook: unknown = interceptor[name];
    if (hook !== undefined && typeof hook !== "function")
      throw new TypeError(`${where}: ${name} must be a function, got ${typeof hook}.`);
  }
}

/** Refuses a registration by a workflow, which would do it anew in every replay. */
export function refuseHere(what: string): void {
  const context = currentContext();
  if (context?.kind !== "workflow") return;
  throw new NonDeterminismError(what, context.execution.describe, "Call it where the program starts.");
}

/** Calls a function of an interceptor that cannot change anything: what it throws, or rejects with, is told to the logger. */
export function told<T>(name: keyof Interceptor, logger: Logger, call: () => T): T | undefined {
  const report = (error: unknown): void =>
    logger.warn(`${name} of an interceptor threw, which changes nothing for the run: mend the interceptor`, {
      error,
    });
  try {
    const answer = call();
    if (answer instanceof Promise) answer.catch(report);
    return answer;
  } catch (error) {
    report(error);
    return undefined;
  }
}

function collect(): void {
  const all = [...registered.configured, ...[...registered.added].map(({ interceptor }) => interceptor)];
  for (const name of Object.keys(NAMES) as (keyof Interceptor)[]) {
    const list = hooks[name] as unknown[];
    list.length = 0;
    for (const interceptor of all) {
      const hook = interceptor[name] as ((...args: unknown[]) => unknown) | undefined;
      if (hook !== undefined) list.push(hook.bind(interceptor));
    }
  }
}
