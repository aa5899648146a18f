import { decode, type MemoryRun } from "@perdure/core/testing";
import type { CreateRun, JournalEvent, Mail, Message } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import type { RunFold } from "../fold.ts";
import { hooksIn } from "./hook.ts";
import type { StoreView } from "./kind.ts";
import { payloadIn } from "./payload.ts";

/**
 * What becomes of payloads. A payload that was answered `delivered` is in one run's mailbox. There it is taken by the code, or
 * the run ends without having taken it and then offers it, once, to whoever has the token at that time. It is lost only if nobody
 * has it then. So of all runs that got a payload each but the last has offered it, and one at most has taken it. What a run has from the
 * journal of the one that it goes on for, it has not got: that one has taken it. What a failed run has taken after the place from which a
 * retry goes on it offers to that one.
 */

/** The reason with which runs are terminated here. */
export const TERMINATED = "terminated";

/** What the code of a run did with a payload. */
type Fate = "taken" | "not taken" | "dropped" | "unknown";

interface Place {
  readonly runId: string;
  readonly fate: Fate;
}

/** The run was ended without that its code heard of it. */
export function isUnheard(journal: readonly JournalEvent[]): boolean {
  return journal.some(
    ({ type, data }) =>
      type === "run_cancel_requested" && (decode(data) as { readonly unheard?: true }).unheard === true,
  );
}

interface PayloadView extends StoreView {
  /** Up to which of its messages a run that has ended had consumed them before its end. */
  readonly readAtEnd: (runId: string) => number;
}

export class Payloads {
  readonly #view: PayloadView;
  /** The ids under which a payload was offered by runs that had ended, by token and value. */
  readonly #offers: Map<string, Set<string>> = new Map();
  /** Runs that go on for failed ones. */
  readonly #retries: Set<string> = new Set();

  constructor(view: PayloadView) {
    this.#view = view;
  }

  /** A message is sent to a hook. */
  sent(message: Message): void {
    const { to } = message;
    if ("name" in to) this.#offered(to.name, message);
  }

  /** A run has begun with messages. */
  starts({ runId, names, mail, events }: CreateRun): void {
    if (names.some(({ name }) => name.startsWith("successor:"))) this.#retries.add(runId);
    for (const message of mail) {
      const live = names.find(({ name, id }) => name.startsWith("hook:") && id === message.id);
      // A hook that the run before had after the place from which this one goes on.
      const again = events.find(({ type, id }) => type === "hook_again" && id === message.id);
      const name = live?.name ?? (again && `hook:${again.name}`);
      if (name !== undefined) this.#offered(name, message);
    }
  }

  #offered(name: string, { messageId, type, data }: Pick<Mail, "messageId" | "type" | "data">): void {
    if (!messageId.startsWith("told_")) return;
    const value = payloadIn({ type, data });
    if (value === null) return;
    const payload = `${name} ${value}`;
    const offers = this.#offers.get(payload);
    if (offers === undefined) this.#offers.set(payload, new Set([messageId]));
    else offers.add(messageId);
  }

  /** A payload that was answered `delivered`, and starts its run if it has to, has been read. */
  #checkArrived(payload: string, places: readonly Place[]): void {
    const fates = places.map(({ fate }) => fate);
    if (fates.includes("taken") || fates.includes("unknown")) return;
    const course = places.map(({ runId, fate }) => `${fate} by ${runId}`).join(", ");
    throw new LawBroken(
      "payloads are not lost",
      `${payload} was delivered and not read: ${course}`,
      places[0]?.runId,
    );
  }

  /**
   * Everything is over.
   *
   * @param delivered payloads that clients sent with a start beside them, as `hook:token payload`
   */
  check(delivered: Iterable<string>): void {
    const fates = new Map<string, Place[]>();
    for (const run of this.#view.state.runs.values()) {
      const fold = this.#view.fold(run.row.runId);
      if (fold === undefined) continue;
      for (const [payload, fate] of this.#fatesIn(run, fold)) {
        const known = fates.get(payload);
        if (known === undefined) fates.set(payload, [{ runId: run.row.runId, fate }]);
        else known.push({ runId: run.row.runId, fate });
      }
    }
    for (const [payload, places] of fates) this.#checkOne(payload, this.#withoutRetried(places));
    for (const payload of delivered) this.#checkArrived(payload, fates.get(payload) ?? []);
  }

  /** What a run has taken, and one that goes on for it as well, counts as taken by that one. */
  #withoutRetried(places: readonly Place[]): readonly Place[] {
    return places.map((place) => {
      const takenAgain = places.some(
        ({ runId, fate }) => fate !== "dropped" && this.#goesOnFor(runId, place.runId),
      );
      return place.fate === "taken" && takenAgain ? { ...place, fate: "not taken" } : place;
    });
  }

  #goesOnFor(runId: string, other: string): boolean {
    if (!this.#retries.has(runId)) return false;
    const before = this.#view.fold(runId)?.forkOf ?? null;
    return before !== null && (before === other || this.#goesOnFor(before, other));
  }

  #checkOne(payload: string, places: readonly Place[]): void {
    const runId = places[0]?.runId ?? null;
    const course = places.map(({ runId, fate }) => `${fate} by ${runId}`).join(", ");
    const count = (wanted: Fate): number => places.filter(({ fate }) => fate === wanted).length;
    const broken = (what: string): never => {
      throw new LawBroken("payloads are not lost", `${payload} ${what}: ${course}`, runId);
    };
    const offers = this.#offers.get(payload)?.size ?? 0;
    if (count("taken") > 1) broken("was taken twice");
    if (count("dropped") > 0) broken("was dropped by a run that went on");
    if (offers < count("not taken")) broken(`was offered only ${offers} times`);
    if (offers > count("not taken") + count("unknown")) broken(`was offered ${offers} times`);
  }

  #fatesIn(run: MemoryRun, fold: RunFold): readonly (readonly [string, Fate])[] {
    const { runId } = run.row;
    const { tokens, inherited, received, left } = hooksIn(fold);
    const end = this.#view.readAtEnd(runId);
    // Its code was not executed to its end, so nobody knows what it would have taken.
    const cancelledAtOnce =
      run.row.status === "cancelled" && run.journal.at(-2)?.type === "run_cancel_requested";
    const unheard = cancelledAtOnce || isUnheard(run.journal);
    // What one hook has not read is for the next one with its token.
    const byToken = (counts: Iterable<readonly [string, number]>): Map<string, number> => {
      const sums = new Map<string, number>();
      for (const [id, count] of counts) {
        const token = tokens.get(id) ?? "";
        sums.set(token, (sums.get(token) ?? 0) + count);
      }
      return sums;
    };
    const places = byToken(inherited);
    const receivedOf = byToken(received);
    const leftOf = byToken(Object.entries(left));
    return run.mailbox.flatMap(({ mailSeq, type, id, data }) => {
      const token = tokens.get(id ?? "");
      const value = payloadIn({ type, data });
      if (value === null || id === null || token === undefined) return [];
      const place = places.get(token) ?? 0;
      places.set(token, place + 1);
      const came = receivedOf.get(token) ?? 0;
      const taken = came - (leftOf.get(token) ?? 0);
      const read: Fate = unheard ? "unknown" : place < taken ? "taken" : "not taken";
      const fate = mailSeq > end ? "not taken" : place < came ? read : "dropped";
      return [[`hook:${token} ${value}`, fate] as const];
    });
  }
}
