import type { JournalEvent } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { type RunFold, valueIn } from "../fold.ts";
import type { StepSpec } from "../program.ts";
import { slot } from "../slot.ts";
import type { Kind, Maker, NodeKinds, Write } from "./kind.ts";
import { regainsLocks } from "./lock.ts";
import { type Alternatives, THROWS } from "./outcomes.ts";
import { steps } from "./step-body.ts";

/** Steps. The laws about their bodies are in `body-laws.ts`. */

export const stepNodes: NodeKinds<"step"> = {
  step: {
    execute: async ({ step }) => await steps[step.kind](step),
    gives: ({ step }) => outcomesOfStep(step),
  },
};

export function outcomesOfStep({ kind, end, key }: StepSpec): Alternatives {
  if (end === "fatal") return [THROWS];
  // A worker that is lost in the middle of it ends a step that is called at most once.
  return end === "mended" || kind === "once" || kind === "blind" ? [key, THROWS] : [key];
}

export function newStep(maker: Maker): StepSpec {
  const { random } = maker;
  const kind = random.pick([
    "patient",
    "patient",
    "patient",
    "default",
    "once",
    "timed",
    "asked",
    "blind",
  ] as const);
  const atMostOnce = kind === "asked" || kind === "blind";
  const failures = kind === "once" || atMostOnce ? 0 : random.pick([0, 0, 0, 1, 2, 3]);
  return {
    kind,
    key: maker.key(),
    ms: random.pick([0, 0, 1, 20, 200, 1500]),
    failures,
    how: kind === "timed" ? "hang" : random.pick(["plain", "later"] as const),
    end: !atMostOnce && random.chance(0.15) ? random.pick(["fatal", "mended"] as const) : "value",
    shielded: false,
  };
}

/** The steps of a run, as its journal has them. */
export interface Steps {
  /** Attempts that are over without success, by the step's id. */
  readonly retries: Map<string, number>;
  /** Those that have neither completed nor failed; when their next attempt is due, or `null` for at once. */
  readonly open: Map<string, number | null>;
  /** Those that have completed or failed. */
  readonly closed: Set<string>;
  /** Those whose results another run had: their bodies are not called. */
  readonly recorded: Set<string>;
  /** Those that it may ask for under the ids that they had in another run. */
  readonly again: Set<string>;
  /** Those that no cancel interrupts. */
  readonly shielded: Set<string>;
}

export const stepsOf: (fold: RunFold) => Steps = slot(() => ({
  retries: new Map(),
  open: new Map(),
  closed: new Set(),
  recorded: new Set(),
  again: new Set(),
  shielded: new Set(),
}));

export const stepKind: Kind = {
  events: {
    step_created: {
      givesId: true,
      read(fold, event) {
        const [id, of] = [event.id ?? "", stepsOf(fold)];
        of.open.set(id, null);
        of.retries.set(id, 0);
        if (valueIn<readonly [{ shielded?: boolean }]>(event)[0]?.shielded === true) of.shielded.add(id);
      },
    },
    step_retrying: { left: true, read: retrying },
    step_again: {
      after: true,
      read(fold, event) {
        fold.ofAnother(event);
        stepsOf(fold).again.add(event.id ?? "");
      },
    },
    step_recorded: {
      after: true,
      read(fold, event) {
        fold.ofAnother(event);
        stepsOf(fold).recorded.add(event.id ?? "");
        fold.recorded.add(event.id ?? "");
      },
    },
    step_completed: { read: closed },
    step_failed: { read: closed },
    run_cancel_requested: { read: giveUp },
  },
  anew: (fold) => stepsOf(fold).open.clear(),
  wakeAt: (fold) => (regainsLocks(fold) ? [] : [...stepsOf(fold).open.values()].map((due) => due ?? 0)),
  laws: { written: checkBegun },
};

function closed(fold: RunFold, event: JournalEvent): void {
  const [id, of] = [event.id ?? "", stepsOf(fold)];
  if (!of.open.delete(id) && !fold.spared.delete(id)) fold.refuse(event, "the step is not under way");
  of.closed.add(id);
}

function retrying(fold: RunFold, event: JournalEvent): void {
  const [id, of] = [event.id ?? "", stepsOf(fold)];
  const retries = of.retries.get(id);
  const isOpen = of.open.has(id);
  if (retries === undefined || !(isOpen || fold.spared.has(id)))
    fold.refuse(event, "the step is not under way");
  const { attempt, retryAt } = valueIn<{ attempt: number; retryAt: number }>(event);
  if (attempt !== retries + 1) {
    fold.broken("attempts are counted", `event ${event.seq} ends attempt ${attempt} after ${retries} others`);
  }
  of.retries.set(id, attempt);
  if (isOpen) of.open.set(id, retryAt);
}

/** A cancel lets steps end that have begun. */
function giveUp(fold: RunFold, event: JournalEvent): void {
  const { finishing } = valueIn<{ readonly finishing: readonly string[] }>(event);
  const { open } = stepsOf(fold);
  for (const id of finishing) {
    if (!open.has(id)) fold.refuse(event, `step ${id} is not under way`);
  }
  for (const id of [...open.keys()]) {
    if (finishing.includes(id)) continue;
    open.delete(id);
    fold.spared.add(id);
  }
}

/**
 * A body begins only once its `step_created` is durable, so the same commit cannot know how it ended: unless none is called, since
 * another run had the result.
 */
function checkBegun(_: unknown, { fold, row: { runId }, fresh, inherits }: Write): void {
  if (inherits) return;
  const begins = ({ type, id }: JournalEvent): boolean =>
    type === "step_created" && !stepsOf(fold).recorded.has(id ?? "");
  const created = new Set(fresh.filter(begins).map(({ id }) => id));
  for (const { type, id } of fresh) {
    if (type !== "step_retrying" && type !== "step_completed" && type !== "step_failed") continue;
    if (!created.has(id)) continue;
    throw new LawBroken("attempts are counted", `${type} of ${id} in the commit that creates it`, runId);
  }
}
