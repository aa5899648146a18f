/**
 * The invariants of a store, apart from the suite and from any test runner: a simulator checks them after every write.
 */
import type { World } from "@perdure/core/world";
import { readStore } from "./snapshot.ts";
import { violationsOf } from "./violations.ts";

export { type RunSnapshot, readStore, type StoreSnapshot, snapshotOfState } from "./snapshot.ts";
export { violationsOf, violationsOfRun } from "./violations.ts";

/**
 * Reads the whole store and requires every invariant: journals dense, rows the fold of their journals, names unique, every
 * live run live. Nobody may write meanwhile.
 *
 * @param options.now with it, unread mail must have made its run due by then
 * @throws {InvariantsBroken}
 */
export async function checkInvariants(world: World, options: { readonly now?: number } = {}): Promise<void> {
  const found = violationsOf(await readStore(world), options);
  if (found.length > 0) throw new InvariantsBroken(world.name, found);
}

/** Names every broken invariant of a store. */
export class InvariantsBroken extends Error {
  override readonly name = "InvariantsBroken";

  constructor(world: string, found: readonly string[]) {
    super(`World ${world} breaks its invariants:\n${found.join("\n")}`);
  }
}
