import type { RunPage, RunRecord } from "@perdure/core/world";
import { badRequest } from "../answers.ts";
import type { Charts } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { workerRows } from "./names.ts";
import { textIn } from "./read-query.ts";
import { countsBy } from "./runs.ts";

/**
 * Charts of what ended lately, from the index of ends: all of the range if that is not much, else the last runs of each bucket, so that a
 * look costs the same whatever there is.
 */

/** Those that completed are nearly all that there is. */
const COUNTED = ["pending", "running", "diverged", "failed", "cancelled"] as const;

const BUCKETS = 60;
/** Runs that are read one after another before a range counts as much, and of each bucket then. */
const [ALL, PAGE, OF_BUCKET] = [4_000, 1_000, 30];
const LONGEST = 30 * 86_400_000;
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** GET `api/charts` */
export async function charts({ store, query }: Call): Promise<Charts> {
  const range = readRange(textIn(query, "range") ?? "1h");
  const workflow = textIn(query, "workflow");
  return await store.kept.get(`charts ${range} ${workflow}`, () => chartsOf(store, range, workflow));
}

function readRange(text: string): number {
  const [, number, unit = ""] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const range = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (range > 0 && range <= LONGEST) return range;
  throw badRequest("range: a length such as 30m, 1h, 24h or 7d, at most 30d.");
}

async function chartsOf(store: Store, range: number, workflow: string | null): Promise<Charts> {
  const step = Math.ceil(range / BUCKETS);
  const end = Date.now() + 1;
  const from = end - step * BUCKETS;
  const times = Array.from({ length: BUCKETS }, (_, at) => from + at * step);
  const filter = workflow === null ? {} : { workflow };
  const [ended, now] = await Promise.all([endedRuns(store, filter, times, step), nowOf(store, filter)]);
  const buckets = ended.buckets.map(({ runs, weight }) => {
    const count = (status: string): number =>
      Math.round(runs.filter((run) => run.status === status).length * weight);
    const took = sorted(runs.flatMap(({ startedAt, completedAt }) => between(startedAt, completedAt)));
    const waited = sorted(runs.flatMap(({ createdAt, startedAt }) => between(createdAt, startedAt)));
    return { count, took, waited };
  });
  return {
    ...{ times, step, estimated: ended.estimated, now },
    completed: buckets.map(({ count }) => count("completed")),
    failed: buckets.map(({ count }) => count("failed")),
    cancelled: buckets.map(({ count }) => count("cancelled")),
    tookP50: buckets.map(({ took }) => quantile(took, 0.5)),
    tookP95: buckets.map(({ took }) => quantile(took, 0.95)),
    waitedP50: buckets.map(({ waited }) => quantile(waited, 0.5)),
    waitedP95: buckets.map(({ waited }) => quantile(waited, 0.95)),
    ...store.backlog.in(times, step),
  };
}

interface Bucket {
  readonly runs: readonly RunRecord[];
  /** For how many runs each of them stands. */
  readonly weight: number;
}

interface Ended {
  readonly buckets: readonly Bucket[];
  readonly estimated: boolean;
}

type Filter = { readonly workflow?: string };

async function endedRuns(
  store: Store,
  filter: Filter,
  times: readonly number[],
  step: number,
): Promise<Ended> {
  const from = times[0] ?? 0;
  const end = from + step * times.length;
  const buckets: RunRecord[][] = times.map(() => []);
  let cursor: string | null = null;
  for (let read = 0; read < ALL; read += PAGE) {
    const after: string | null = cursor;
    const page: RunPage = await store.ask((world) =>
      world.listRuns({
        ...filter,
        completedBefore: end,
        limit: PAGE,
        ...(after !== null && { cursor: after }),
      }),
    );
    for (const run of page.runs) buckets[Math.floor(((run.completedAt ?? 0) - from) / step)]?.push(run);
    const last = page.runs.at(-1)?.completedAt ?? 0;
    cursor = page.cursor;
    if (cursor === null || last < from) {
      return { buckets: buckets.map((runs) => ({ runs, weight: 1 })), estimated: false };
    }
    // As dense as they are, there are too many.
    if (((read + PAGE) * (end - from)) / (end - last) > 2 * ALL) break;
  }
  return await estimate(store, filter, times, step);
}

/** By the last runs of each bucket, and how close together they are. */
async function estimate(
  store: Store,
  filter: Filter,
  times: readonly number[],
  step: number,
): Promise<Ended> {
  const buckets: Bucket[] = [];
  for (const time of times) {
    const { runs } = await store.ask((world) =>
      world.listRuns({ ...filter, completedBefore: time + step, limit: OF_BUCKET }),
    );
    const within = runs.filter(({ completedAt }) => (completedAt ?? 0) >= time);
    const oldest = within.at(-1)?.completedAt ?? time;
    const more = within.length === OF_BUCKET && runs.length === OF_BUCKET;
    buckets.push({ runs: within, weight: more ? step / Math.max(1, time + step - oldest) : 1 });
  }
  return { buckets, estimated: true };
}

async function nowOf(store: Store, filter: Filter): Promise<Charts["now"]> {
  const [{ counts }, workers] = await Promise.all([countsBy(store, filter, COUNTED), workerRows(store)]);
  const at = Date.now();
  const lags = workers.flatMap(({ lag }) => (lag === null ? [] : [lag]));
  const lag = lags.length === 0 ? null : Math.max(...lags);
  const sum = (of: "limit" | "inUse" | "queued"): number =>
    workers.reduce((total, { slots }) => total + slots[of], 0);
  // The backlog is everybody's; that of one workflow is not kept.
  if (filter.workflow === undefined) store.backlog.add({ at, pending: counts.pending, lag });
  const slots = { limit: sum("limit"), inUse: sum("inUse"), queued: sum("queued") };
  return { at, counts, workers: workers.length, lag, slots };
}

function between(from: number | null, to: number | null): number[] {
  return from === null || to === null ? [] : [Math.max(0, to - from)];
}

function sorted(numbers: number[]): readonly number[] {
  return numbers.sort((a, b) => a - b);
}

function quantile(numbers: readonly number[], q: number): number | null {
  return numbers[Math.min(numbers.length - 1, Math.floor(numbers.length * q))] ?? null;
}
