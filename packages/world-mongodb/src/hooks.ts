/**
 * Hook tokens: unique over all runs, decided inside the commit that asks for them.
 *
 * A run document lists its live hooks, and that list is the truth. The collection `hooks` is a directory from token to
 * run, unique by its `_id`: an entry (token → run, rev) says that the run has the token, or that a commit is about to
 * give it, namely an update of the run document on the condition that its `rev` is still the entry's. So whoever reads
 * an entry and then its run can tell:
 *
 * - the run lists the token: it has it;
 * - it does not, and its `rev` is greater, or the run has ended or is gone: the entry is dead. That update can no longer
 *   succeed, or its hook is disposed of. Anyone may take the entry over, by compare-and-set;
 * - it does not, and its `rev` is the entry's: undecided. Who wants the token waits a little for the update; if none
 *   comes, the process has died, and adding one to the run's `rev` makes the entry dead.
 *
 * A commit that asks for tokens therefore: reads its run, takes the entries under the `rev` it read, and makes its
 * update on that `rev`. Crash before the update: dead or undecided entries, which the next who wants them clears, and the
 * repeated commit renews. Crash after the update, before disposed tokens have left the directory: dead entries.
 * A commit whose update finds another `rev` begins anew, and must renew its entries by compare-and-set: between two
 * runs that race for one token, that and the take-over are one update of one document, so one of them wins.
 *
 * That a token is another's, that nobody has it, or that its entry is dead is never told or acted on by a read alone: only
 * by one that follows a write which finds nothing, see `Connection.catchUp`.
 */
import { isTerminal } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import type { Runs } from "./runs.ts";
import type { Collections, RunDocument, RunHead, StoredHook, TokenDocument } from "./schema.ts";

/** Attempts for which an undecided entry is waited for: about a tenth of a second. */
const PATIENCE = 6;

/** A live hook with the seq of its `hook_created` event. */
export interface LiveHook extends StoredHook {
  readonly seq: number;
}

/** A run as it is read for its hooks and its mail. */
export type HookOwner = Omit<RunDocument, "tail">;

/**
 * For each token that a run wished for its owner, `null` where that is now the run itself. `stale`: the run was written
 * since it was read; whoever wrote it may have taken an entry, and must be left it.
 */
export type Taken = ReadonlyMap<string, string | null> | "stale";

export interface Hooks {
  /** Takes the directory entries of tokens for a run as it was read. */
  take(tokens: readonly string[], run: RunHead): Promise<Taken>;
  /** Removes tokens that a commit has freed. `run` as it was before that commit. */
  forget(tokens: readonly string[], run: RunHead): Promise<void>;
  /**
   * The runs that live tokens belong to, of those given.
   *
   * @param surely so that who has no owner has none for sure
   */
  owners(tokens: readonly string[], surely: boolean): Promise<Map<string, HookOwner>>;
}

export function hooks(connection: Connection, collections: Collections, runs: Runs): Hooks {
  const find = (tokens: readonly string[]) =>
    connection.find<TokenDocument>("find hooks", collections.hooks, { _id: { $in: tokens } });

  /** The run that has the token by this entry; `dead` once nobody can have it by this entry any more. */
  async function resolve(entry: TokenDocument, attempt: number): Promise<HookOwner | "dead" | "undecided"> {
    await runs.catchUp([entry.run]);
    const run = (await runs.get([entry.run], ["tail"])).get(entry.run);
    if (run === undefined || run.incarnation !== entry.incarnation || isTerminal(run.status)) return "dead";
    if (hookWith(run, entry._id) !== undefined) return run;
    if (run.rev > entry.rev) return "dead";
    if (attempt >= PATIENCE) await runs.update("give up a hook", run, {});
    return "undecided";
  }

  /** Takes a token that may have an entry; gives its owner, `null` for the run itself. */
  async function takeOne(token: string, run: RunHead): Promise<string | null | "stale"> {
    const { _id, incarnation, rev } = run;
    const mine: TokenDocument = { _id: token, run: _id, incarnation, rev };
    for (let attempt = 0; ; attempt++) {
      if (await connection.insert("insert hook", collections.hooks, [mine])) return null;
      const [entry] = await find([token]);
      if (entry === undefined) continue;
      const own = entry.run === _id && entry.incarnation === incarnation;
      if (own && entry.rev >= rev) return entry.rev === rev ? null : "stale";
      const owner = own ? "dead" : await resolve(entry, attempt);
      if (owner === "undecided") {
        await connection.backOff(attempt + 1);
        continue;
      }
      if (owner !== "dead") return owner._id;
      const taken = await connection.update(
        "take hook",
        collections.hooks,
        { _id: token, run: entry.run, incarnation: entry.incarnation, rev: entry.rev },
        { $set: { run: _id, incarnation, rev } },
      );
      if (taken) return null;
    }
  }

  return {
    async take(tokens, run) {
      const { _id, incarnation, rev } = run;
      const owners = new Map<string, string | null>();
      const insert = (some: readonly string[]) =>
        connection.insert(
          "insert hooks",
          collections.hooks,
          some.map((token): TokenDocument => ({ _id: token, run: _id, incarnation, rev })),
          "up to the first that is there",
        );
      // In one order for everybody: who waits for a token has none that comes after it.
      for (let left = tokens.toSorted(); left.length > 0; ) {
        let met = left.length;
        if (!(await insert(left))) {
          const there = new Map((await find(left)).map((entry) => [entry._id, entry]));
          const others = left.findIndex((token) => {
            const entry = there.get(token);
            const own = entry?.run === _id && entry.incarnation === incarnation && entry.rev === rev;
            return entry !== undefined && !own;
          });
          met = others < 0 ? left.length : others;
          // Where one that was there kept out those before it too.
          const free = left.slice(0, met).filter((token) => !there.has(token));
          if (free.length > 0 && !(await insert(free))) continue;
        }
        for (const token of left.slice(0, met)) owners.set(token, null);
        const token = left[met];
        if (token === undefined) break;
        const owner = await takeOne(token, run);
        if (owner === "stale") return "stale";
        owners.set(token, owner);
        left = left.slice(met + 1);
      }
      return owners;
    },

    async forget(tokens, run) {
      if (tokens.length === 0) return;
      await connection.delete("delete hooks", collections.hooks, {
        _id: { $in: tokens },
        run: run._id,
        incarnation: run.incarnation,
        rev: { $lte: run.rev },
      });
    },

    async owners(tokens, surely) {
      if (tokens.length === 0) return new Map();
      if (surely) await connection.catchUp(collections.hooks, tokens);
      const entries = await find([...new Set(tokens)]);
      const ids = entries.map(({ run }) => run);
      if (surely) await runs.catchUp(ids);
      const found = await runs.get(ids, ["tail"]);
      const owners = new Map<string, HookOwner>();
      for (const { _id: token, run: id } of entries) {
        const run = found.get(id);
        if (run !== undefined && hookWith(run, token) !== undefined) owners.set(token, run);
      }
      return owners;
    },
  };
}

/** The live hook of a run that has the token. */
export function hookWith(run: Pick<RunDocument, "status" | "hooks">, token: string): LiveHook | undefined {
  if (isTerminal(run.status)) return undefined;
  for (const [seq, hook] of Object.entries(run.hooks ?? {})) {
    if (hook.token === token) return { ...hook, seq: Number(seq) };
  }
  return undefined;
}
