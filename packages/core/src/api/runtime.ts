import { type Clock, keptAlive, systemClock } from "../clock.ts";
import { currentContext, refuseInWorkflow } from "../context.ts";
import { registry } from "../define/registry.ts";
import { checkRetryDefaults, setRetryDefaults } from "../define/retry-policy.ts";
import { encrypted, plainWorld } from "../encryption/index.ts";
import { EngineWorker, type Worker } from "../engine/worker.ts";
import type { WorkerOptions } from "../engine/worker-options.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { checkInterceptor, configureInterceptors } from "../interceptors/index.ts";
import type { Logger } from "../logger.ts";
import { resolveLogger } from "../logger-choice.ts";
import { checkOptionNames } from "../option-names.ts";
import { setPublicUrl } from "../public-address.ts";
import { findStreamsBy } from "../streams/user.ts";
import { runsOf } from "../workflow-runs.ts";
import { CONTRACT_VERSION, type World } from "../world/index.ts";
import { Client } from "./client.ts";
import { plainStart } from "./plain-start.ts";
import { findRunsBy, type RunAccess } from "./run-access.ts";
import { type Configuration, state } from "./runtime-state.ts";

/** The process's default World, its client, and the worker that an embedded World brings along. */

/**
 * Says where this process keeps its runs, whether it executes them, and how steps are retried. Call it before the first
 * `start`. Called again it counts anew: the worker that the process brought along for the World before is closed. The World is
 * opened soon after, if a worker comes with it, and else when it is first used.
 *
 * @throws {WorkflowRuntimeError} for a World of another contract version, `TypeError` for `retry` options out of range and for keys
 *   that are none
 */
export function configure(configuration: Configuration): void {
  checkOptionNames<Configuration>("configure()", configuration, {
    world: true,
    worker: true,
    retry: true,
    url: true,
    webhookPath: true,
    clock: true,
    encryption: true,
    interceptors: true,
  });
  const { retry, url, webhookPath, worker, interceptors = [] } = configuration;
  checkVersion(configuration.world);
  for (const interceptor of interceptors) checkInterceptor("configure({ interceptors })", interceptor);
  const { encryption = typeof worker === "object" ? worker.encryption : undefined } = configuration;
  const world = encryption === undefined ? configuration.world : encrypted(configuration.world, encryption);
  if (retry !== undefined) checkRetryDefaults(retry);
  setPublicUrl(url, webhookPath);
  setClock(world, configuration.clock);
  const before = state().configuration?.world;
  state().configuration = { ...configuration, world };
  setRetryDefaults(retry);
  configureInterceptors(interceptors);
  // A module that is evaluated again, by a development server or in a second bundle, must not leave a worker behind each time.
  if (before !== undefined && before !== world) dismissOwnWorker(before);
  // In a later turn: the modules that are being loaded register their workflows, or create a worker themselves.
  systemClock.turn(() => workOff(world));
}

/** Sets the World alone; see {@link configure}. */
export function setWorld(world: World): void {
  configure({ world });
}

/** The World of this process: the configured one, with its encryption, or the default one. */
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

/** The clock that this process goes by on a World, if a test has set one. */
export function configuredClock(world: World): Clock | undefined {
  return state().clocks.get(plainWorld(world));
}

/** Sets the clock that this process goes by on a World; `undefined`: the machine's. */
export function setClock(world: World, clock: Clock | undefined): void {
  const { clocks, clients } = state();
  const plain = plainWorld(world);
  // A client that was made before goes by another one.
  if (clocks.get(plain) !== clock) for (const each of [world, worldInUse(plain)]) clients.delete(each);
  if (clock === undefined) clocks.delete(plain);
  else clocks.set(plain, clock);
}

function clockOf(world: World): { readonly clock?: Clock } {
  const clock = configuredClock(world);
  return clock === undefined ? {} : { clock };
}

/** A World as this process uses it: with the encryption that `configure`, or else a worker, was given for it. */
export function worldInUse(world: World): World {
  return configured(world) ?? state().encryptedBy.get(world) ?? world;
}

/** The World of {@link configure}, if it is this one. */
function configured(world: World): World | undefined {
  const known = state().configuration?.world;
  return known !== undefined && plainWorld(known) === world ? known : undefined;
}

/** The client of a World, one per World and process. */
export function clientOf(given: World): Client {
  const { clients } = state();
  const world = worldInUse(given);
  let client = clients.get(world);
  if (client === undefined) {
    checkVersion(world);
    world.useStarts?.(plainStart);
    client = new Client({
      world,
      ...clockOf(world),
      logger: loggerOf(world),
      prepare: () => ensureWorker(world),
    });
    clients.set(world, client);
  }
  return client;
}

/** The client of the process's World. */
export function defaultClient(): Client {
  return clientOf(getWorld());
}

/**
 * The client for the code that is calling: in a step that of its run's World, else that of the process's.
 *
 * @throws {NonDeterminismError} in a workflow, where nothing would record what `what` gives
 */
export function clientHere(what: string): Client {
  refuseInWorkflow(what);
  const context = currentContext();
  return context?.kind === "step" ? clientOf(context.world) : defaultClient();
}

