import { once } from "@perdure/core";
import { valueIn } from "../fold.ts";
import type { Node, StepSpec } from "../program.ts";
import { checkStarted } from "./child.ts";
import { type Kind, type Maker, type NodeKinds, notAsked, type RunMessage, type StoreView } from "./kind.ts";
import { newStep, outcomesOfStep } from "./step.ts";
import { steps } from "./step-body.ts";
import { callOf, undone } from "./system-step.ts";

/** Steps that are executed once for a key, whoever asks. */

export const onceNodes: NodeKinds<"once"> = {
  once: {
    execute: async ({ step }) => await once(step.key, steps.shared, step),
    gives: ({ step }) => outcomesOfStep(step),
  },
};

export function newOnce({ random, around }: Maker): Node {
  return { type: "once", step: random.pick(around.onces) };
}

/** A step for all. */
export function newOnceStep(maker: Maker): StepSpec {
  return { ...newStep(maker), kind: "shared", how: "plain" };
}

export const onceKind: Kind = {
  laws: {
    event: (view, fold, event) => checkStarted(view, fold, event, "run_once"),
    messages: { waits: checkWaits },
    owes: (_, fold) => undone(fold, "run_once"),
  },
};

function checkWaits({ fold }: StoreView, message: RunMessage): void {
  const waiter = valueIn<{ readonly runId: string; readonly id: string }>(message);
  const waiting = fold(waiter.runId);
  if (waiting === undefined || callOf(waiting, waiter, "run_once") === null)
    notAsked(message, `run ${waiter.runId} does not wait`);
}
