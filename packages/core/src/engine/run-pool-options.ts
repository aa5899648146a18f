import type { IdSource } from "../ids.ts";
import type { Logger } from "../logger.ts";
import type { World } from "../world/index.ts";
import type { StoreClock } from "./leases/store-clock.ts";

/** What a worker gives its {@link RunPool}: its options, complete. */
export interface RunPoolOptions {
  readonly world: World;
  readonly workerId: string;
  readonly clock: StoreClock;
  readonly ids: IdSource;
  readonly random: () => number;
  readonly logger: Logger;
  readonly queues: () => readonly string[];
  readonly concurrency: number;
  readonly maxRuns: number;
  readonly maxDetached: number;
  readonly leaseTtl: number;
  readonly stallTimeout: number;
  readonly pollInterval: number;
  readonly divergenceRetry: number;
  readonly journalWarning: number;
  readonly journalLimit: number;
  readonly strictReplay: boolean;
  readonly alwaysReplay: boolean;
  readonly keepProcessAlive: () => () => void;
  /** Whether it works off what is due and no more. */
  readonly drains: boolean;
  /** Whether a thread may renew leases while the event loop is blocked; not under a clock of a test. */
  readonly keeperThread: boolean;
}