/** What runs are asked by, for the code that is calling: a workflow by system steps, others by {@link clientHere}. */
export function runsHere(): RunAccess {
  const context = currentContext();
  return context?.kind === "workflow" ? runsOf(context.execution) : clientHere("getRun()");
}

findRunsBy(runsHere);
findStreamsBy(() => defaultClient().streams);

/**
 * Creates a worker, in which new runs of this process may begin. Call `start()` to let it work.
 *
 * @throws {TypeError} for an option out of range, {@link WorkflowNotRegisteredError} for a function that is no workflow
 * @example
 * ```ts
 * const worker = createWorker({ world: sqliteWorld({ path: "app.db" }) });
 * await worker.start();
 * ```
 */
export function createWorker(options: WorkerOptions): Worker {
  return staff(localWorker(options));
}

/** A worker that works off what is due and no more; new runs of this process may begin in it meanwhile. */
export function drainingWorker(options: WorkerOptions): EngineWorker {
  return staff(localWorker(options, true));
}

/** The program has a worker of its own for the World. */
function staff(worker: EngineWorker): EngineWorker {
  const { configuration, staffed } = state();
  staffed.add(worker.world);
  // One that came without being asked for gives way.
  if (configuration?.worker === undefined) dismissOwnWorker(worker.world);
  return worker;
}

/** Closes the worker that the process brought along for a World, without anybody who awaits it. */
function dismissOwnWorker(world: World): void {
  const { ownWorkers } = state();
  const own = ownWorkers.get(world);
  ownWorkers.delete(world);
  own?.worker.close().catch((error: unknown) => {
    loggerOf(world).warn("The worker that came with the World could not be closed.", { error });
  });
}

function localWorker({ encryption, ...options }: WorkerOptions, drains = false): EngineWorker {
  checkVersion(options.world);
  const world =
    encryption === undefined
      ? (configured(options.world) ?? options.world)
      : encrypted(options.world, encryption);
  const worker = new EngineWorker({ ...clockOf(world), ...options, world }, drains);
  const { encryptedBy } = state();
  if (world !== options.world && !encryptedBy.has(options.world)) encryptedBy.set(options.world, world);
  const registers = [clientOf(world).workers, state().workers];
  for (const register of registers) register.add(worker);
  const close = worker.close.bind(worker);
  worker.close = (closeOptions) => {
    for (const register of registers) register.delete(worker);
    return close(closeOptions);
  };
  return worker;
}

/**
 * The workers of this process that are at work, those included that a World brought along: for whoever looks at all of them, such as
 * a metrics exporter.
 *
 * @example
 * ```ts
 * const slotsInUse = openWorkers().reduce((sum, worker) => sum + worker.health().slots.inUse, 0);
 * ```
 */
export function openWorkers(): readonly Worker[] {
  return [...state().workers].filter(({ open }) => open);
}

/** Closes what this process opened by itself: the worker in process and the default World. */
export function shutdown(): Promise<void> {
  return keptAlive(async () => {
    const runtime = state();
    const world = runtime.configuration?.world;
    if (world === undefined) return;
    await runtime.ownWorkers.get(world)?.worker.close();
    runtime.ownWorkers.delete(world);
    runtime.clients.delete(world);
    runtime.encryptedBy.delete(plainWorld(world));
    runtime.configuration = null;
    setRetryDefaults(undefined);
    setPublicUrl(undefined, undefined);
    configureInterceptors([]);
    await world.close();
  });
}

/** Brings the worker along, without anybody who awaits it, as soon as there is something to execute. */
function workOff(world: World): void {
  const { workflows, steps, listeners } = registry;
  if (state().configuration?.world !== world || ownWorkerOptions(world) === null) return;
  if (workflows.size + steps.size === 0) {
    const onRegistered = (): void => {
      listeners.delete(onRegistered);
      systemClock.turn(() => workOff(world));
    };
    listeners.add(onRegistered);
    return;
  }
  ensureWorker(world).catch((error: unknown) => {
    loggerOf(world).error(
      "The worker of this process could not start, so nothing is executed here. The next use of Perdure tries again.",
      { world: world.name, error },
    );
  });
}

/** The options of the worker that the process brings along; `null` if it brings none. */
function ownWorkerOptions(world: World): Omit<WorkerOptions, "world"> | null {
  const { configuration, staffed } = state();
  if (configuration?.world !== world) return null;
  const wanted = configuration.worker ?? (world.capabilities.embedded === true && !staffed.has(world));
  if (wanted === false) return null;
  return wanted === true ? {} : wanted;
}

async function ensureWorker(world: World): Promise<void> {
  const options = ownWorkerOptions(world);
  if (options === null || registry.workflows.size + registry.steps.size === 0) return;
  const { ownWorkers } = state();
  let own = ownWorkers.get(world);
  if (own === undefined) {
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

/** Where the process reports of a World. */
export function loggerOf(world: World): Logger {
  return resolveLogger(ownWorkerOptions(world)?.logger);
}

function checkVersion(world: World): void {
  if (world?.contractVersion !== CONTRACT_VERSION) {
    throw new WorkflowRuntimeError(
      `The World "${world?.name}" speaks version ${world?.contractVersion} of the World contract, this engine version ` +
        `${CONTRACT_VERSION}. Install versions of perdure and of the World's package that belong together.`,
    );
  }
}
