import type { OperationProbe, World } from "@perdure/core/world";

/** What an adapter author gives to the suite: one store, and ways to reach it. */
export interface WorldTarget {
  /**
   * Makes another World on the same store, as another process would have it. The suite calls its `open()`.
   * With `beforeOperation`, the World calls it before every store operation; where that rejects, the World does as if
   * its process had died there.
   */
  open(options: { readonly beforeOperation?: OperationProbe }): Promise<World>;
  /**
   * Where a World of this adapter has a clock of its store's: another World on the same store that goes by it, as a user would have
   * one. Without it the law `own-clock` is skipped.
   */
  openByOwnClock?(): Promise<World>;
  /** Ends a World as SIGKILL would: its connections are dropped, nothing is finished or rolled back in good order. */
  kill(world: World): Promise<void>;
  /**
   * Counts what is stored, past the World: rows, documents or entries. Without it, the case that needs it is skipped.
   */
  stored?(): Promise<Stored>;
  /**
   * Begins a transaction as a user's program does, over a connection of its own. Needed where `capabilities.joining` is true; a
   * World is open by then.
   */
  begin?(): Promise<UserTransaction>;
  /** The store has one writer: while a transaction of the user's is open, Worlds wait for its end. Default false. */
  readonly oneWriter?: boolean;
  /**
   * `beforeOperation` must not give a promise, because operations are calls of a synchronous driver. The interleavings are of whole
   * verbs then. Default false.
   */
  readonly synchronous?: boolean;
  /** Removes the store. All Worlds on it are closed or killed by then. */
  destroy(): Promise<void>;
}

/** How much is in a store, whether or not anybody can read it any more. */
export interface Stored {
  /** Events of all journals. */
  readonly events: number;
  /** Messages of all mailboxes, or what is kept of them. */
  readonly messages: number;
  /** Records, those that have expired and are not removed yet among them. */
  readonly records: number;
}

/** A transaction of a user's on the store. */
export interface UserTransaction {
  /** What `World.joining` takes. */
  readonly transaction: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** Makes a new, empty store that no other test uses: a file, a schema, a database or a key prefix. */
export type CreateTarget = () => Promise<WorldTarget>;
