import { actOnRuns, cancelling, deleting, type RunAct, retrying, waking } from "@perdure/core/inspect";
import { badRequest, failureOf } from "../answers.ts";
import type { BulkRequest, BulkResult } from "../protocol.ts";
import type { Call } from "../routes.ts";
import { type Body, bodyOf } from "./body.ts";
import { readFilter } from "./read-query.ts";

/** What is done to all runs that a filter chooses, a page of them with each request. */

const ACTS: Readonly<Record<BulkRequest["act"], (body: Body) => RunAct>> = {
  cancel: (body) => cancelling(reasonIn(body)),
  terminate: (body) => cancelling({ ...reasonIn(body), terminate: true }),
  retry: () => retrying(),
  wake: () => waking,
  delete: () => deleting,
};

function reasonIn(body: Body): { readonly reason?: string } {
  const reason = body.text("reason");
  return reason === undefined ? {} : { reason };
}

/** POST `api/bulk` */
export async function bulk({ store, request }: Call): Promise<BulkResult> {
  const body = await bodyOf(request);
  const act = body.choice("act", Object.keys(ACTS) as BulkRequest["act"][]);
  if (act === undefined) throw badRequest(`act: one of ${Object.keys(ACTS).join(", ")}.`);
  const filter = body.value("filter");
  if (typeof filter !== "string")
    throw badRequest('filter: a query string such as "status=failed"; "" for every run that the act fits.');
  const acting = ACTS[act](body);
  const chosen = readFilter(new URLSearchParams(filter));
  const { since, cursor } = placeIn(body.text("cursor"));
  const limit = body.number("limit", 1, 200) ?? 100;
  // The oldest first: a parent is deleted before its children.
  const page = await store.ask((world) =>
    world.listRuns({
      statuses: acting.statuses,
      ...chosen,
      createdBefore: Math.min(chosen.createdBefore ?? since, since),
      ...{ order: "asc", limit },
      ...(cursor !== undefined && { cursor }),
    }),
  );
  const runs = page.runs.map(({ runId }) => store.client.getRun(runId));
  const results = await actOnRuns(runs, acting);
  const failed = results.flatMap(({ runId, said, error }) =>
    said === null ? [{ runId, message: failureOf(error).message }] : [],
  );
  return {
    done: results.length - failed.length,
    failed,
    cursor: page.cursor === null ? null : `${since};${page.cursor}`,
  };
}

/** Where to go on, and when the first page was asked for: runs that the act makes, such as retries, are not acted on. */
function placeIn(cursor: string | undefined): { readonly since: number; readonly cursor?: string } {
  if (cursor === undefined) return { since: Date.now() };
  const end = cursor.indexOf(";");
  const since = Number(cursor.slice(0, end));
  if (end < 1 || !Number.isFinite(since))
    throw badRequest("cursor: pass the cursor of the answer before, unchanged.");
  return { since, cursor: cursor.slice(end + 1) };
}
