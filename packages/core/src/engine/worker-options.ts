import type { Clock } from "../clock.ts";
import { workflowIdOf } from "../define/registry.ts";
import type { EncryptionOptions } from "../encryption/index.ts";
import { WorkflowNotRegisteredError } from "../errors/index.ts";
import type { IdSource } from "../ids.ts";
import type { LoggerChoice } from "../logger-choice.ts";
import { checkOptionNames, type OptionNames } from "../option-names.ts";
import type { World } from "../world/index.ts";
import { type Retention, retentionLimits } from "./upkeep/retention.ts";

/** What a program may set of a worker, and the defaults. */

/** Options of `createWorker`. Lengths of time are in milliseconds, from 1 on. */
export interface WorkerOptions {
  /** Where the runs are. Opened by `start()`, left open by `close()`. */
  readonly world: World;
  /**
   * The workflows to execute, as functions or ids. Default: every workflow that is registered in this process. What `once` asks
   * for is executed by every worker whose process has the step.
   */
  // biome-ignore lint/suspicious/noExplicitAny: any workflow function.
  readonly workflows?: readonly (string | ((...args: any[]) => Promise<any>))[];
  /** How many step bodies run at once. Default 100. */
  readonly concurrency?: number;
  /**
   * How many step bodies may go on when their attempts are over (timed out, cancelled, of a run that has ended or was lost),
   * beside the `concurrency` bodies that count. At this limit the worker takes no more runs, logs an error, and its
   * `health()` is not `ok`.
   * Default: as `concurrency`, but at least 10.
   */
  readonly maxDetached?: number;
  /**
   * How many runs are kept in memory, waiting ones included. Those that have waited longest leave it, and are replayed when
   * they are due. Default 1000.
   */
  readonly maxRuns?: number;
  /**
   * Lease length in milliseconds. The runs of a worker that died are taken over by others when their leases run out: so long
   * after their last renewal. Default 15 000.
   */
  readonly leaseTtl?: number;
  /**
   * How long a step or a workflow may block the event loop before the worker lets its leases run out, in milliseconds, so
   * that others take its runs over. Until then a thread keeps the leases. Default ten times `leaseTtl`.
   */
  readonly stallTimeout?: number;
  /**
   * Longest time between two looks for due runs, in milliseconds. Notifications of the store, and the time at which the next
   * run is due, make most looks earlier. Default 1000.
   */
  readonly pollInterval?: number;
  /** How long a run that is parked as `diverged` waits before it is tried again, in milliseconds. Default 60 000. */
  readonly divergenceRetry?: number;
  /**
   * Whether a run diverges when its replay gives a step other arguments, or a hook other metadata, than the journal has.
   * Default false: the journal's are used, and a warning names the place where they differ.
   */
  readonly strictReplay?: boolean;
  /**
   * For tests: whether each run's journal is replayed cold whenever it has grown, as after a crash, with `strictReplay`. A workflow that
   * does something else the second time diverges at once. Its code is called once more for each commit. Default false.
   */
  readonly alwaysReplay?: boolean;
  /** From how many events on a run's journal is warned of: each replay reads all of it. Default 10 000. */
  readonly journalWarning?: number;
  /**
   * With how many events a run is parked as `diverged`, with nothing lost: it goes on in a worker with a higher limit. Default
   * 100 000.
   */
  readonly journalLimit?: number;
  /**
   * How long ended runs are kept, such as `{ completed: "30 days", failed: "90 days" }`. One worker at a time deletes the older ones in
   * small batches, with all that belongs to them, start keys included; never one whose parent has not ended. Default: all stay.
   */
  readonly retention?: Retention;
  /**
   * The keys with which values are encrypted before they are stored. Default: those of `configure`, if that has this World; else values
   * are stored as they are. Runs that are encrypted with other keys are left to other workers.
   */
  readonly encryption?: EncryptionOptions;
  /**
   * How often the worker writes the sign of life by which `listWorkers` knows it, in milliseconds. Default 10 000; none under a `clock`
   * of a test.
   */
  readonly heartbeat?: number;
  /**
   * Signals on which the worker closes and then lets the process end. Default `["SIGTERM", "SIGINT"]`; none under a
   * `clock` of a test. A program with a handler of its own for the signal exits when it sees fit.
   */
  readonly signals?: readonly NodeJS.Signals[];
  /** Whether the worker keeps the process alive while it is open, or only while it executes something. Default true. */
  readonly keepAlive?: boolean;
  /**
   * Where the worker reports. Default `"pretty"`: warnings and errors on the console, one line each. See
   * {@link LoggerChoice}.
   */
  readonly logger?: LoggerChoice;
  /** For tests: the time that the worker goes by, in place of the machine's. */
  readonly clock?: Clock;
  /** For tests: where ids come from. */
  readonly ids?: IdSource;
  /** For tests: random numbers in [0, 1), for the jitter of delays. */
  readonly random?: () => number;
}

/** Options of `Worker.close`. */
export interface CloseOptions {
  /**
   * How long steps that are under way may take to finish, in milliseconds. Then their signals are aborted, the attempt
   * is counted, and the run is handed over. Default 10 000.
   */
  readonly timeout?: number;
}

/** The defaults; lengths in milliseconds. */
export const DEFAULTS = {
  concurrency: 100,
  leastDetached: 10,
  maxRuns: 1000,
  leaseTtl: 15_000,
  leasesUntilStalled: 10,
  pollInterval: 1000,
  divergenceRetry: 60_000,
  journalWarning: 10_000,
  journalLimit: 1_000_000,
  heartbeat: 10_000,
  closeTimeout: 10_000,
} as const;

/** The ids of the workflows that a worker is restricted to; `null` for all. */
export function workflowIdsOf(workflows: WorkerOptions["workflows"]): ReadonlySet<string> | null {
  return workflows === undefined ? null : new Set(workflows.map(toWorkflowId));
}

function toWorkflowId(workflow: unknown): string {
  if (typeof workflow === "string") return workflow;
  const id = workflowIdOf(workflow);
  if (id === undefined)
    throw new WorkflowNotRegisteredError((workflow as { name?: string })?.name ?? String(workflow));
  return id;
}

const WORKER_OPTIONS: OptionNames<WorkerOptions> = {
  world: true,
  workflows: true,
  concurrency: true,
  maxDetached: true,
  maxRuns: true,
  leaseTtl: true,
  stallTimeout: true,
  pollInterval: true,
  divergenceRetry: true,
  strictReplay: true,
  alwaysReplay: true,
  journalWarning: true,
  journalLimit: true,
  retention: true,
  heartbeat: true,
  encryption: true,
  signals: true,
  keepAlive: true,
  logger: true,
  clock: true,
  ids: true,
  random: true,
};

/** @throws {TypeError} for an option that there is not, or that is out of range */
export function checkOptions(options: WorkerOptions): void {
  checkOptionNames("createWorker()", options, WORKER_OPTIONS);
  for (const name of [
    "concurrency",
    "maxDetached",
    "maxRuns",
    "leaseTtl",
    "stallTimeout",
    "pollInterval",
    "divergenceRetry",
    "journalWarning",
    "journalLimit",
    "heartbeat",
  ] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 1)) {
      throw new TypeError(`createWorker({ ${name} }): must be a number of at least 1, got ${value}.`);
    }
  }
  retentionLimits(options.retention);
}
