import { WorkflowRunNotFoundError } from "@perdure/core/errors";
import { readEventValue, readStoredError } from "@perdure/core/inspect";
import type { JournalEvent, RunRecord } from "@perdure/core/world";
import { ApiFailure, badRequest } from "../answers.ts";
import type { EventRow, JournalPage, ValueView } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { partAt, shown } from "../views/shown.ts";
import { lineOf } from "../views/text.ts";
import { type Part, valueView } from "../views/value-view.ts";
import { numberIn, textIn } from "./read-query.ts";

/** The values of one run, one at a time and part by part; and its journal. */

/** The row of a run. */
export async function rowOf(store: Store, runId: string): Promise<RunRecord> {
  const [run] = await store.ask((world) => world.getRuns([runId]));
  if (run === null || run === undefined) throw new WorkflowRunNotFoundError(runId);
  return run;
}

/** One event of a run. */
export async function eventAt(store: Store, runId: string, seq: number): Promise<JournalEvent | null> {
  const [event] = await store.ask((world) => world.listEvents(runId, seq - 1, 1));
  return event?.seq === seq ? event : null;
}

const SIZE = 100_000;

/** GET `api/runs/:id/value` */
export async function runValue({ store, params, query }: Call): Promise<ValueView> {
  const runId = params.id as string;
  const part = readPart(query);
  const of = textIn(query, "of");
  if (of === "event") {
    const seq = numberIn(query, "seq", { least: 1 });
    if (seq === null) throw badRequest("seq: which event of the run?");
    const event = await eventAt(store, runId, seq);
    if (event === null) throw new ApiFailure(404, "not_found", `Run ${runId} has no event ${seq}.`);
    return valueView(event.type, retriedError(event) ?? event.data, part);
  }
  const run = await rowOf(store, runId);
  if (of === "state") return stateView(run.state, part);
  if (of === "error") return errorOf(run.error, part);
  throw badRequest('of: "event", "state" or "error".');
}

/** The error in a `step_retrying` event, which is stored within its value. */
function retriedError({ type, data }: JournalEvent): Uint8Array | null {
  if (!type.endsWith("_retrying")) return null;
  const { error } = (readEventValue(type, data).value ?? {}) as { readonly error?: unknown };
  return error instanceof Uint8Array ? error : null;
}

/** What a run shows of itself. */
export function stateView(state: Uint8Array | null, { path = [], ...part }: Part): ValueView {
  return valueView("", state, { ...part, path: ["value", ...path] });
}

function errorOf(error: Uint8Array | null, { path = [], ...bounds }: Part): ValueView {
  const value = error === null ? undefined : readStoredError(error);
  return { ...shown(partAt(value, path), bounds), bytes: error?.byteLength ?? null, unreadable: null };
}

function readPart(query: URLSearchParams): Part {
  const size =
    query.get("size") === "all"
      ? Number.POSITIVE_INFINITY
      : (numberIn(query, "size", { least: 100 }) ?? SIZE);
  const offset = numberIn(query, "offset", { least: 0 }) ?? 0;
  return { size, offset, path: readPath(query.get("path")) };
}

function readPath(text: string | null): readonly (string | number)[] {
  if (text === null || text === "") return [];
  const path = parsed(text);
  const isStep = (step: unknown): boolean => typeof step === "string" || typeof step === "number";
  if (Array.isArray(path) && path.every(isStep)) return path as (string | number)[];
  throw badRequest('path: a JSON array of keys and indexes, such as ["items",3].');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** GET `api/runs/:id/journal` */
export async function runJournal({ store, params, query }: Call): Promise<JournalPage> {
  const after = numberIn(query, "after", { least: 0 }) ?? 0;
  const limit = numberIn(query, "limit", { least: 1, most: 1_000 }) ?? 200;
  const { runId, firstSeq, seq } = await rowOf(store, params.id as string);
  const events: EventRow[] = [];
  for await (const event of store.client.getRun(runId).events({ after, limit })) {
    const { type, at, id, name, value, error } = event;
    events.push({
      ...{ seq: event.seq, type, id, name },
      at: at?.getTime() ?? null,
      text: lineOf(value, 200),
      unreadable: error?.message ?? null,
    });
  }
  return { events, firstSeq, lastSeq: Math.max(seq, events.at(-1)?.seq ?? 0) };
}
