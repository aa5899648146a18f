import { hookName, registry, startName, workersOf } from "@perdure/core/inspect";
import type { RunRecord } from "@perdure/core/world";
import type { SearchResult } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { runRow, workflowLabel } from "../views/run-row.ts";
import { textIn } from "./read-query.ts";

/** The search for runs by what people have at hand. Each look is by an index. */

type By = SearchResult["by"][number];

/** At most so many runs of each kind of match. */
const MOST = 20;

/** GET `api/search?q=` */
export async function search({ store, query }: Call): Promise<SearchResult> {
  const text = textIn(query, "q")?.trim() ?? "";
  if (text === "") return { runs: [], by: [] };
  const looks: readonly Promise<readonly (readonly [By, RunRecord])[]>[] = [
    found("id", byId(store, text)),
    found("key", byKey(store, text)),
    found("token", byToken(store, text)),
    found("attribute", byAttribute(store, text)),
    found("workflow", byWorkflow(store, text)),
  ];
  const matches = new Map<string, readonly [By, RunRecord]>();
  for (const [by, run] of (await Promise.all(looks)).flat()) {
    if (!matches.has(run.runId)) matches.set(run.runId, [by, run]);
  }
  const all = [...matches.values()];
  return { runs: all.map(([, run]) => runRow(run)), by: all.map(([by]) => by) };
}

async function found(
  by: By,
  runs: Promise<readonly (RunRecord | null)[]>,
): Promise<readonly (readonly [By, RunRecord])[]> {
  return (await runs).flatMap((run) => (run === null ? [] : [[by, run] as const]));
}

const WHOLE_ID = /^\w+_[0-9A-Z]{26}$/i;
const ID_BEGINNING = /^wrun_([0-9A-HJKMNP-TV-Z]{4,25})$/i;

async function byId(store: Store, text: string): Promise<readonly (RunRecord | null)[]> {
  if (WHOLE_ID.test(text)) return await store.ask((world) => world.getRuns([text]));
  const [, beginning] = ID_BEGINNING.exec(text) ?? [];
  if (beginning === undefined) return [];
  // An id begins with the time at which it was made.
  const time = beginning.toUpperCase().slice(0, 10);
  const createdFrom = timeOf(time.padEnd(10, "0")) - AROUND;
  const createdBefore = timeOf(time.padEnd(10, "Z")) + AROUND;
  const { runs } = await store.ask((world) => world.listRuns({ createdFrom, createdBefore, limit: 1_000 }));
  return runs.filter(({ runId }) => runId.toLowerCase().startsWith(text.toLowerCase())).slice(0, MOST);
}

/** A run's id is made a moment before its row, in milliseconds. */
const AROUND = 1_000;

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The time in the first ten characters of a ULID. */
function timeOf(text: string): number {
  return [...text].reduce((time, digit) => time * 32 + DIGITS.indexOf(digit), 0);
}

async function byKey(store: Store, text: string): Promise<readonly (RunRecord | null)[]> {
  if (text.length > 255) return [];
  const names = (await workflowsOf(store)).map((workflow) => startName(workflow, text));
  return await holders(store, names);
}

async function byToken(store: Store, text: string): Promise<readonly (RunRecord | null)[]> {
  return await holders(
    store,
    [hookName(text)].filter((name) => name.length <= 600),
  );
}

async function holders(store: Store, names: readonly string[]): Promise<readonly (RunRecord | null)[]> {
  if (names.length === 0) return [];
  return await store.ask(async (world) => {
    const held = await world.getNames(names, Date.now());
    const ids = held.flatMap((name) => (name === null ? [] : [name.runId]));
    return ids.length === 0 ? [] : await world.getRuns(ids);
  });
}

async function byAttribute(store: Store, text: string): Promise<readonly RunRecord[]> {
  const at = text.indexOf("=");
  if (at < 1) return [];
  const attributes = { [text.slice(0, at).trim()]: text.slice(at + 1).trim() };
  return (await store.ask((world) => world.listRuns({ attributes, limit: MOST }))).runs;
}

async function byWorkflow(store: Store, text: string): Promise<readonly RunRecord[]> {
  const wanted = text.toLowerCase();
  const fitting = (await workflowsOf(store)).filter(
    (workflow) => workflow === text || workflowLabel(workflow).toLowerCase().startsWith(wanted),
  );
  const pages = await store.ask((world) =>
    Promise.all(fitting.slice(0, 3).map((workflow) => world.listRuns({ workflow, limit: MOST }))),
  );
  return pages.flatMap(({ runs }) => runs);
}

/** The workflows that this process or a live worker has, and those of the newest runs. */
export async function workflowsOf(store: Store): Promise<readonly string[]> {
  return await store.kept.get("workflows", async () => {
    const [workers, { runs }] = await store.ask((world) =>
      Promise.all([workersOf(world, Date.now()), world.listRuns({ limit: 200 })]),
    );
    const ids = [
      ...registry.workflows.keys(),
      ...workers.flatMap(({ workflows }) => workflows),
      ...runs.map(({ workflow }) => workflow),
    ];
    return [...new Set(ids)].sort();
  });
}
