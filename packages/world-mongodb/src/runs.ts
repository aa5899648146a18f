/**
 * Looking at run documents, and writing them on the condition that nobody has since.
 */
import type { RunRecord } from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import { lostPart } from "./errors.ts";
import { type Collections, type LargePart, type RunDocument, type RunHead, toRunRecord } from "./schema.ts";
import { fromStored } from "./text.ts";
import type { Values } from "./values.ts";

/** Documents by their ids. */
export type Found<Left extends LargePart> = Map<string, RunHead & Omit<RunDocument, Left>>;

export interface Runs {
  /** By stored id, without the parts that are not needed, and without `hidden` ones. */
  get<Left extends LargePart = never>(
    ids: readonly string[],
    without?: readonly Left[],
  ): Promise<Found<Left>>;
  /** The heads of whatever lies under the ids, hidden or not. */
  getAny(ids: readonly string[]): Promise<Map<string, RunHead>>;
  /** Before a negative answer: later reads of these runs see all that was acknowledged before. */
  catchUp(ids: readonly string[]): Promise<void>;
  /** Whether this very run is still stored and not being deleted. */
  isThere(run: Pick<RunHead, "_id" | "incarnation">): Promise<boolean>;
  /** Updates the run unless somebody has since `run` was read. */
  update(operation: string, run: Pick<RunHead, "_id" | "rev">, change: Change): Promise<boolean>;
  /**
   * The rows of runs, in their order; `undefined` for those that are deleted meanwhile.
   *
   * @throws {Damage} if a value of a run that is not deleted is missing
   */
  records(runs: readonly RunHead[]): Promise<(RunRecord | undefined)[]>;
}

/** What an update does, beside adding one to `rev`. */
export interface Change {
  readonly set?: Document;
  readonly unset?: readonly string[];
}

const LARGE: readonly LargePart[] = ["tail", "mail", "hooks"];

export function runs(connection: Connection, collections: Collections, values: Values): Runs {
  async function find<T>(ids: readonly string[], without: readonly LargePart[]): Promise<T[]> {
    if (ids.length === 0) return [];
    const options =
      without.length > 0 ? { projection: Object.fromEntries(without.map((part) => [part, 0])) } : {};
    return connection.find<T>("find runs", collections.runs, { _id: { $in: [...new Set(ids)] } }, options);
  }

  const self: Runs = {
    async get<Left extends LargePart = never>(ids: readonly string[], without: readonly Left[] = []) {
      const found = await find<RunHead & Omit<RunDocument, Left>>(ids, without);
      return new Map(found.filter(({ hidden }) => hidden === undefined).map((run) => [run._id, run]));
    },

    async getAny(ids) {
      return new Map((await find<RunHead>(ids, LARGE)).map((run) => [run._id, run]));
    },

    async catchUp(ids) {
      await connection.catchUp(collections.runs, ids);
    },

    async isThere({ _id, incarnation }) {
      const run = (await self.get([_id], LARGE)).get(_id);
      return run?.incarnation === incarnation;
    },

    async update(operation, { _id, rev }, change) {
      return connection.update(operation, collections.runs, { _id, rev }, updateOf(change));
    },

    async records(found) {
      const loaded = await values.load(found.flatMap(({ output, error, state }) => [output, error, state]));
      return Promise.all(
        found.map(async (run, index) => {
          const [output, error, state] = loaded.slice(3 * index, 3 * index + 3);
          if (output !== undefined && error !== undefined && state !== undefined) {
            return toRunRecord(run, { output, error, state });
          }
          if (!(await self.isThere(run))) return undefined;
          throw lostPart(
            fromStored(run._id),
            output === undefined ? "output" : error === undefined ? "error" : "state",
          );
        }),
      );
    },
  };
  return self;
}

/** The update document of a change. */
export function updateOf({ set = {}, unset = [] }: Change, increments: Document = {}): Document {
  return {
    $inc: { rev: 1, ...increments },
    ...(Object.keys(set).length > 0 && { $set: set }),
    ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map((field) => [field, ""])) }),
  };
}
