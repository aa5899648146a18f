/**
 * Names: at most one run has a name, decided inside of the write that asks for it.
 *
 * The run document lists the names of its run. A name's own document, unique by its `_id`, says which run has it, or asks for it:
 * a *claim*, made when the run document had a given `rev`. The two are written one after the other, the name first, and the
 * claim counts only as far as the run document confirms it:
 *
 * - the run is stored and lists the name with the claim's `rev`: the claim *counts*;
 * - it does not, and its document still has the claim's `rev`: *undecided*. The next write of that document decides;
 * - anything else: *dead*. That write was another one, or the name was released, or the run is gone. As a `rev` is never
 *   the document's again, the claim can never count any more.
 *
 * Two writes confirm claims: the update of a commit, and the one that makes a draft a run (`start.ts`). Each is one update of one
 * document on the condition that it has the `rev` of its claims, so it confirms all of them or none.
 *
 * A claim is taken over by compare-and-set on the name's document, if it is dead, or its run has ended and its time has
 * passed. Where who asks may have a name of a run before its time, the claim that counts stays beside the new one, as
 * `before`: a name that was asked for in vain is where it was. It goes before the new one ever stops to count, so what has
 * passed on does not come back: the commit that releases a name removes it first, and a run that is being deleted lists its
 * names to the last.
 *
 * An undecided claim is waited for a little. If nothing comes, its process has died: adding one to the run's `rev` makes the
 * claim dead, and whoever was only slow finds its own write impossible and begins anew. Everybody takes names in one order, so
 * whoever waits for a name has none that comes after it, and those that want the same ones come to an end.
 *
 * Crash between the two writes: undecided claims. Crash before released names have left the collection: dead ones. Both are
 * cleared by the next who wants the name, and with the run.
 *
 * That a name is another's or nobody's is never told or acted on by a read alone: only by one that follows a write which
 * finds nothing, see `Connection.catchUp`. A claim that counts for a run which has not ended needs no look at the name's
 * document for that: nobody can have taken it over.
 */
import { isTerminal, type NameClaim } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Runs, RunVersion } from "./runs.ts";
import {
  type Collections,
  type NameDocument,
  nameId,
  type RunDocument,
  type StoredClaim,
  type StoredName,
} from "./schema.ts";
import { toStored, toStoredKey } from "./text.ts";
import { type Collector, referenceOf } from "./values.ts";

/** A run as it is read for its names and its mail. */
export type NameOwner = Omit<RunDocument, "tail">;

/** A claim that counts, and its run. */
export interface Holding {
  readonly name: Pick<NameDocument, "_id" | "name">;
  readonly claim: StoredClaim;
  readonly run: NameOwner;
}

/** A name that a run asks for. */
export interface Wish
  extends Pick<NameDocument, "_id" | "name">,
    Omit<StoredClaim, keyof RunVersion | "run"> {
  /** The run from which it may be taken if that has ended. */
  readonly from: string | null;
}

/**
 * For each name that a run wished for who has it, `null` where that is now the run itself. `stale`: the run was written since it was
 * read; whoever wrote it may have taken a name, and must be left it.
 */
export type Taken = ReadonlyMap<string, Holding | null> | "stale";

export interface Names {
  /** Makes the claims of one run or several where no names are in the way; false: some of them may be made. */
  claim(wishes: readonly (readonly [Wish, RunVersion])[]): Promise<boolean>;
  /**
   * Takes names for a run as it was read.
   *
   * @param tried {@link claim} was false
   */
  take(wishes: readonly Wish[], run: RunVersion, now: number, tried?: boolean): Promise<Taken>;
  /** Gives up what a run that did not come to be has taken. */
  giveBack(names: readonly string[], run: Pick<RunVersion, "incarnation">): Promise<void>;
  /** Settles that names have passed to a run that lists them: nothing counts but its own claims. */
  settle(passed: readonly string[], run: RunVersion): Promise<void>;
  /** Removes names that a commit has freed. `run` as it was before that commit. */
  forget(freed: readonly string[], run: RunVersion): Promise<void>;
  /**
   * Who has these names, by their `_id`.
   *
   * @param surely so that a name that nobody has is free for sure
   */
  owners(ids: readonly string[], now: number, surely: boolean): Promise<Map<string, Holding>>;
  /** The same for documents that were read. */
  ownersOf(documents: readonly NameDocument[], now: number): Promise<Map<string, Holding>>;
}

