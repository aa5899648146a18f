import { decode, type MemoryRun, type MemoryState } from "@perdure/core/testing";
import type { Message } from "@perdure/core/world";
import type { Checks } from "./checks.ts";
import { LawBroken } from "./failure.ts";
import type { RunFold } from "./fold.ts";

/**
 * What becomes of payloads. A payload that was answered `delivered` is in one run's mailbox. There it is taken by the code, or
 * the run ends without having taken it and then offers it, once, to whoever has the token at that time. It is lost only if nobody
 * has it then. So of all runs that got a payload each but the last has offered it, and one at most has taken it.
 */

/** What the code of a run did with a payload. */
type Fate = "taken" | "not taken" | "dropped" | "unknown";

export class Payloads {
  readonly #state: MemoryState;
  readonly #checks: Checks;
  /** The ids under which a payload was offered by runs that had ended, by token and value. */
  readonly #offers: Map<string, Set<string>> = new Map();

  constructor(state: MemoryState, checks: Checks) {
    this.#state = state;
    this.#checks = checks;
  }

  /** A message is sent to a hook. */
  sent({ messageId, to, type, data }: Message): void {
    if (type !== "hook_received" || !("name" in to) || !messageId.startsWith("told_")) return;
    const payload = `${to.name} ${String(decode(data))}`;
    const offers = this.#offers.get(payload);
    if (offers === undefined) this.#offers.set(payload, new Set([messageId]));
    else offers.add(messageId);
  }

  /** Everything is over. */
  check(): void {
    const fates = new Map<string, { readonly runId: string; readonly fate: Fate }[]>();
    for (const run of this.#state.runs.values()) {
      const fold = this.#checks.fold(run.row.runId);
      if (fold === undefined) continue;
      for (const [payload, fate] of this.#fatesIn(run, fold)) {
        const known = fates.get(payload);
        if (known === undefined) fates.set(payload, [{ runId: run.row.runId, fate }]);
        else known.push({ runId: run.row.runId, fate });
      }
    }
    for (const [payload, places] of fates) this.#checkOne(payload, places);
  }

  #checkOne(payload: string, places: readonly { readonly runId: string; readonly fate: Fate }[]): void {
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
    const { runId, status } = run.row;
    const end = this.#checks.readAtEnd(runId);
    // Its code was not executed to its end, so nobody knows what it would have taken.
    const unheard = status === "cancelled" && run.journal.at(-2)?.type === "run_cancel_requested";
    const places = new Map<string, number>();
    return run.mailbox.flatMap(({ mailSeq, type, id, data }) => {
      const token = fold.tokens.get(id ?? "");
      if (type !== "hook_received" || id === null || token === undefined) return [];
      const place = places.get(id) ?? 0;
      places.set(id, place + 1);
      const received = fold.payloads.get(id)?.length ?? 0;
      const taken = received - (fold.left[id] ?? 0);
      const read: Fate = unheard ? "unknown" : place < taken ? "taken" : "not taken";
      const fate = mailSeq > end ? "not taken" : place < received ? read : "dropped";
      return [[`hook:${token} ${String(decode(data))}`, fate] as const];
    });
  }
}
