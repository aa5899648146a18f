import { WorldError } from "../errors/index.ts";
import type { ListRunsQuery, RunFilter, RunPage } from "./read.ts";
import type { RunRecord } from "./run.ts";

/** What every adapter would write alike for `listRuns` and `countRuns`: the order, its cursors, and what fits a filter. */

/** The place of a run in a listing. */
export interface ListingPlace {
  /** `createdAt`, or `completedAt` where the filter has `completedBefore`. */
  readonly time: number;
  readonly runId: string;
}

/** Where a run stands in the listings with this filter. */
export function placeOf(
  run: Pick<RunRecord, "runId" | "createdAt" | "completedAt">,
  { completedBefore }: RunFilter,
): ListingPlace {
  const time = completedBefore === undefined ? run.createdAt : (run.completedAt ?? 0);
  return { time, runId: run.runId };
}

/** A place as a cursor. */
export function cursorAt({ time, runId }: ListingPlace): string {
  return `${time}:${runId}`;
}

/**
 * The place that a cursor stands for; `null` for the beginning.
 *
 * @throws {TypeError} for a string that no `listRuns` gave
 */
export function placeAt({ cursor }: Pick<ListRunsQuery, "cursor">): ListingPlace | null {
  if (cursor === undefined) return null;
  const end = cursor.indexOf(":");
  const time = Number(cursor.slice(0, end));
  if (end <= 0 || !Number.isFinite(time)) {
    throw new TypeError("listRuns: the cursor is none. Pass the `cursor` of the page before, unchanged.");
  }
  return { time, runId: cursor.slice(end + 1) };
}

/**
 * Reads the rows of a page. Those that cannot be read are looked for by halves and named, so that they hide no others.
 *
 * @param runIdOf the run of a row, which is known without reading the rest of it
 * @param read gives the records of these rows; where it throws a damaged {@link WorldError}, fewer of them are tried
 */
export async function readRows<Row>(
  rows: readonly Row[],
  runIdOf: (row: Row) => string,
  read: (rows: readonly Row[]) => readonly RunRecord[] | Promise<readonly RunRecord[]>,
): Promise<Pick<RunPage, "runs" | "damaged">> {
  try {
    return { runs: await read(rows), damaged: [] };
  } catch (error) {
    const [first] = rows;
    if (first === undefined || !WorldError.is(error) || !error.damaged) throw error;
    if (rows.length === 1) return { runs: [], damaged: [{ runId: runIdOf(first), damage: error }] };
    const middle = rows.length >> 1;
    const before = await readRows(rows.slice(0, middle), runIdOf, read);
    const after = await readRows(rows.slice(middle), runIdOf, read);
    return { runs: [...before.runs, ...after.runs], damaged: [...before.damaged, ...after.damaged] };
  }
}

/** Tells whether a row fits a filter. */
export function fits(run: RunRecord, filter: RunFilter): boolean {
  const { statuses, workflow, queue, attributes = {}, createdFrom, createdBefore, completedBefore } = filter;
  return (
    (statuses === undefined || statuses.includes(run.status)) &&
    (workflow === undefined || run.workflow === workflow) &&
    (queue === undefined || run.queue === queue) &&
    Object.entries(attributes).every(([name, value]) => attributeOf(run, name) === value) &&
    (createdFrom === undefined || run.createdAt >= createdFrom) &&
    (createdBefore === undefined || run.createdAt < createdBefore) &&
    (completedBefore === undefined || (run.completedAt !== null && run.completedAt < completedBefore))
  );
}

function attributeOf({ attributes }: RunRecord, name: string): string | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

/** A row without its payloads. */
export function withoutPayloads(run: RunRecord): RunRecord {
  return { ...run, output: null, error: null, state: null };
}