export function names(connection: Connection, collections: Collections, runs: Runs): Names {
  const find = (ids: readonly string[]) =>
    connection.find<NameDocument>("find names", collections.names, { _id: { $in: [...new Set(ids)] } });

  const runsOf = async (documents: readonly NameDocument[]) =>
    runs.getAny(
      documents.flatMap(({ run, before }) => (before === undefined ? [run] : [run, before.run])),
      ["tail"],
    );

  async function claim(wishes: readonly (readonly [Wish, RunVersion])[]): Promise<boolean> {
    const documents = wishes.map(([{ from, ...wish }, run]): NameDocument => ({ ...wish, ...claimant(run) }));
    return connection.insert("insert names", collections.names, documents, "up to the first that is there");
  }

  /** Who has the name, what the next claim of it must keep as `before`, or that this is undecided. */
  async function resolve(document: NameDocument, wish: Wish, run: RunVersion, attempt: number, now: number) {
    const ids = document.before === undefined ? [document.run] : [document.run, document.before.run];
    await runs.catchUp(ids);
    const found = await runsOf([document]);
    const current = found.get(document.run);
    const holding = holdingOf(document, found);
    if (!counts(document, document._id, current) && isUndecided(document, current)) {
      await runs.giveUp(current, attempt);
      return "undecided";
    }
    if (holding === null) return { before: null };
    if (isFree(holding, now)) return { before: null };
    const { claim, run: holder } = holding;
    const passes =
      claim.incarnation === run.incarnation || (isTerminal(holder.status) && holder._id === wish.from);
    return passes ? { before: claim } : holding;
  }

  /** Takes one name that has a document, or had one. */
  async function takeOne(
    wish: Wish,
    run: RunVersion,
    first: NameDocument | undefined,
    now: number,
  ): Promise<Holding | null | "stale"> {
    let document = first;
    for (let attempt = 0; ; attempt++) {
      if (document === undefined) {
        if (await claim([[wish, run]])) return null;
        [document] = await find([wish._id]);
        if (document === undefined) continue;
      }
      if (document.incarnation === run.incarnation && document.rev >= run.rev) {
        return document.rev === run.rev ? null : "stale";
      }
      const found = await resolve(document, wish, run, attempt, now);
      if (found === "undecided") await connection.backOff(attempt + 1);
      else if ("claim" in found) return found;
      else {
        const { from, _id, name, ...asked } = wish;
        const taken = await connection.update("take name", collections.names, versionOf(document), {
          $set: { ...asked, ...claimant(run), ...(found.before !== null && { before: found.before }) },
          ...(found.before === null && { $unset: { before: "" } }),
        });
        if (taken) return null;
      }
      document = undefined;
    }
  }

  const self: Names = {
    claim,

    async take(wishes, run, now, tried = false) {
      const owners = new Map<string, Holding | null>();
      const pairs = (some: readonly Wish[]) => some.map((wish) => [wish, run] as const);
      let skip = tried;
      // In one order for everybody: who waits for a name has none that comes after it.
      for (let left = wishes.toSorted((a, b) => (a._id < b._id ? -1 : 1)); left.length > 0; ) {
        let met = left.length;
        let there = new Map<string, NameDocument>();
        if (skip || !(await claim(pairs(left)))) {
          there = new Map(
            (await find(left.map(({ _id }) => _id))).map((document) => [document._id, document]),
          );
          const others = left.findIndex(({ _id }) => {
            const document = there.get(_id);
            return document !== undefined && !isOf(document, run);
          });
          met = others < 0 ? left.length : others;
          // Where one that was there kept out those before it too.
          const free = left.slice(0, met).filter(({ _id }) => !there.has(_id));
          if (free.length > 0 && !(await claim(pairs(free)))) continue;
        }
        skip = false;
        for (const { _id } of left.slice(0, met)) owners.set(_id, null);
        const wish = left[met];
        if (wish === undefined) break;
        const owner = await takeOne(wish, run, there.get(wish._id), now);
        if (owner === "stale") return "stale";
        owners.set(wish._id, owner);
        left = left.slice(met + 1);
      }
      return owners;
    },

    async giveBack(ids, { incarnation }) {
      if (ids.length === 0) return;
      const mine = { _id: { $in: ids }, incarnation };
      const taken = await connection.find<NameDocument>("find names", collections.names, mine);
      const updates = taken.flatMap((document) =>
        document.before === undefined
          ? []
          : [
              {
                filter: versionOf(document),
                update: { $set: document.before, $unset: { before: "" } },
              },
            ],
      );
      if (updates.length > 0) await connection.bulkUpdate("give names back", collections.names, updates);
      if (updates.length === taken.length) return;
      await connection.delete("delete names", collections.names, { ...mine, before: { $exists: false } });
    },

    async settle(passed, { incarnation, rev }) {
      if (passed.length === 0) return;
      const filter = { _id: { $in: passed }, incarnation, rev: { $lt: rev } };
      await connection.updateMany("settle names", collections.names, filter, { $unset: { before: "" } });
    },

    async forget(freed, run) {
      if (freed.length === 0) return;
      await connection.delete("delete names", collections.names, {
        _id: { $in: freed },
        incarnation: run.incarnation,
        rev: { $lte: run.rev },
      });
    },

    async owners(ids, now, surely) {
      if (ids.length === 0) return new Map();
      if (surely) await connection.catchUp(collections.names, ids);
      const documents = await find(ids);
      if (surely) {
        await runs.catchUp(documents.flatMap(({ run, before }) => [run, ...(before ? [before.run] : [])]));
      }
      return self.ownersOf(documents, now);
    },

    async ownersOf(documents, now) {
      const found = await runsOf(documents);
      return new Map(
        documents.flatMap((document) => {
          const holding = holdingOf(document, found);
          return holding === null || isFree(holding, now) ? [] : [[document._id, holding] as const];
        }),
      );
    },
  };
  return self;
}

