import { createWorker, EngineWorker, type Worker, type WorkerOptions } from "../engine/worker.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { sharedState } from "../shared-state.ts";
import { CONTRACT_VERSION, type World } from "../world/index.ts";
import { Client } from "./client.ts";

/** The process's default World, its client, and the worker that an embedded World brings along. */

export interface Configuration {
  /** The World of `start`, `getRun`, `resumeHook` … in this process. */
  readonly world: World;
  /**
   * Whether, and how, runs are executed in this process too. Default: yes with default options if the World is embedded
   * and the program has created no worker for it, else no.
   */
  readonly worker?: boolean | Omit<WorkerOptions, "world">;
}

interface RuntimeState {
  configuration: Configuration | null;
  makeDefaultWorld: (() => World) | null;
  readonly clients: WeakMap<World, Client>;
  /** The worker that came without being asked for, and its start. */
  readonly ownWorkers: WeakMap<World, { readonly worker: Worker; readonly opened: Promise<void> }>;
  /** Worlds for which the program has created a worker, which may have been closed since. */
  readonly staffed: WeakSet<World>;
}

function state(): RuntimeState {
  const shared = sharedState();
  shared.runtime ??= {
    configuration: null,
    makeDefaultWorld: null,
    clients: new WeakMap(),
    ownWorkers: new WeakMap(),
    staffed: new WeakSet(),
  } satisfies RuntimeState;
  return shared.runtime as RuntimeState;
}

/**
 * Says where this process keeps its runs and whether it executes them. Call it before the first `start`.
 *
 * @throws {WorkflowRuntimeError} for a World of another contract version
 */
export function configure(configuration: Configuration): void {
  checkVersion(configuration.world);
  state().configuration = configuration;
}

/** Sets the World alone; see {@link configure}. */
export function setWorld(world: World): void {
  configure({ world });
}

/** The World of this process: the configured one, or the default one. */
export function getWorld(): World {
  const runtime = state();
  if (runtime.configuration === null) {
    if (runtime.makeDefaultWorld === null) {
      throw new WorkflowRuntimeError(
        "No World is configured. Call configure({ world }), or import from the package perdure, which brings SQLite along.",
      );
    }
    configure({ world: runtime.makeDefaultWorld() });
  }
  return (runtime.configuration as Configuration).world;
}

/** The World that is made when nothing was configured. The package `perdure` sets it. */
export function setDefaultWorld(make: () => World): void {
  state().makeDefaultWorld ??= make;
}

/** The client of a World, one per World and process. */
export function clientOf(world: World): Client {
  const { clients } = state();
  let client = clients.get(world);
  if (client === undefined) {
    checkVersion(world);
    client = new Client({ world });
    clients.set(world, client);
  }
  return client;
}

/** The client of the process's World; brings its worker along where one is due. */
export async function defaultClient(): Promise<Client> {
  const client = clientOf(getWorld());
  await ensureWorker(client);
  return client;
}

/** Creates a worker that new runs of this process may begin in. See {@link WorkerOptions}. */
export function createLocalWorker(options: WorkerOptions): Worker {
  const worker = localWorker(options);
  state().staffed.add(options.world);
  return worker;
}

function localWorker(options: WorkerOptions): Worker {
  checkVersion(options.world);
  const worker = createWorker(options);
  if (!(worker instanceof EngineWorker)) return worker;
  const { workers } = clientOf(options.world);
  workers.add(worker);
  const close = worker.close.bind(worker);
  worker.close = (closeOptions) => {
    workers.delete(worker);
    return close(closeOptions);
  };
  return worker;
}

/** Closes what this process opened by itself: the worker in process and the default World. */
export async function shutdown(): Promise<void> {
  const runtime = state();
  const world = runtime.configuration?.world;
  if (world === undefined) return;
  await runtime.ownWorkers.get(world)?.worker.close();
  runtime.ownWorkers.delete(world);
  runtime.clients.delete(world);
  runtime.configuration = null;
  await world.close();
}

async function ensureWorker(client: Client): Promise<void> {
  const { configuration, ownWorkers, staffed } = state();
  const { world } = client;
  const wanted = configuration?.worker ?? (world.capabilities.embedded === true && !staffed.has(world));
  if (wanted === false) return;
  let own = ownWorkers.get(world);
  if (own === undefined) {
    const options = typeof wanted === "object" ? wanted : {};
    const worker = localWorker({ keepAlive: false, ...options, world });
    // Started once: when it has closed, on a signal, what is started meanwhile is for other processes or the next start.
    own = { worker, opened: worker.start() };
    ownWorkers.set(world, own);
  }
  try {
    await own.opened;
  } catch (error) {
    if (ownWorkers.get(world) === own) ownWorkers.delete(world);
    await own.worker.close();
    throw error;
  }
}

function checkVersion(world: World): void {
  if (world?.contractVersion !== CONTRACT_VERSION) {
    throw new WorkflowRuntimeError(
      `The World "${world?.name}" speaks version ${world?.contractVersion} of the World contract, this engine version ` +
        `${CONTRACT_VERSION}. Install versions of perdure and of the World's package that belong together.`,
    );
  }
}
