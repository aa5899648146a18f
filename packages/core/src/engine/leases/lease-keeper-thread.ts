import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import { parentPort, workerData } from "node:worker_threads";
import { systemClearInterval, systemNow, systemSetInterval } from "../../clock.ts";
import type { Lease, LeaseKeeper, World } from "../../world/index.ts";

/** The thread of the lease keeper; see `lease-keeper.ts`. Its timers are those of its own event loop. */

/** How the thread is started. */
export interface KeeperData extends LeaseKeeper {
  readonly workerId: string;
  readonly leaseTtl: number;
  /** How long the other thread may be blocked before its leases are left to run out, in milliseconds. */
  readonly stallTimeout: number;
  /** Counts up while the other thread is not blocked. */
  readonly heartbeat: Int32Array;
  /** What to evaluate in the other thread while it is blocked; `null` where it is not the process's main thread. */
  readonly askBlocked: string | null;
}

/** What the main thread sends. `released` applies after `taken`. */
export interface KeeperMessage {
  readonly taken: readonly Lease[];
  readonly released: readonly string[];
}

/** What the thread answers once: its World is open, or why not. Where not, it tries again when it has to renew. */
export type KeeperAnswer = { readonly opened: true } | { readonly opened: false; readonly error: unknown };

const { module, options, workerId, leaseTtl, stallTimeout, heartbeat, askBlocked } = workerData as KeeperData;

/** The main thread beats every third of a lease. Four silent checks are half a lease: time enough to renew. */
const PERIOD = leaseTtl / 8;
const CHECKS_BEFORE_RENEWAL = 4;

/** So many runs are named on stderr. */
const MOST_NAMED = 5;

const leases = new Map<string, Lease>();
let opening: Promise<World> | undefined;
let lastBeat = -1;
let silentChecks = 0;
let renewing = false;

parentPort?.on("message", ({ taken, released }: KeeperMessage) => {
  for (const lease of taken) leases.set(lease.runId, lease);
  for (const runId of released) leases.delete(runId);
});

open().then(
  () => parentPort?.postMessage({ opened: true } satisfies KeeperAnswer),
  (error: unknown) => parentPort?.postMessage({ opened: false, error } satisfies KeeperAnswer),
);
systemSetInterval(check, PERIOD);

function open(): Promise<World> {
  opening ??= (import(module) as Promise<{ openWorld(options: unknown): World | Promise<World> }>)
    .then(({ openWorld }) => openWorld(options))
    .then(async (world) => {
      await world.open();
      return world;
    })
    .catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
  return opening;
}

function check(): void {
  const beat = Atomics.load(heartbeat, 0);
  silentChecks = beat === lastBeat ? silentChecks + 1 : 0;
  lastBeat = beat;
  const silence = silentChecks * PERIOD;
  const reached = (limit: number): boolean => silence >= limit && silence - PERIOD < limit;
  if (reached(leaseTtl + PERIOD)) askMainThread(() => {});
  if (reached(stallTimeout) && leases.size > 0) reportStall(silence);
  if (silence >= stallTimeout) return;
  if (silentChecks >= CHECKS_BEFORE_RENEWAL && silentChecks % 2 === 0) void renew();
}

async function renew(): Promise<void> {
  if (leases.size === 0 || renewing) return;
  renewing = true;
  try {
    const world = await open();
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

// Written to the descriptor: the thread's `process.stderr` goes through the event loop that is blocked.
function reportStall(silence: number): void {
  const named = [...leases.keys()].slice(0, MOST_NAMED).join(", ");
  const more = leases.size > MOST_NAMED ? ` and ${leases.size - MOST_NAMED} more` : "";
  askMainThread((blocker) => {
    writeSync(
      2,
      `perdure: the event loop of worker ${workerId} has been blocked for ${Math.round(silence) / 1000} s${blocker}. Its ` +
        `leases are no longer renewed, so that other workers take over the runs under way: ${named}${more}. Compute in a ` +
        `thread or a process of its own, or raise the worker's stallTimeout.\n`,
    );
  });
}

/**
 * Evaluates {@link KeeperData.askBlocked} in the main thread and passes its answer on, or an empty text where there is none
 * in time: JavaScript can be interrupted, a blocking call into the system cannot.
 */
function askMainThread(answered: (text: string) => void): void {
  let pending = true;
  const settle = (text: unknown): void => {
    if (!pending) return;
    pending = false;
    answered(typeof text === "string" ? text : "");
  };
  if (askBlocked === null) {
    settle("");
    return;
  }
  try {
    const session = new Session();
    session.connectToMainThread();
    session.post(
      "Runtime.evaluate",
      { expression: askBlocked, returnByValue: true, silent: true },
      (error, answer) => {
        settle(error === null ? answer.result.value : "");
        session.disconnect();
      },
    );
    const timer = systemSetInterval(() => {
      systemClearInterval(timer);
      settle("");
    }, PERIOD);
  } catch {
    // No inspector in this build of Node, or not permitted.
    settle("");
  }
}
