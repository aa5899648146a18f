import { sleep } from "@perdure/core";
import { type RunFold, valueIn } from "../fold.ts";
import type { Node } from "../program.ts";
import { slot } from "../slot.ts";
import { type Kind, type Maker, type NodeKinds, notAsked, type RunMessage, type StoreView } from "./kind.ts";

/** Sleeps, also those that limit how long a lock is waited for. */

export const waitNodes: NodeKinds<"sleep" | "limit"> = {
  sleep: {
    async execute({ ms }) {
      await sleep(ms);
      return null;
    },
    gives: () => [null],
  },
  limit: {
    execute: async ({ node, ms }, { execute }) =>
      await Promise.race([execute(node), sleep(ms).then(() => "late")]),
    gives: ({ node }, outcomesOf) => [...outcomesOf(node), "late"],
  },
};

export function newSleep({ random }: Maker): Node {
  return { type: "sleep", ms: random.pick([0, 1, 10, 300, 2000, 15_000]) };
}

/** The sleeps of a run, as its journal has them. */
export interface Waits {
  /** Those that are not over, with their wake-up times. */
  readonly open: Map<string, number>;
  /** Those that limit something else, by the id of that. */
  readonly limits: Map<string, string>;
  /** Those that somebody ends early. */
  readonly stopped: Set<string>;
  /** The wake-up times of those that have ended in the run before, where somebody may have ended them early. */
  readonly before: Set<number>;
}

export const waitsOf: (fold: RunFold) => Waits = slot(() => ({
  open: new Map(),
  limits: new Map(),
  stopped: new Set(),
  before: new Set(),
}));

/** The runs whose sleeps somebody ends. */
export const wokenOf: (view: StoreView) => Set<string> = slot(() => new Set());

/** What a sleep limits is over, and so is the sleep. */
export function liftLimit(fold: RunFold, id: string): void {
  const { limits, open } = waitsOf(fold);
  const limit = limits.get(id);
  if (limit === undefined) return;
  open.delete(limit);
  fold.spared.delete(limit);
}

export const waitKind: Kind = {
  events: {
    wait_created: {
      givesId: true,
      read(fold, event) {
        const { open, limits } = waitsOf(fold);
        open.set(event.id ?? "", valueIn<number>(event));
        if (event.name !== null) limits.set(event.name, event.id ?? "");
      },
    },
    wait_recorded: {
      after: true,
      read(fold, event) {
        fold.ofAnother(event);
        waitsOf(fold).before.add(valueIn<{ readonly dueAt: number }>(event).dueAt);
      },
    },
    wait_completed: {
      read(fold, event) {
        const [id, { open, stopped, before }] = [event.id ?? "", waitsOf(fold)];
        if (fold.spared.delete(id)) return;
        const due = open.get(id);
        if (due === undefined) fold.refuse(event, "the sleep is not under way");
        else if (event.at < due && !stopped.has(id) && !before.has(due) && !fold.inheriting)
          fold.refuse(event, `the sleep ends at ${due}`);
        open.delete(id);
      },
    },
    run_cancel_requested: {
      read(fold) {
        const { open } = waitsOf(fold);
        for (const id of open.keys()) fold.spared.add(id);
        open.clear();
      },
    },
  },
  got(fold, mailbox) {
    const { stopped } = waitsOf(fold);
    for (const { type, id } of mailbox) if (type === "stop_sleep" && id !== null) stopped.add(id);
  },
  anew: (fold) => waitsOf(fold).open.clear(),
  wakeAt: (fold) => [...waitsOf(fold).open.values()],
  laws: { messages: { stop_sleep: checkWoken } },
};

function checkWoken(view: StoreView, message: RunMessage): void {
  if (!wokenOf(view).has(message.to.runId)) notAsked(message, "nobody ends its sleeps");
}
