import type { HookInfo, ListNamesOptions, WorkerInfo } from "@perdure/core/api";
import { hooksOf, isWebhookId, locksOf, startKeysOf, workersOf } from "@perdure/core/inspect";
import type { HookPage, HookRow, KeyPage, LockList, LockRow, WorkerList, WorkerRow } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { workflowLabel } from "../views/run-row.ts";
import { shown } from "../views/shown.ts";
import { numberIn, textIn } from "./read-query.ts";

/** What a store holds beside the runs: hooks, keys, locks, workers. */

function readNames(query: URLSearchParams): ListNamesOptions {
  const runId = textIn(query, "run");
  return {
    limit: numberIn(query, "limit", { least: 1, most: 500 }) ?? 100,
    cursor: query.get("cursor") || null,
    ...(runId !== null && { runId }),
  };
}

/** GET `api/hooks` */
export async function listHooks({ store, query }: Call): Promise<HookPage> {
  const { hooks, cursor } = await store.ask((world) => hooksOf(world, readNames(query), Date.now()));
  return { hooks: hooks.map(hookRow), cursor };
}

/** A hook as a list shows it. */
export function hookRow({ token, hookId, runId, createdAt, metadata }: HookInfo): HookRow {
  return {
    ...{ token, hookId, runId },
    createdAt: createdAt.getTime(),
    webhook: isWebhookId(hookId),
    metadata: metadata === undefined ? null : shown(metadata, { size: 2_000 }).value,
  };
}

/** GET `api/keys` */
export async function listKeys({ store, query }: Call): Promise<KeyPage> {
  const { keys, cursor } = await store.ask((world) => startKeysOf(world, readNames(query), Date.now()));
  return {
    keys: keys.map(({ key, workflowName, runId, createdAt }) => ({
      ...{ key, workflow: workflowName, name: workflowLabel(workflowName), runId },
      createdAt: createdAt.getTime(),
    })),
    cursor,
  };
}

/** GET `api/locks` */
export async function listLocks({ store, query }: Call): Promise<LockList> {
  return { locks: await locksHere(store, textIn(query, "run")) };
}

/** The locks that runs have, or that one has, as of a moment ago: no store knows them by run, so they are read for all. */
export async function locksHere(store: Store, runId: string | null): Promise<readonly LockRow[]> {
  const locks = await store.kept.get("locks", () => store.ask((world) => locksOf(world, {}, Date.now())));
  if (runId === null) return locks;
  return locks.filter(({ holders }) => holders.some((holder) => holder.runId === runId));
}

/** GET `api/workers` */
export async function listWorkers({ store }: Call): Promise<WorkerList> {
  return { workers: await workerRows(store), now: Date.now() };
}

/** The workers that live, as of a moment ago. */
export async function workerRows(store: Store): Promise<readonly WorkerRow[]> {
  return await store.kept.get("workers", async () => {
    const workers = await store.ask((world) => workersOf(world, Date.now()));
    return workers.map(workerRow);
  });
}

function workerRow({ workerId, host, pid, startedAt, seenAt, workflows, health }: WorkerInfo): WorkerRow {
  const { ok, reasons, heldRuns, slots, detached, oldestDue } = health;
  return {
    ...{ workerId, host, pid, workflows, ok, reasons, heldRuns, slots, detached },
    startedAt: startedAt.getTime(),
    seenAt: seenAt.getTime(),
    lag: oldestDue === null ? null : Math.max(0, seenAt.getTime() - oldestDue.getTime()),
  };
}
