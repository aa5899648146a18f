import { hookFrom, hookName, START_PREFIX, startFrom } from "../names.ts";
import { checkOptionNames } from "../option-names.ts";
import type { NamePage, World } from "../world/index.ts";
import { hookInfo } from "./client-hooks.ts";
import type { HookInfo } from "./hooks.ts";

/** Lists of what runs have names for: hooks with their tokens, and the keys of starts. */

/** Which hooks or keys. */
export interface ListNamesOptions {
  /** Only those of this run. */
  readonly runId?: string;
  /** At most so many, 1 to 1000. Default 100. */
  readonly limit?: number;
  /** The `cursor` of the page before; `null` for the first. */
  readonly cursor?: string | null;
}

/** One page of live hooks. */
export interface HookList {
  readonly hooks: readonly HookInfo[];
  /** For the next page; `null` after the last. */
  readonly cursor: string | null;
}

/** A key that was given to `start` and that its run still has. */
export interface StartKeyInfo {
  readonly key: string;
  /** The workflow's id. */
  readonly workflowName: string;
  /** The run that the key started. */
  readonly runId: string;
  readonly createdAt: Date;
}

/** One page of keys. */
export interface StartKeyList {
  readonly keys: readonly StartKeyInfo[];
  /** For the next page; `null` after the last. */
  readonly cursor: string | null;
}

const MOST = 1_000;

/** @throws {TypeError} for an option that cannot be meant */
export function namesQuery(options: ListNamesOptions, caller: string): ListNamesOptions {
  checkOptionNames<ListNamesOptions>(`${caller}()`, options, { runId: true, limit: true, cursor: true });
  const { limit = 100 } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) {
    throw new TypeError(`${caller}(): limit must be a whole number from 1 to ${MOST}, got ${String(limit)}.`);
  }
  return options;
}

async function page(world: World, prefix: string, options: ListNamesOptions, now: number): Promise<NamePage> {
  const { runId, limit = 100, cursor } = options;
  return await world.listNames({
    prefix,
    limit,
    now,
    ...(runId !== undefined && { runId }),
    ...(typeof cursor === "string" && { cursor }),
  });
}

/** One page of live hooks, in the store's order of their tokens. */
export async function hooksOf(world: World, options: ListNamesOptions, now: number): Promise<HookList> {
  const { names, cursor } = await page(world, hookName(""), options, now);
  return { hooks: names.map((held) => hookInfo(hookFrom(held.name), held)), cursor };
}

/** One page of the keys of starts. */
export async function startKeysOf(
  world: World,
  options: ListNamesOptions,
  now: number,
): Promise<StartKeyList> {
  const { names, cursor } = await page(world, START_PREFIX, options, now);
  const keys = names.map(({ name, runId, createdAt }) => {
    const { workflow, key } = startFrom(name);
    return { key, workflowName: workflow, runId, createdAt: new Date(createdAt) };
  });
  return { keys, cursor };
}
