/**
 * Looking at run documents, and writing them on the condition that nobody has since.
 */
import type { RunRecord } from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import { type Collections, type RunDocument, toRunRecord } from "./schema.ts";
import type { Values } from "./values.ts";

export interface Runs {
  /** By stored id. Without `hidden` ones. */
  get(ids: readonly string[]): Promise<Map<string, RunDocument>>;
  /** Whatever lies under the id, hidden or not. */
  getAny(id: string): Promise<RunDocument | undefined>;
  /** Updates the run unless somebody has since `run` was read. */
  update(operation: string, run: RunDocument, change: Change): Promise<boolean>;
  /** The rows of runs, in their order. */
  records(runs: readonly RunDocument[]): Promise<RunRecord[]>;
}

/** What an update does, beside adding one to `rev`. */
export interface Change {
  readonly set?: Document;
  readonly unset?: readonly string[];
}

export function runs(connection: Connection, collections: Collections, values: Values): Runs {
  const find = (filter: Document) => connection.find<RunDocument>("find runs", collections.runs, filter);
  return {
    async get(ids) {
      if (ids.length === 0) return new Map();
      const found = await find({ _id: { $in: [...new Set(ids)] } });
      return new Map(found.filter(({ hidden }) => hidden === undefined).map((run) => [run._id, run]));
    },

    async getAny(id) {
      return (await find({ _id: id }))[0];
    },

    async update(operation, { _id, rev }, change) {
      return connection.update(operation, collections.runs, { _id, rev }, updateOf(change));
    },

    async records(found) {
      const loaded = await values.load(found.flatMap(({ output, error }) => [output, error]));
      return found.map((run, index) =>
        toRunRecord(run, { output: loaded[2 * index] ?? null, error: loaded[2 * index + 1] ?? null }),
      );
    },
  };
}

/** The update document of a change. */
export function updateOf({ set = {}, unset = [] }: Change, increments: Document = {}): Document {
  return {
    $inc: { rev: 1, ...increments },
    ...(Object.keys(set).length > 0 && { $set: set }),
    ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map((field) => [field, ""])) }),
  };
}
