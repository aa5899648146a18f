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
  /** Removes the store. All Worlds on it are closed or killed by then. */
  destroy(): Promise<void>;
}

/** Makes a new, empty store that no other test uses: a file, a schema, a database or a key prefix. */
export type CreateTarget = () => Promise<WorldTarget>;
