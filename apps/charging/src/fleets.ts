// The two fleets of the demo: what their processes execute, and what each is told.

import { once } from "node:events";
import { join } from "node:path";
import { Fleet } from "./fleet.ts";
import type { DemoOptions } from "./options.ts";
import type { Watch } from "./servers/moments.ts";
import { hear } from "./servers/watch-over-ipc.ts";

export interface Surroundings {
  options: DemoOptions;
  /** The demo's own directory. */
  dir: string;
  /** Where the World's store is. */
  address: string;
  onFailure: (error: Error) => void;
  /** The addresses of the payment server, one for each worker. */
  payment: readonly string[];
}

const secret = { STRIPE_SECRET_KEY: "sk_test_demo" };

/** The workers, each with addresses of its own to call. */
export function workerFleet(of: Surroundings & { receipts: readonly string[] }): Fleet {
  const { options, dir, address, onFailure, payment, receipts } = of;
  return new Fleet({
    ...{ name: "worker", size: options.workers, logDir: dir, onFailure },
    script: new URL("./worker.ts", import.meta.url),
    args: () => [
      ...["--world", options.world, "--address", address, "--workflow", options.variant],
      ...(options.clients > 0 ? ["--api"] : []),
      ...["--concurrency", String(options.concurrency), "--lease", String(options.lease)],
    ],
    env: (worker) => ({
      ...secret,
      STRIPE_API_BASE: payment[worker] as string,
      RECEIPTS_API_BASE: receipts[worker] as string,
    }),
    ready: (child) => once(child, "message"),
  });
}

/** The API servers. One that is started again listens where its predecessor did. */
export function apiFleet(of: Surroundings & { watch: Watch }): Fleet & { readonly urls: readonly string[] } {
  const { options, dir, address, onFailure, payment, watch } = of;
  const urls: string[] = [];
  const fleet = new Fleet({
    ...{ name: "API server", size: options.apis, logDir: dir, onFailure },
    script: new URL("./api/serve-api.ts", import.meta.url),
    args: (door) => [
      ...["--world", options.world, "--address", address, "--lease", String(options.lease)],
      ...["--door", String(door), "--port", urls[door] === undefined ? "0" : new URL(urls[door]).port],
      ...(options.naive ? ["--flags", join(dir, "flags.db")] : []),
    ],
    env: () => ({ ...secret, STRIPE_API_BASE: payment[0] as string }),
    async ready(child, door) {
      [urls[door] = ""] = await hear(child, watch);
    },
  });
  return Object.assign(fleet, { urls });
}
