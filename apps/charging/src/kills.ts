// When processes are killed. A kill is planned by progress and not by the clock: after so many charged customers, the
// next request of the chosen process that reaches the chosen point costs that process its life, while the server holds
// the request. So every kill hits work in flight, and a seed plans the same kills on a slow machine and a fast one.
// Where there are API servers, every second kill hits one of them.

import { chosen, type Shares, seeded, seededInteger } from "./seeded.ts";
import { type Moment, type Phase, type ServerName, type Victim, victimOf } from "./servers/moments.ts";

export interface PlannedKill {
  /** The kill is due once this many customers were charged. */
  afterCharges: number;
  /** Which worker, or which API server. */
  door: number;
  server: ServerName;
  phase: Phase;
}

export interface KillPlanOptions {
  seed: number;
  kills: number;
  customers: number;
  workers: number;
  /** API servers; none by default. */
  apis?: number;
}

/** Between a charge and its answer: the customer was charged, and nobody but the payment server knows. */
const worstPoint = { server: "payment", phase: "executed" } as const;

/**
 * Where an API server can be caught: when the run has ended and its result is not recorded under the request's key, or when it
 * is recorded and not sent.
 */
const apiPoints: Shares<Phase> = [
  [0.6, "executed"],
  [0.4, "ended"],
];

/** Where a worker's request can be caught, with shares. */
const points: Shares<{ server: ServerName; phase: Phase }> = [
  [0.15, { server: "payment", phase: "arrived" }],
  [0.15, { server: "payment", phase: "ended" }],
  [0.15, { server: "receipts", phase: "executed" }],
  [0.15, { server: "receipts", phase: "arrived" }],
  [0.4, worstPoint],
];

/** Spreads the kills over the customers, so that each falls due while customers are still to be charged. */
export function planKills({ seed, kills, customers, workers, apis = 0 }: KillPlanOptions): PlannedKill[] {
  return Array.from({ length: kills }, (_, index) => {
    const progress = (index + seeded(seed, "kill moment", index)) / (kills + 1);
    const afterCharges = Math.floor(progress * customers);
    const point = seeded(seed, "kill point", index);
    if (apis > 0 && index % 2 === 1) {
      const door = seededInteger(seed, 0, apis - 1, "killed API server", index);
      return { afterCharges, door, server: "api", phase: chosen(point, apiPoints) ?? "ended" };
    }
    const door = seededInteger(seed, 0, workers - 1, "killed worker", index);
    return { afterCharges, door, ...(chosen(point, points) ?? worstPoint) };
  });
}

/** How many requests of other processes pass before a due kill takes whichever it can get. */
const patience = 3;

/** Turns a plan into kills: it is shown every moment, and says at which of them a process must die. */
export class KillSchedule {
  readonly #plan: PlannedKill[];
  readonly #customers: number;
  readonly #charged = new Set<string>();
  /** Requests under way, by process; those of a process that is dead are not among them. */
  readonly #underWay = new Map<string, Set<string>>();
  readonly #down = new Set<string>();
  #passedBy = 0;

  constructor(options: KillPlanOptions) {
    this.#plan = planKills(options);
    this.#customers = options.customers;
  }

  /** Kills that are still to come. */
  get left(): number {
    return this.#plan.length;
  }

  /** True when the process behind `moment.door` is to be killed before the request goes on. It is then held to be down. */
  observe(moment: Moment): boolean {
    if (moment.server === "payment" && moment.phase === "executed") this.#charged.add(moment.customer);
    const process = nameOf(victimOf(moment), moment.door);
    const requests = this.#requestsOf(process);
    const id = `${moment.server} ${moment.request}`;
    if (moment.phase === "arrived" && !this.#down.has(process)) requests.add(id);
    // A request that a killed process left behind is nobody's: it goes on, but no process dies of it.
    if (!requests.has(id)) return false;
    const strikes = this.#strikes(moment);
    if (moment.phase === "ended") requests.delete(id);
    if (!strikes) return false;
    this.#plan.shift();
    this.#passedBy = 0;
    this.#down.add(process);
    requests.clear();
    return true;
  }

  /** The process was started again. */
  up(victim: Victim, door: number): void {
    this.#down.delete(nameOf(victim, door));
  }

  #requestsOf(process: string): Set<string> {
    const requests = this.#underWay.get(process) ?? new Set<string>();
    this.#underWay.set(process, requests);
    return requests;
  }

  #strikes(moment: Moment): boolean {
    const [due] = this.#plan;
    if (due === undefined || this.#charged.size < due.afterCharges) return false;
    if (moment.server !== due.server || moment.phase !== due.phase) return false;
    if (moment.door === due.door || this.#passedBy === patience) return true;
    // Near the end there may be no other request to wait for.
    if (this.#customers - this.#charged.size <= patience) return true;
    this.#passedBy++;
    return false;
  }
}

function nameOf(victim: Victim, door: number): string {
  return `${victim} ${door}`;
}
