import { FatalError, getStepMetadata, sleep, step } from "@perdure/core";
import type { JournalEvent } from "@perdure/core/world";
import type { RunFold } from "../fold.ts";
import type { Node, StepSpec } from "../program.ts";
import { slot } from "../slot.ts";
import type { Kind, Maker, NodeKinds, NodeOf, Value } from "./kind.ts";
import { newStep } from "./step.ts";
import { body, PATIENT } from "./step-body.ts";

/** Abort signals: of a workflow that a step waits for, and of a step that a workflow waits for. */

/** It ends by its signal and by nothing else: where nobody tells it of the abort, its run does not end. */
const endless = step(
  "sim//endless",
  async (signal: AbortSignal): Promise<never> => {
    const either = AbortSignal.any([signal, getStepMetadata().signal]);
    if (!either.aborted)
      await new Promise((resolve) => either.addEventListener("abort", resolve, { once: true }));
    throw either.reason;
  },
  PATIENT,
);

const aborting = step(
  "sim//aborting",
  async (spec: StepSpec, controller: AbortController): Promise<string> => {
    controller.abort("a step has enough");
    return await body(spec);
  },
  PATIENT,
);

export const signalNodes: NodeKinds<"signal"> = {
  signal: { execute: async (node) => await abort(node), gives: () => ["aborted"] },
};

async function abort({ by, ms }: NodeOf<"signal">): Promise<Value> {
  const controller = new AbortController();
  // Not both are steps: where there is one slot, the one would wait for the other.
  return await (by === "workflow" ? ends(controller, ms) : hears(controller, by));
}

/** The workflow aborts, and a step hears of it. */
async function ends(controller: AbortController, ms: number): Promise<Value> {
  const waiting = endless(controller.signal);
  waiting.catch(() => {});
  await sleep(ms);
  controller.abort("enough");
  try {
    return await waiting;
  } catch (error) {
    if (FatalError.is(error) && error.name === "AbortError") return "aborted";
    throw error;
  }
}

/** A step aborts, and the workflow hears of it. */
async function hears(controller: AbortController, by: StepSpec): Promise<Value> {
  const { signal } = controller;
  const heard = new Promise<string>((resolve) => {
    signal.addEventListener("abort", () => resolve("aborted"), { once: true });
  });
  const [value] = await Promise.all([heard, aborting(by, controller)]);
  return value;
}

export function newSignal(maker: Maker): Node {
  const { random } = maker;
  const by = random.chance(0.5)
    ? "workflow"
    : { ...newStep(maker), kind: "patient" as const, how: "plain" as const, end: "value" as const };
  return { type: "signal", by, ms: random.pick([0, 10, 300, 2000]) };
}

const abortedOf: (fold: RunFold) => Set<string> = slot(() => new Set());

export const signalKind: Kind = {
  events: {
    signal_aborted: { read: aborted },
    abort_received: { read: aborted },
    signal_watched: {},
    signal_kept: { read: (fold, event) => fold.beforeBegin(event) },
  },
};

function aborted(fold: RunFold, event: JournalEvent): void {
  const [id, known] = [event.id ?? "", abortedOf(fold)];
  if (known.has(id)) fold.refuse(event, "the signal was aborted before");
  known.add(id);
}
