import type { World } from "@perdure/core/world";
import type { RawStore } from "./raw-sqlite.ts";
import type { Sizes } from "./sizes.ts";

/** What the benchmark needs to know of a World. Each folder is a store of its own. */
export interface BenchWorld {
  readonly name: string;
  /** Brings up what all stores need, such as a server; returns what ends it. */
  prepare?(): Promise<() => Promise<void>>;
  /** The work that is done of what was asked for: less where the store found cannot take it. Default: all. */
  sizes?(asked: Sizes): Sizes;
  /** What to know of the store beside what the World describes. */
  about?(): Readonly<Record<string, string | number>>;
  /** The World as a user gets it, with its default settings. */
  create(folder: string): World;
  /** The same store with the same durability, through its bare driver. */
  openRaw(folder: string): Promise<RawStore>;
  /** Bytes that the closed store takes. */
  bytes(folder: string): number | Promise<number>;
}
