import type { EncryptionOptions, LogFields, Logger, WorkerOptions } from "@perdure/core/runtime";
import {
  Client,
  type Clock,
  deploy,
  EngineWorker,
  MemoryState,
  memoryWorld,
  type VirtualClock,
  virtualClock,
} from "@perdure/core/testing";
import type { JournalEvent, RunRecord, World } from "@perdure/core/world";
import { onTestFinished } from "vitest";
import { encrypted } from "../../src/encryption/index.ts";

/** A whole cluster in one test: a store, a clock that the test moves, clients and workers on them, and their faults. */

/** What a test does to the store calls of one worker: called before each verb, and before its answer. */
export type Fault = (operation: string) => void | Promise<void>;

export interface LogEntry {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: LogFields;
}

/** One worker process, as far as the others can tell. */
export interface Process {
  readonly worker: EngineWorker;
  readonly world: World;
  readonly logs: readonly LogEntry[];
  /** From now on nothing that it asks the store is answered, and nothing it says arrives. */
  kill(): void;
  /** Puts a fault before every further call of the store, in place of the last one. */
  fault(fault: Fault | null): void;
}

export interface Cluster {
  readonly clock: VirtualClock;
  readonly state: MemoryState;
  readonly world: World;
  readonly client: Client;
  /** A started worker; after the test it is closed, also a killed one, which still has its share of the globals. */
  process(options?: Partial<WorkerOptions>): Promise<Process>;
  /** Lets everything happen that happens without waiting. */
  settle(): Promise<void>;
  /** What the promise settles with, moving the clock on as long as it takes. */
  until<T>(promise: PromiseLike<T>): Promise<T>;
  /** Moves the clock on until the condition holds. */
  when(condition: () => boolean | Promise<boolean>): Promise<void>;
  row(runId: string): RunRecord;
  journal(runId: string): readonly JournalEvent[];
  /** The types of a run's events, in order. */
  types(runId: string): readonly string[];
}

/** The lease length of the workers, in ms, unless a test says otherwise. */
export const LEASE = 15_000;

/**
 * @param options.storeClock the store judges by a clock of its own, as a database server does
 * @param options.encryption the keys that the client has; those of a process are its own
 */
export function cluster(
  options: { readonly storeClock?: boolean; readonly encryption?: EncryptionOptions } = {},
): Cluster {
  // Each test is a program of its own.
  deploy();
  const clock = virtualClock();
  const state = new MemoryState();
  const store = { state, ...(options.storeClock === true && { clock: () => clock.now() }) };
  const world = withKeys(memoryWorld(store), options.encryption);
  const client = new Client({ world, clock, logger: "silent" });

  async function until<T>(promise: PromiseLike<T>): Promise<T> {
    let settled = false;
    const over = () => {
      settled = true;
    };
    promise.then(over, over);
    await when(() => settled);
    return await promise;
  }

  async function when(condition: () => boolean | Promise<boolean>): Promise<void> {
    await clock.advance(0);
    for (let timers = 0; !(await condition()); timers++) {
      if (timers === 20_000) throw new Error("The cluster does nothing any more that the test waits for.");
      await clock.advanceToNext();
    }
  }

  const journal = (runId: string) => state.runs.get(runId)?.journal ?? [];
  return {
    clock,
    state,
    world,
    client,
    async process({ encryption, ...options } = {}) {
      let killed = false;
      let fault: Fault | null = null;
      const logs: LogEntry[] = [];
      const log =
        (level: keyof Logger) =>
        (message: string, fields: LogFields = {}) =>
          void logs.push({ level, message, fields });
      const beforeOperation = (operation: string) =>
        killed ? new Promise<never>(() => {}) : fault?.(operation);
      const own = withKeys(memoryWorld({ ...store, beforeOperation }), encryption);
      const worker = new EngineWorker({
        world: own,
        clock,
        random: () => 0.5,
        logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
        ...options,
      });
      await worker.start();
      onTestFinished(async () => {
        killed = false;
        fault = null;
        await until(worker.close({ timeout: 0 }));
      });
      return {
        worker,
        world: own,
        logs,
        kill() {
          killed = true;
        },
        fault(next) {
          fault = next;
        },
      };
    },
    settle: () => clock.advance(0),
    until,
    when,
    row: (runId) => state.runs.get(runId)?.row as RunRecord,
    journal,
    types: (runId) => journal(runId).map(({ type }) => type),
  };
}

function withKeys(world: World, encryption: EncryptionOptions | undefined): World {
  return encryption === undefined ? world : encrypted(world, encryption);
}

/** The clock of a machine whose time of day is set wrong by `ms()`; its monotonic time is right. */
export function skewed(clock: Clock, ms: () => number): Clock {
  return {
    ...clock,
    now: () => clock.now() + ms(),
    setTimer: (at, fn) => clock.setTimer(at - ms(), fn),
  };
}

/** A promise that the test settles, for steps that must be under way. */
export interface Gate<T = void> {
  readonly promise: Promise<T>;
  open(value: T): void;
  fail(error: unknown): void;
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void;
  let fail!: (error: unknown) => void;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  promise.catch(() => {});
  return { promise, open, fail };
}
