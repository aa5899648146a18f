import { shield, sleep } from "@perdure/core";
import { isPlanted } from "../planted.ts";
import type { StepSpec } from "../program.ts";
import type { Kind, Maker, NodeKinds } from "./kind.ts";
import { newStep } from "./step.ts";
import { steps } from "./step-body.ts";

/** Cancel requests, and what no cancel interrupts. */

export const cancelNodes: NodeKinds<"shielded"> = {
  shielded: {
    execute: async ({ step, rest }) => await shielded(step, rest),
    gives: ({ step }) => [step.key],
  },
};

/** A step and a sleep that no cancel interrupts. */
export async function shielded(spec: StepSpec, rest: number): Promise<string> {
  const work = async (): Promise<string> => {
    const value = await steps.patient(spec);
    if (rest > 0) await sleep(rest);
    return value;
  };
  return await (isPlanted("shield-with-a-hole") ? work() : shield(work));
}

export function newShieldedStep(maker: Maker): StepSpec {
  return { ...newStep(maker), kind: "patient", failures: 0, end: "value", shielded: true };
}

export const cancelKind: Kind = {
  events: {
    run_cancel_requested: {
      read(fold) {
        // Who ends a run without its code does not look at what it was asked before.
        if (fold.cancelRequested) fold.ending = true;
        fold.cancelRequested = true;
      },
    },
  },
};
