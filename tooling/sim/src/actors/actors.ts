import type { Network, Scheduler, Trace } from "@perdure/simulator/cluster";
import { newProcess, processWorld, type Random, randomOf, type SimProcess } from "@perdure/simulator/cluster";
import type { Fault, SimConfig } from "../config.ts";
import type { Store } from "../store.ts";
import type { Actor } from "./actor.ts";
import { checkCounts, count } from "./counter.ts";
import { checkHeard, createLoop, sendToLoop, tendLoop } from "./loop.ts";

/**
 * Parts of the World that the engine does not use yet, used by small actors of the simulation: a run that begins its journal
 * anew again and again, and a record that several count in.
 */

export interface ActorsOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly store: Store;
  readonly trace: Trace;
  readonly config: SimConfig;
  readonly on: (fault: Fault) => boolean;
  readonly fail: (error: unknown) => void;
}

const PLACES = 3;
/** In so many clusters there are actors. */
const SHARE = 0.3;

export class Actors {
  readonly #options: ActorsOptions;
  readonly #random: Random;
  readonly #places: (Actor | null)[] = [];
  #born = 0;
  #sender: Actor | null = null;

  constructor(options: ActorsOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed, "actors");
  }

  /** Begins, if there are actors in this cluster. */
  async begin(): Promise<void> {
    if (!this.#random.chance(SHARE)) return;
    const sender = this.#boot(PLACES, "sender", false);
    this.#sender = sender;
    await createLoop(sender);
    for (let place = 0; place < PLACES; place++) this.#start(place);
    await sendToLoop(sender);
  }

  /** Nothing is left to do. */
  get done(): boolean {
    return this.#sender === null || (this.#over && checkCounts(this.#options.store.state, PLACES));
  }

  /** Kills one of the actors; false if it is none. */
  kill(process: SimProcess): boolean {
    const place = this.#places.findIndex((actor) => actor?.process === process);
    if (place < 0) return false;
    const { scheduler, trace, config } = this.#options;
    trace.add(scheduler.now, process.name, "is killed");
    scheduler.kill(process);
    this.#places[place] = null;
    const down = this.#random.int(0, config.leaseTtl * 2);
    scheduler.at(scheduler.now + down, (this.#sender as Actor).process, () => this.#start(place));
    return true;
  }

  /** Everything is over. */
  check(): void {
    if (this.#sender !== null) checkHeard(this.#options.store.state);
  }

  get #over(): boolean {
    return this.#options.store.state.runs.get("loop")?.row.status === "completed";
  }

  #start(place: number): void {
    const { scheduler, fail } = this.#options;
    const actor = this.#boot(place, `actor${place}.${this.#born++}`, true);
    this.#places[place] = actor;
    scheduler.turn(actor.process, () => {
      tendLoop(actor).catch(fail);
      count(actor).catch(fail);
    });
  }

  #boot(place: number, name: string, mortal: boolean): Actor {
    const { seed, scheduler, network, store, config, fail } = this.#options;
    const process = newProcess(scheduler, name, mortal);
    return {
      place,
      process,
      world: processWorld(network, store.world, process),
      random: randomOf(seed, name),
      leaseTtl: config.leaseTtl,
      over: () => this.#over,
      fail,
    };
  }
}
