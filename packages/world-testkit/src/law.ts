import type { OperationProbe, World } from "@perdure/core/world";
import { checkInvariants } from "./invariants/index.ts";
import type { CreateTarget, Stored, UserTransaction, WorldTarget } from "./target.ts";

/** How a law is written down and run; no test runner in here, so that a law can also be run from a program. */

/** One law of the contract, as cases that fail where it is broken. */
export interface Law {
  readonly name: string;
  /** Title of the case → the case. It rejects when the law is broken. */
  readonly cases: Readonly<Record<string, (stage: Stage) => Promise<void>>>;
}

/** What a case works with: Worlds on one store of its own. */
export class Stage {
  readonly #create: CreateTarget;
  readonly #target: WorldTarget;
  readonly #worlds = new Set<World>();
  readonly #others: Stage[] = [];

  private constructor(create: CreateTarget, target: WorldTarget) {
    this.#create = create;
    this.#target = target;
  }

  /** Makes a store. End it with {@link end}. */
  static async on(create: CreateTarget): Promise<Stage> {
    return new Stage(create, await create());
  }

  /** A stage on another new store, for a case that is about new stores. Ends with this one. */
  async another(): Promise<Stage> {
    const other = await Stage.on(this.#create);
    this.#others.push(other);
    return other;
  }

  /** Another World on the store, opened. */
  async open(beforeOperation?: OperationProbe): Promise<World> {
    const world = await this.connect(beforeOperation);
    await world.open();
    return world;
  }

  /** Another World on the store, not yet opened. */
  async connect(beforeOperation?: OperationProbe): Promise<World> {
    const world = await this.#target.open(beforeOperation === undefined ? {} : { beforeOperation });
    this.#worlds.add(world);
    return world;
  }

  /** Another World on the store that goes by the store's clock; leaves the case where there is none. */
  async openByOwnClock(): Promise<World> {
    const world = await this.#target.openByOwnClock?.();
    if (world === undefined) this.skip("the target has no World that goes by its store's clock");
    this.#worlds.add(world);
    await world.open();
    return world;
  }

  /** Several Worlds on the store. */
  async openMany(count: number): Promise<readonly World[]> {
    return Promise.all(Array.from({ length: count }, () => this.open()));
  }

  /** Ends a World as SIGKILL would. */
  async kill(world: World): Promise<void> {
    this.#worlds.delete(world);
    await this.#target.kill(world);
  }

  /** How much is in the store; leaves the case where the target cannot tell. */
  async stored(): Promise<Stored> {
    if (this.#target.stored === undefined) this.skip("the target cannot count what is stored");
    return this.#target.stored();
  }

  /** Begins a transaction of a user's. */
  async begin(): Promise<UserTransaction> {
    if (this.#target.begin === undefined) {
      throw new TypeError("capabilities.joining is true, so the target needs begin(): see WorldTarget");
    }
    return this.#target.begin();
  }

  /** Whether Worlds wait while a transaction of a user's is open. */
  get oneWriter(): boolean {
    return this.#target.oneWriter ?? false;
  }

  /** Operations of Worlds cannot wait. */
  get synchronous(): boolean {
    return this.#target.synchronous ?? false;
  }

  /** Leaves the case: the World does not claim what it is about. */
  skip(reason: string): never {
    throw new CaseSkipped(reason);
  }

  /** Closes what is open and removes the store. */
  async end(): Promise<void> {
    for (const other of this.#others) await other.end();
    await Promise.allSettled([...this.#worlds].map((world) => world.close()));
    await this.#target.destroy();
  }
}

/** Thrown by {@link Stage.skip}. */
export class CaseSkipped extends Error {
  override readonly name = "CaseSkipped";
}

/**
 * Runs one case of a law on a store of its own, then the invariants on what it left behind.
 *
 * @throws what the case throws, {@link CaseSkipped} included
 */
export async function runCase(create: CreateTarget, law: Law, title: string): Promise<void> {
  const check = law.cases[title];
  if (check === undefined) throw new RangeError(`law ${law.name} has no case "${title}"`);
  const stage = await Stage.on(create);
  try {
    await check(stage);
    await checkInvariants(await stage.open());
  } finally {
    await stage.end();
  }
}

/** Runs every case of a law; rejects with the first failure. Skipped cases count as passed. */
export async function runLaw(create: CreateTarget, law: Law): Promise<void> {
  for (const title of Object.keys(law.cases)) {
    try {
      await runCase(create, law, title);
    } catch (error) {
      if (!(error instanceof CaseSkipped)) throw error;
    }
  }
}
