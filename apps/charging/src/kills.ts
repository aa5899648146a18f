// When workers are killed. A kill is planned by progress and not by the clock: after so many charged customers, the
// next request of the chosen worker that reaches the chosen point costs that worker its life, while the server holds
// the request. So every kill hits work in flight, and a seed plans the same kills on a slow machine and a fast one.

import { chosen, type Shares, seeded, seededInteger } from "./seeded.ts";
import type { Moment, Phase, ServerName } from "./servers/moments.ts";

export interface PlannedKill {
  /** The kill is due once this many customers were charged. */
  afterCharges: number;
  worker: number;
  server: ServerName;
  phase: Phase;
}

export interface KillPlanOptions {
  seed: number;
  kills: number;
  customers: number;
  workers: number;
}

/** Between a charge and its answer: the customer was charged, and nobody but the payment server knows. */
const worstPoint = { server: "payment", phase: "executed" } as const;

/** Where a request can be caught, with shares. */
const points: Shares<{ server: ServerName; phase: Phase }> = [
  [0.15, { server: "payment", phase: "arrived" }],
  [0.15, { server: "payment", phase: "ended" }],
  [0.15, { server: "receipts", phase: "executed" }],
  [0.15, { server: "receipts", phase: "arrived" }],
  [0.4, worstPoint],
];

/** Spreads the kills over the customers, so that each falls due while customers are still to be charged. */
export function planKills({ seed, kills, customers, workers }: KillPlanOptions): PlannedKill[] {
  return Array.from({ length: kills }, (_, index) => {
    const progress = (index + seeded(seed, "kill moment", index)) / (kills + 1);
    return {
      afterCharges: Math.floor(progress * customers),
      worker: seededInteger(seed, 0, workers - 1, "killed worker", index),
      ...(chosen(seeded(seed, "kill point", index), points) ?? worstPoint),
    };
  });
}

/** How many requests of other workers pass before a due kill takes whichever worker it can get. */
const patience = 3;

/** Turns a plan into kills: it is shown every moment, and says at which of them the worker must die. */
export class KillSchedule {
  readonly #plan: PlannedKill[];
  readonly #customers: number;
  readonly #charged = new Set<string>();
  /** Requests under way, by worker; those of a worker that is dead are not among them. */
  readonly #underWay = new Map<number, Set<string>>();
  readonly #down = new Set<number>();
  #passedBy = 0;

  constructor(options: KillPlanOptions) {
    this.#plan = planKills(options);
    this.#customers = options.customers;
  }

  /** Kills that are still to come. */
  get left(): number {
    return this.#plan.length;
  }

  /** True when the worker behind `moment.door` is to be killed before the request goes on. It is then held to be down. */
  observe(moment: Moment): boolean {
    if (moment.server === "payment" && moment.phase === "executed") this.#charged.add(moment.customer);
    const requests = this.#requestsOf(moment);
    const id = `${moment.server} ${moment.request}`;
    if (moment.phase === "arrived" && !this.#down.has(moment.door)) requests.add(id);
    // A request that a killed worker left behind is nobody's: it goes on, but no worker dies of it.
    if (!requests.has(id)) return false;
    const strikes = this.#strikes(moment);
    if (moment.phase === "ended") requests.delete(id);
    if (!strikes) return false;
    this.#plan.shift();
    this.#passedBy = 0;
    this.#down.add(moment.door);
    requests.clear();
    return true;
  }

  /** The worker was started again. */
  up(worker: number): void {
    this.#down.delete(worker);
  }

  #requestsOf({ door }: Moment): Set<string> {
    const requests = this.#underWay.get(door) ?? new Set<string>();
    this.#underWay.set(door, requests);
    return requests;
  }

  #strikes(moment: Moment): boolean {
    const [due] = this.#plan;
    if (due === undefined || this.#charged.size < due.afterCharges) return false;
    if (moment.server !== due.server || moment.phase !== due.phase) return false;
    if (moment.door === due.worker || this.#passedBy === patience) return true;
    // Near the end there may be no other request to wait for.
    if (this.#customers - this.#charged.size <= patience) return true;
    this.#passedBy++;
    return false;
  }
}