/** A claim in the form in which it is stored. */
export function wishOf(
  { name, id, fingerprint, data, keepFor, freeAt }: NameClaim,
  createdAt: number,
  from: string | null,
  collector: Collector,
): Wish {
  const key = toStoredKey(name);
  const _id = nameId(key);
  return {
    _id,
    ...(_id !== key && { name: key }),
    id: toStored(id),
    fingerprint: fingerprint === null ? null : toStored(fingerprint),
    data: collector.add(data),
    keepFor,
    freeAt,
    createdAt,
    from: from === null ? null : toStored(from),
  };
}

/** What a run document lists of a claim that is made under its `rev`. */
export function listed({ _id, id, data, keepFor, freeAt, from }: Wish, rev: number): StoredName {
  const value = referenceOf(data);
  return {
    name: _id,
    id,
    rev,
    ...(keepFor === 0 && freeAt === 0 && { ends: true }),
    ...(from !== null && { passed: true }),
    ...(value !== undefined && { value }),
  };
}

/** Who makes a claim, and when. */
function claimant({ _id, incarnation, rev }: RunVersion): Pick<StoredClaim, "run" | "incarnation" | "rev"> {
  return { run: _id, incarnation, rev };
}

function isOf(claim: StoredClaim, run: RunVersion): boolean {
  return claim.incarnation === run.incarnation && claim.rev === run.rev;
}

/** Fits a name's document for as long as nobody has taken it over. */
function versionOf({ _id, incarnation, rev }: NameDocument): RunVersion {
  return { _id, incarnation, rev };
}

/** Whether a document lists a claim, be it a run's or not. */
function lists(run: NameOwner | undefined, claim: StoredClaim, name: string): run is NameOwner {
  if (run?.incarnation !== claim.incarnation) return false;
  return run.names?.some((each) => each.name === name && each.rev === claim.rev) === true;
}

function counts(claim: StoredClaim, name: string, run: NameOwner | undefined): run is NameOwner {
  return lists(run, claim, name) && run.hidden === undefined;
}

function isUndecided(claim: StoredClaim, run: NameOwner | undefined): run is NameOwner {
  return run?.incarnation === claim.incarnation && run.rev === claim.rev;
}

/** The claim that counts, of those that a name's document has. */
function holdingOf(document: NameDocument, found: ReadonlyMap<string, NameOwner>): Holding | null {
  for (const claim of [document, document.before]) {
    if (claim === undefined) continue;
    const run = found.get(claim.run);
    if (!lists(run, claim, document._id)) continue;
    if (run.hidden === undefined) return { name: document, claim: plain(claim), run };
    // It counted until its run began to be deleted.
    if (run.draft === undefined) return null;
  }
  return null;
}

function plain({
  run,
  incarnation,
  rev,
  id,
  fingerprint,
  data,
  keepFor,
  freeAt,
  createdAt,
}: StoredClaim): StoredClaim {
  return { run, incarnation, rev, id, fingerprint, data, keepFor, freeAt, createdAt };
}

/** Whether the time of a name has passed. */
function isFree({ claim: { keepFor, freeAt }, run }: Holding, now: number): boolean {
  if (!isTerminal(run.status) || keepFor === null) return false;
  // A name that ends with its run is free at once, whatever the clocks say.
  return (keepFor === 0 || (run.completedAt ?? 0) + keepFor <= now) && freeAt <= now;
}
