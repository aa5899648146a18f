/**
 * Listing and counting runs. Each field of a filter has an index that goes on in the order of the listing, so the server sorts
 * nothing; several statuses are merged by it. Of several fields the server walks the index that it finds the narrowest.
 */
import {
  attributeKeys,
  cursorAt,
  type ListingPlace,
  type ListRunsQuery,
  type OpenStore,
  placeAt,
  placeOf,
  type RunFilter,
  readRows,
} from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import { projectionWithout, type Runs } from "./runs.ts";
import { type Collections, LARGE, type RunHead, toRunRecord } from "./schema.ts";
import { fromStored, toStored } from "./text.ts";

type Listing = Pick<OpenStore["reads"], "listRuns" | "countRuns">;

const WITHOUT = projectionWithout(LARGE);
const PAYLOADS = { output: 0, error: 0, state: 0 };

export function listing(connection: Connection, collections: Collections, runs: Runs): Listing {
  return {
    async listRuns(query) {
      const { limit, order = "desc", payloads = false } = query;
      const direction = order === "asc" ? 1 : -1;
      const found = await connection.find<RunHead>("list runs", collections.runs, pageOf(query), {
        sort: { [timeOf(query)]: direction, _id: direction },
        limit: limit + 1,
        projection: payloads ? WITHOUT : { ...WITHOUT, ...PAYLOADS },
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        ...(await readRows(page, runIdOf, async (some) => {
          const records = payloads ? await runs.records(some) : some.map((run) => toRunRecord(run));
          return records.filter((record) => record !== undefined);
        })),
        cursor: found.length > limit && last !== undefined ? cursorAt(placeOfRun(last, query)) : null,
      };
    },

    countRuns: (filter) => connection.count("count runs", collections.runs, { $and: conditionsOf(filter) }),
  };
}

function runIdOf({ _id }: RunHead): string {
  return fromStored(_id);
}

function placeOfRun(run: RunHead, filter: RunFilter): ListingPlace {
  const { createdAt, completedAt = null } = run;
  return placeOf({ runId: runIdOf(run), createdAt, completedAt }, filter);
}

/** The field in whose order the runs are listed. */
function timeOf({ completedBefore }: RunFilter): "createdAt" | "completedAt" {
  return completedBefore === undefined ? "createdAt" : "completedAt";
}

function pageOf(query: ListRunsQuery): Document {
  const after = placeAt(query);
  const conditions = conditionsOf(query);
  if (after === null) return { $and: conditions };
  const time = timeOf(query);
  const [beyond, from] = query.order === "asc" ? ["$gt", "$gte"] : ["$lt", "$lte"];
  const id = { _id: { [beyond]: toStored(after.runId) } };
  return {
    $and: [
      ...conditions,
      // The bound of the index, and then the place within one time.
      { [time]: { [from]: after.time } },
      { $or: [{ [time]: { [beyond]: after.time } }, { [time]: after.time, ...id }] },
    ],
  };
}

function conditionsOf(filter: RunFilter): Document[] {
  const { workflow, queue, statuses, attributes = {}, createdFrom, createdBefore, completedBefore } = filter;
  const keys = attributeKeys(attributes);
  return [
    { hidden: { $exists: false } },
    ...(workflow === undefined ? [] : [{ workflow: toStored(workflow) }]),
    ...(queue === undefined ? [] : [{ queue: toStored(queue) }]),
    ...(statuses === undefined ? [] : [{ status: { $in: [...new Set(statuses)] } }]),
    ...(keys.length === 0 ? [] : [{ attributeKeys: { $all: keys } }]),
    ...(createdFrom === undefined ? [] : [{ createdAt: { $gte: createdFrom } }]),
    ...(createdBefore === undefined ? [] : [{ createdAt: { $lt: createdBefore } }]),
    ...(completedBefore === undefined ? [] : [{ completedAt: { $lt: completedBefore } }]),
  ];
}
