import { parentPort, workerData } from "node:worker_threads";
import { systemNow, systemSetInterval } from "../clock.ts";
import type { Lease, LeaseKeeper, World } from "../world/index.ts";

/** The thread of the lease keeper; see `lease-keeper.ts`. Its timers are those of its own event loop. */

/** How the thread is started. */
export interface KeeperData extends LeaseKeeper {
  readonly leaseTtl: number;
  /** Counts up while the main thread is not blocked. */
  readonly heartbeat: Int32Array;
}

/** What the main thread sends. `released` applies after `taken`. */
export interface KeeperMessage {
  readonly taken: readonly Lease[];
  readonly released: readonly string[];
}

const { module, options, leaseTtl, heartbeat } = workerData as KeeperData;
const leases = new Map<string, Lease>();

parentPort?.on("message", ({ taken, released }: KeeperMessage) => {
  for (const lease of taken) leases.set(lease.runId, lease);
  for (const runId of released) leases.delete(runId);
});

const { openWorld } = (await import(module)) as { openWorld(options: unknown): Promise<World> };
const world = await openWorld(options);
parentPort?.postMessage("ready");
let lastBeat = -1;
let silentChecks = 0;
let renewing = false;

// The main thread beats every third of a lease. Four silent checks are half a lease: time enough to renew.
systemSetInterval(() => void check(), leaseTtl / 8);

async function check(): Promise<void> {
  const beat = Atomics.load(heartbeat, 0);
  silentChecks = beat === lastBeat ? silentChecks + 1 : 0;
  lastBeat = beat;
  if (silentChecks < 4 || silentChecks % 2 === 1 || leases.size === 0 || renewing) return;
  renewing = true;
  try {
    const held = [...leases.values()];
    const results = await world.renew({ leases: held, ttl: leaseTtl, now: systemNow() });
    results.forEach(({ outcome }, index) => {
      const lease = held[index];
      if (outcome === "lost" && lease !== undefined && leases.get(lease.runId) === lease) {
        leases.delete(lease.runId);
      }
    });
  } catch {
    // The store did not answer: the next check tries again.
  } finally {
    renewing = false;
  }
}
