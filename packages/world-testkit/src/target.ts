import type { OperationProbe, World } from "@perdure/core/world";

/** What an adapter author gives to the suite: one store, and ways to reach it. */
export interface WorldTarget {
  /**
   * Makes another World on the same store, as another process would have it. The suite calls its `open()`.
   * With `beforeOperation`, the World calls it before every store operation; where that rejects, the World does as if
   * its process had died there.
   */
  open(options: { readonly beforeOperation?: OperationProbe }): Promise<World>;
  /** Ends a World as SIGKILL would: its connections are dropped, nothing is finished or rolled back in good order. */
  kill(world: World): Promise<void>;
  /**
   * Counts what is stored, past the World: rows, documents or entries. Without it, the case that needs it is skipped.
   */
  stored?(): Promise<Stored>;
  /** Removes the store. All Worlds on it are closed or killed by then. */
  destroy(): Promise<void>;
}

/** How much of runs is in a store, whether or not anybody can read it any more. */
export interface Stored {
  /** Events of all journals. */
  readonly events: number;
  /** Messages of all mailboxes, or what is kept of them. */
  readonly messages: number;
}

/** Makes a new, empty store that no other test uses: a file, a schema, a database or a key prefix. */
export type CreateTarget = () => Promise<WorldTarget>;
