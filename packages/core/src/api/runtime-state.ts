import type { Clock } from "../clock.ts";
import type { RetryDefaults } from "../define/retry-policy.ts";
import type { EncryptionOptions } from "../encryption/index.ts";
import type { EngineWorker, Worker } from "../engine/worker.ts";
import type { WorkerOptions } from "../engine/worker-options.ts";
import type { Interceptor } from "../interceptors/index.ts";
import { processWide } from "../process-wide.ts";
import type { World } from "../world/index.ts";
import type { Client } from "./client.ts";

/** What this process knows of its World, its clients and its workers: once in a process, however often the package is loaded. */

/** What `configure` takes. */
export interface Configuration {
  /** The World of `start`, `getRun`, `resumeHook` … in this process. */
  readonly world: World;
  /**
   * Whether, and how, runs are executed in this process too. Default: yes with default options if the World is embedded
   * and the program creates no worker for it, else no.
   *
   * Such a worker starts as soon as the program has touched Perdure (`configure`, `getWorld`, `start`, `getRun(…).status` …)
   * and has a workflow or a step loaded, and works off what is due: also what an earlier process of the program has left. It does not
   * keep the process alive by itself, only while it executes something. If it cannot start, the logger is told, and the next
   * use tries again. `false` leaves all runs to other processes.
   */
  readonly worker?: boolean | Omit<WorkerOptions, "world">;
  /**
   * Where this program is reached from outside, such as `https://example.com`: the URLs of webhooks begin with it. It counts in
   * the processes that execute workflows. Default: the environment variable `PERDURE_URL`, else `http://localhost:3000`.
   */
  readonly url?: string;
  /** The path at which `webhookHandler` is, before the token. Default `/.well-known/workflow/v1/webhook`. */
  readonly webhookPath?: string;
  /**
   * Encrypts arguments, results, payloads, errors and all other values before they are stored. Default: as `encryption` of `worker`, if that
   * says so, else they are stored as they are. It counts for everything that this process does with the World: a worker that is created for
   * the World without an `encryption` of its own has this one.
   */
  readonly encryption?: EncryptionOptions;
  /** How the steps of this process are retried where they have no options of their own. */
  readonly retry?: RetryDefaults;
  /** For tests: the time that all in this process goes by which uses the World: `start`, runs, workers, drains. */
  readonly clock?: Clock;
  /** What is called beside starts, executions, steps and ends of runs in this process; `registerInterceptor` adds more. */
  readonly interceptors?: readonly Interceptor[];
}

interface RuntimeState {
  configuration: Configuration | null;
  makeDefaultWorld: (() => World) | null;
  readonly clients: WeakMap<World, Client>;
  readonly clocks: WeakMap<World, Clock>;
  /** The worker that the process brings along, and its start. */
  readonly ownWorkers: WeakMap<World, { readonly worker: Worker; readonly opened: Promise<void> }>;
  /** Worlds for which the program has created a worker, which may have been closed since. */
  readonly staffed: WeakSet<World>;
  /** As which World, with encryption, the first worker that was given keys knows a World. */
  readonly encryptedBy: WeakMap<World, World>;
  /** The workers that were created and not closed. */
  readonly workers: Set<EngineWorker>;
}

/** The one state of this process. */
export function state(): RuntimeState {
  return processWide("runtime", () => ({
    configuration: null,
    makeDefaultWorld: null,
    clients: new WeakMap(),
    clocks: new WeakMap(),
    ownWorkers: new WeakMap(),
    staffed: new WeakSet(),
    encryptedBy: new WeakMap(),
    workers: new Set(),
  }));
}
