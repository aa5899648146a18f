import { TERMINATE } from "../../interpreter/kinds/cancel.ts";
import type { PendingSystemStep } from "../../interpreter/kinds/system-step.ts";
import type { Pending, Recorded } from "../../interpreter/pending.ts";
import type { Mail } from "../../world/index.ts";
import type { Attempt, AttemptResult } from "../steps/attempt.ts";
import type { Verdict } from "../steps/step-outcome.ts";

/** What a run's execution, or its journal, has to be told, in the order of arrival. */

export type Incoming =
  | AttemptEnded
  | SystemStepEnded
  | { readonly type: "due"; readonly entry: Pending }
  | { readonly type: "mail"; readonly mail: Mail };

export interface AttemptEnded {
  readonly type: "attempt_ended";
  readonly attempt: Attempt;
  readonly result: AttemptResult;
  /** What follows, where that is decided already and what must stand before it does. */
  readonly verdict?: Verdict;
}

export interface SystemStepEnded {
  readonly type: "system_step_ended";
  readonly step: PendingSystemStep;
  /** Its result, or with `failed` its error, encoded. */
  readonly data: Uint8Array | null;
  readonly failed: boolean;
}

export class Inbox {
  #items: Incoming[] = [];
  /** The next message cannot be read here; it waits until the steps that are under way have ended. */
  #mailBlocked = false;

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** The end of an attempt waits here. */
  get hasAttemptEnd(): boolean {
    return this.#items.some(({ type }) => type === "attempt_ended");
  }

  /** Another owner of the run hears all of it as well: messages stay in the store, and what is due is due there. */
  get heardElsewhere(): boolean {
    return this.#items.every(({ type }) => type === "mail" || type === "due");
  }

  /** What ends the run comes before all that waits; what came to the run that this one goes on for, in the order of that run. */
  add(incoming: Incoming): void {
    const recorded = incoming.type === "due" ? incoming.entry.recorded : undefined;
    if (isTermination(incoming)) this.#items.unshift(incoming);
    else if (recorded === undefined) this.#items.push(incoming);
    else this.#items.splice(this.#placeOf(recorded), 0, incoming);
  }

  /** The run is to end without its code. */
  get terminated(): boolean {
    const first = this.#items[0];
    return first !== undefined && isTermination(first);
  }

  /** Whether {@link take} would give something. `busy`: attempts of the run are under way. */
  hasNext(busy: boolean): boolean {
    return this.#nextIndex(busy) >= 0;
  }

  /** Takes what is delivered next. */
  take(busy: boolean): Incoming | undefined {
    const index = this.#nextIndex(busy);
    return index <= 0 ? (index === 0 ? this.#items.shift() : undefined) : this.#items.splice(index, 1)[0];
  }

  /** What was taken cannot be read here; false if nothing is left to do before it. */
  putBack(incoming: Incoming): boolean {
    this.#items.unshift(incoming);
    if (incoming.type !== "mail" || this.#mailBlocked) return false;
    this.#mailBlocked = true;
    return true;
  }

  /** A message could be read. */
  mailRead(): void {
    this.#mailBlocked = false;
  }

  /** Empties it. Returns the number of the last of the `wake` messages that it began with: they have been obeyed. */
  clear(): number | null {
    let woken: number | null = null;
    for (const incoming of this.#items) {
      if (incoming.type !== "mail" || incoming.mail.type !== "wake") break;
      woken = incoming.mail.mailSeq;
    }
    this.#items = [];
    return woken;
  }

  #placeOf(recorded: Recorded): number {
    const later = this.#items.findIndex((other) => isLater(other, recorded));
    return later < 0 ? this.#items.length : later;
  }

  #nextIndex(busy: boolean): number {
    if (this.#items.length === 0) return -1;
    if (!this.#mailBlocked || this.terminated) return 0;
    const other = this.#items.findIndex(
      (incoming) => incoming.type !== "mail" || incoming.mail.type === "cancel_requested",
    );
    return other >= 0 || busy ? other : 0;
  }
}

/** Whether what waits came later than something did that the run which this one goes on for was told. */
function isLater(other: Incoming, { at, place }: Recorded): boolean {
  if (other.type === "mail") return !isTermination(other) && other.mail.at > at;
  if (other.type !== "due") return false;
  const { recorded } = other.entry;
  return recorded === undefined || recorded.at > at || (recorded.at === at && recorded.place > place);
}

/** Whether it asks for the run's end without its code. */
function isTermination(incoming: Incoming): boolean {
  return incoming.type === "mail" && incoming.mail.type === TERMINATE;
}
