/**
 * Looking at run documents, and writing them on the condition that nobody has since.
 */
import type { RunRecord } from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import { lostPart } from "./errors.ts";
import {
  type Collections,
  LARGE,
  type LargePart,
  type RunDocument,
  type RunHead,
  toRunRecord,
} from "./schema.ts";
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
  /** The same with `hidden` ones. */
  getAny<Left extends LargePart>(ids: readonly string[], without: readonly Left[]): Promise<Found<Left>>;
  /** Before a negative answer: later reads of these runs see all that was acknowledged before. */
  catchUp(ids: readonly string[]): Promise<void>;
  /** Whether this very run is still stored and not being deleted. */
  isThere(run: Pick<RunHead, "_id" | "incarnation">): Promise<boolean>;
  /** Updates the run unless somebody has since `run` was read. */
  update(operation: string, run: RunVersion, change: Change): Promise<boolean>;
  /**
   * Writes a document on whose next write something depends, so that this can come no more; not before its writer had some
   * time.
   *
   * @param attempt how often it was looked at
   */
  giveUp(run: RunVersion, attempt: number): Promise<void>;
  /**
   * The rows of runs, in their order; `undefined` for those that are deleted meanwhile.
   *
   * @throws {Damage} if a value of a run that is not deleted is missing
   */
  records(runs: readonly RunHead[]): Promise<(RunRecord | undefined)[]>;
}

/** Looks until a writer is taken for dead: about a tenth of a second. */
const PATIENCE = 6;

/** A run document as it was at one time. */
export type RunVersion = Pick<RunHead, "_id" | "incarnation" | "rev">;

/** What an update does, beside adding one to `rev`. */
export interface Change {
  readonly set?: Document;
  readonly unset?: readonly string[];
}

export function runs(connection: Connection, collections: Collections, values: Values): Runs {
  const self: Runs = {
    async get<Left extends LargePart = never>(ids: readonly string[], without: readonly Left[] = []) {
      const found = [...(await self.getAny(ids, without)).values()];
      return new Map(found.filter(({ hidden }) => hidden === undefined).map((run) => [run._id, run]));
    },

    async getAny<Left extends LargePart>(ids: readonly string[], without: readonly Left[]) {
      if (ids.length === 0) return new Map();
      const found = await connection.find<RunHead & Omit<RunDocument, Left>>(
        "find runs",
        collections.runs,
        { _id: { $in: [...new Set(ids)] } },
        without.length > 0 ? { projection: projectionWithout(without) } : {},
      );
      return new Map(found.map((run) => [run._id, run]));
    },

    async catchUp(ids) {
      await connection.catchUp(collections.runs, ids);
    },

    async isThere({ _id, incarnation }) {
      const run = (await self.get([_id], LARGE)).get(_id);
      return run?.incarnation === incarnation;
    },

    async update(operation, { _id, incarnation, rev }, change) {
      return connection.update(operation, collections.runs, { _id, incarnation, rev }, updateOf(change));
    },

    async giveUp(run, attempt) {
      if (attempt >= PATIENCE) await self.update("give up", run, {});
    },

    async records(found) {
      const loaded = await values.load(found.flatMap(({ output, error, state }) => [output, error, state]));
      return Promise.all(
        found.map(async (run, index) => {
          const [output, error, state] = loaded.slice(3 * index, 3 * index + 3);
          if (output !== undefined && error !== undefined && state !== undefined) {
            return toRunRecord(run, { output, error, state });
          }
          // A restart deletes what the run does not refer to any more.
          const now = (await self.get([run._id], LARGE)).get(run._id);
          if (now?.incarnation !== run.incarnation) return undefined;
          if (now.rev !== run.rev) return (await self.records([now]))[0];
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

/** Whether a document is a draft that may still become a run: nobody has written it since it was inserted. */
export function isOpenDraft({ draft, rev }: Pick<RunDocument, "draft" | "rev">): boolean {
  return draft === true && rev === 0;
}

/** A projection that leaves parts out. */
export function projectionWithout(parts: readonly string[]): Document {
  return Object.fromEntries(parts.map((part) => [part, 0]));
}

/** The update document of a change. */
export function updateOf({ set = {}, unset = [] }: Change, increments: Document = {}): Document {
  return {
    $inc: { rev: 1, ...increments },
    ...(Object.keys(set).length > 0 && { $set: set }),
    ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map((field) => [field, ""])) }),
  };
}
