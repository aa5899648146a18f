/**
 * Reading names: who has one, and which there are. Only claims that count are shown; see `names.ts`.
 */
import { afterPrefix, type HeldName, type ListNamesQuery, type NamePage } from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import { lostPart } from "./errors.ts";
import type { Holding, Names } from "./names.ts";
import type { Runs } from "./runs.ts";
import { type Collections, LONGEST_NAME_ID, type NameDocument, nameId } from "./schema.ts";
import { fromStored, fromStoredOrNull, toStored, toStoredKey } from "./text.ts";
import type { Values } from "./values.ts";

/** The parts of the store that reading names works with. */
export interface NameStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly runs: Runs;
  readonly names: Names;
}

/** The queries of the World, by the time of the store. */
export interface NameReads {
  getNames(names: readonly string[], now: number): Promise<(HeldName | null)[]>;
  listNames(query: ListNamesQuery): Promise<NamePage>;
}

/** Some documents of a listing, in its order, and where the next stretch begins if there may be one. */
interface Stretch {
  readonly documents: readonly NameDocument[];
  readonly last: string | undefined;
}

export function nameReads(store: NameStore): NameReads {
  const { connection, collections, runs, names } = store;

  /** The documents after `after` that come first of those whose names begin with a prefix. */
  async function ofPrefix(prefix: string, after: string | undefined, limit: number): Promise<Stretch> {
    const beginning = prefix.slice(0, LONGEST_NAME_ID);
    const end = afterPrefix(beginning.replace(/\uffff+$/, ""));
    const range: Document = {
      ...(after === undefined ? { $gte: beginning } : { $gt: after }),
      ...(end !== null && { $lt: end }),
    };
    const documents = await connection.find<NameDocument>(
      "list names",
      collections.names,
      { _id: range },
      { sort: { _id: 1 }, limit },
    );
    return { documents, last: documents.length < limit ? undefined : documents.at(-1)?._id };
  }

  /** The same of the names that a run has, which its document lists. */
  async function ofRun(
    run: string,
    prefix: string,
    after: string | undefined,
    limit: number,
  ): Promise<Stretch> {
    const { names: list = [] } = (await runs.get([run], ["tail", "mail", "endMail"])).get(run) ?? {};
    const beginning = prefix.slice(0, LONGEST_NAME_ID);
    const ids = list
      .map(({ name }) => name)
      .filter((name) => name.startsWith(beginning) && (after === undefined || name > after))
      .toSorted(compare)
      .slice(0, limit);
    if (ids.length === 0) return { documents: [], last: undefined };
    const found = await connection.find<NameDocument>("list names", collections.names, { _id: { $in: ids } });
    return {
      documents: found.toSorted((a, b) => compare(a._id, b._id)),
      last: ids.length < limit ? undefined : ids.at(-1),
    };
  }

  return {
    async getNames(wanted, now) {
      const ids = wanted.map((name) => nameId(toStoredKey(name)));
      const owners = await names.owners(ids, now, false);
      const doubtful = ids.filter((id) => !owners.has(id));
      for (const [id, owner] of await names.owners(doubtful, now, true)) owners.set(id, owner);
      const held = await heldNames(
        [...new Set(ids)].flatMap((id) => owners.get(id) ?? []),
        now,
        store,
      );
      return ids.map((id) => held.get(id) ?? null);
    },

    async listNames({ prefix = "", runId, limit, cursor, now }) {
      const beginning = toStoredKey(prefix);
      const run = runId === undefined ? undefined : toStored(runId);
      const page: (readonly [string, HeldName])[] = [];
      for (let after = cursor; ; ) {
        // One more than the page holds tells whether there is another. What does not count is passed over.
        const wanted = limit + 1 - page.length;
        const { documents, last } =
          run === undefined
            ? await ofPrefix(beginning, after, wanted)
            : await ofRun(run, beginning, after, wanted);
        const owners = await names.ownersOf(documents, now);
        const fitting = [...owners.values()].filter(
          ({ name, claim }) =>
            (run === undefined || claim.run === run) && (name.name ?? name._id).startsWith(beginning),
        );
        page.push(...(await heldNames(fitting, now, store)));
        after = last;
        if (after === undefined || page.length > limit) break;
      }
      const cursorAfter = page.length > limit ? (page[limit - 1]?.[0] ?? null) : null;
      return { names: page.slice(0, limit).map(([, name]) => name), cursor: cursorAfter };
    },
  };
}

/**
 * Names as records, by their `_id`, in their order; without those that were released meanwhile.
 *
 * @throws {WorldError} if the data of a name that is held is missing
 */
export async function heldNames(
  holdings: readonly Holding[],
  now: number,
  { values, names }: Pick<NameStore, "values" | "names">,
): Promise<Map<string, HeldName>> {
  const loaded = await values.load(holdings.map(({ claim }) => claim.data));
  const held = new Map<string, HeldName>();
  for (const [index, { name, claim }] of holdings.entries()) {
    const data = loaded[index];
    if (data === undefined) {
      const there = (await names.owners([name._id], now, true)).get(name._id);
      if (there?.claim.incarnation !== claim.incarnation || there.claim.rev !== claim.rev) continue;
      throw lostPart(fromStored(claim.run), "name");
    }
    held.set(name._id, {
      name: fromStored(name.name ?? name._id),
      id: fromStored(claim.id),
      runId: fromStored(claim.run),
      fingerprint: fromStoredOrNull(claim.fingerprint),
      data,
      createdAt: claim.createdAt,
    });
  }
  return held;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
