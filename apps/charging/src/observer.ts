// Who watches every request of the demo: counts what took effect, tells the page and the terminal, and kills the process that
// the schedule names while its request is held.

import type { KillSchedule } from "./kills.ts";
import type { Chronicle } from "./page/chronicle.ts";
import type { Progress } from "./progress.ts";
import { type Moment, type Victim, victimOf } from "./servers/moments.ts";

/** The processes that can be killed. */
export interface Victims {
  pid(door: number): number | undefined;
  kill(door: number): Promise<boolean>;
  start(door: number): Promise<void>;
}

export interface ObserverOptions {
  schedule: KillSchedule;
  chronicle: Chronicle;
  progress: Progress;
  victims: (victim: Victim) => Victims;
  /** Aborted when nobody is to be killed any more. */
  ended: AbortSignal;
  /** Called with the number of charged customers, whenever there is one more. */
  onCharged?: (customers: number) => void;
  /** A killed process could not be started again. */
  onFailure: (error: unknown) => void;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #done = { charge: new Set<string>(), refund: new Set<string>(), receipt: new Set<string>() };
  /** Kills that were carried out. */
  readonly kills: Record<Victim, number> = { worker: 0, api: 0 };

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** Sees a moment; the request goes on when the promise resolves. */
  readonly watch = async (moment: Moment): Promise<void> => {
    const { schedule, ended } = this.#options;
    if (moment.phase === "executed" && moment.server !== "api") this.#took(moment);
    if (schedule.observe(moment) && !ended.aborted) await this.#kill(moment);
  };

  #took({ effect, customer, replayed = false }: Moment): void {
    const { chronicle, onCharged } = this.#options;
    chronicle.add({ type: "effect", effect, customer, replayed });
    if (this.#done[effect].has(customer)) return;
    this.#done[effect].add(customer);
    this.#count();
    if (effect === "charge") onCharged?.(this.#done.charge.size);
  }

  async #kill(moment: Moment): Promise<void> {
    const { schedule, chronicle, progress, victims, onFailure } = this.#options;
    const { door } = moment;
    const victim = victimOf(moment);
    const pid = victims(victim).pid(door);
    if (!(await victims(victim).kill(door))) return;
    this.kills[victim]++;
    this.#count();
    chronicle.add({ type: "killed", victim, door });
    const line = `Killed ${nameOf[victim]} ${door} (pid ${pid}) ${caught(moment)}`;
    chronicle.add({ type: "note", line });
    progress.note(line);
    // Restarted beside the request, which goes on: its server must not wait for a process that is not its client.
    victims(victim)
      .start(door)
      .then(() => {
        schedule.up(victim, door);
        chronicle.add({ type: "restarted", victim, door });
      }, onFailure);
  }

  #count(): void {
    const { charge, receipt } = this.#done;
    const killed = this.kills.worker + this.kills.api;
    this.#options.progress.counts({ charged: charge.size, receipted: receipt.size, killed });
  }
}

const nameOf: Readonly<Record<Victim, string>> = { worker: "worker", api: "API server" };

/** Says in words where a kill hit. */
function caught({ server, effect, phase, customer }: Moment): string {
  const what = `${customer}'s ${effect}`;
  const done = effect === "receipt" ? "sent" : "made";
  if (server === "api") {
    return phase === "executed"
      ? `after the run of ${what}, before the answer was recorded`
      : `after the answer about ${what} was recorded, before it was sent`;
  }
  switch (phase) {
    case "arrived":
      return `while it waited for ${what}, not ${done} yet`;
    case "executed":
      return `after ${what} was ${done}, before the answer`;
    case "ended":
      return `right after the answer about ${what}`;
  }
}
