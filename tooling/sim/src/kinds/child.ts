import { sleep } from "@perdure/core";
import { start } from "@perdure/core/api";
import { WorkflowRunCancelledError } from "@perdure/core/errors";
import type { MemoryRun } from "@perdure/core/testing";
import { isTerminal, type JournalEvent, type RunRecord, type RunStatus } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { type RunFold, valueIn } from "../fold.ts";
import { goesOnFor } from "../line.ts";
import type { ChildNode, Node } from "../program.ts";
import { makesPlace } from "./concurrency.ts";
import {
  type Kind,
  type Maker,
  type NodeKinds,
  notAsked,
  type RunMessage,
  type Scope,
  type StoreView,
  type SystemCall,
  type Value,
} from "./kind.ts";
import { type Alternatives, OF_ANOTHER } from "./outcomes.ts";
import { isOwnCancel } from "./own-cancel.ts";
import { isReplaced } from "./start-key.ts";
import { callOf, systemStepsOf, undone } from "./system-step.ts";

/** Runs that a workflow starts. */

export const childNodes: NodeKinds<"child"> = {
  child: { execute: async (node, scope) => await child(node, scope), gives },
};

async function child(
  { name, root, how, ms, onParentEnd, key }: ChildNode,
  { others, workflow }: Scope,
): Promise<Value> {
  // Whoever wants the same run asks with the same arguments.
  const started = start(workflow, [name, root, key === null ? others : {}], {
    ...(onParentEnd !== null && { onParentEnd }),
    ...(key !== null && { idempotencyKey: key }),
  });
  if (how === "forget") {
    started.catch(() => {});
    return "started";
  }
  const run = await started;
  if (how === "start") return "started";
  if (how === "cancel") {
    await sleep(ms);
    await run.cancel({ reason: "simulated" });
  }
  try {
    return await run.returnValue;
  } catch (error) {
    if (WorkflowRunCancelledError.is(error) && !isOwnCancel(error)) return "child cancelled";
    throw error;
  }
}

function gives({ how, root, key }: ChildNode, outcomesOf: (node: Node) => Alternatives): Alternatives {
  if (how === "start" || how === "forget") return ["started"];
  // Nobody else cancels a child whose parent still awaits it, unless it is the child of another as well.
  return how === "await" && key === null
    ? [...outcomesOf(root), OF_ANOTHER]
    : [...outcomesOf(root), "child cancelled"];
}

/** A child: a smaller program, or one of those that others want as well. */
export function newChild(maker: Maker): Node {
  const { random, around } = maker;
  const how = random.pick(["await", "await", "await", "cancel", "start", "forget"] as const);
  const onParentEnd = random.pick([null, null, "cancel", "leave"] as const);
  const child = { type: "child", how, onParentEnd, ms: random.pick([0, 10, 300, 2000]) } as const;
  const n = random.int(0, around.keyed.length * 3);
  const wanted = around.keyed[n];
  if (wanted !== undefined) return { ...child, name: `keyed ${n}`, root: wanted, key: `keyed ${n}` };
  return { ...child, name: `${maker.name} child ${maker.count()}`, root: maker.child(), key: null };
}

/** A run that `start_run` or `run_once` is asked for, as far as laws are about it. */
export interface ChildCall {
  readonly runId: string;
  /** `undefined`: it is cancelled if its parent ends cancelled. */
  readonly onParentEnd: string | undefined;
  readonly key: string | undefined;
}

export function childIn({ input }: SystemCall): ChildCall {
  const { run } = input as {
    readonly run: {
      readonly runId: string;
      readonly attributes: Readonly<Record<string, string>>;
      readonly key: { readonly key: string } | null;
    };
  };
  return { runId: run.runId, onParentEnd: run.attributes.$onParentEnd, key: run.key?.key };
}

/** The runs that a run asked to have started itself. */
function childrenOf(fold: RunFold | undefined): readonly ChildCall[] {
  if (fold === undefined) return [];
  const { asked, own } = systemStepsOf(fold);
  return [...asked.values()].filter(({ id, name }) => name === "start_run" && own.has(id)).map(childIn);
}

export const childKind: Kind = {
  events: {
    children_tied: { read: (fold, event) => fold.beforeBegin(event) },
    run_again: { after: true, read: (fold, event) => fold.ofAnother(event) },
  },
  laws: {
    event: checkStarted,
    started: checkAskedFor,
    messages: { cancel_requested: checkCancel },
    owes({ row }, fold) {
      const child = childrenOf(fold).find((call) => mustCancel(call, row.status));
      return (
        undone(fold, "start_run") ??
        (child === undefined ? null : `its child ${child.runId} is to be cancelled`)
      );
    },
    done(view, fold) {
      for (const call of childrenOf(fold)) {
        if (!isStarted(view, call)) notDone(fold.runId, `its child ${call.runId} was not started`);
      }
    },
    over: checkCancelled,
  },
};

/** The result of a start is the run that was asked for, or the one with its key. */
export function checkStarted(view: StoreView, fold: RunFold, event: JournalEvent, name = "start_run"): void {
  const call = callOf(fold, event, name);
  if (event.type !== "system_step_completed" || call === null) return;
  const { runId: asked, key } = childIn(call);
  const value = String(valueIn<unknown>(event));
  const row = view.state.runs.get(value)?.row;
  if (key === undefined ? row?.runId === asked : row?.idempotencyKey === key) return;
  throw new LawBroken("children are started once", `${asked} was asked for, ${value} given`, fold.runId);
}

function checkAskedFor(view: StoreView, { runId, attributes: { $parent: parent } }: RunRecord): void {
  // One that goes on for a child was asked for by a retry.
  if (view.state.runs.get(runId)?.journal[1]?.type === "run_forked") return;
  if (parent === undefined || childrenOf(view.fold(parent)).some((child) => child.runId === runId)) return;
  throw new LawBroken("effects were asked for", `run ${parent} did not ask for this child`, runId);
}

/** A cancel that no client sent follows from the end of the parent. */
function checkCancel(view: StoreView, message: RunMessage): void {
  const { messageId, to } = message;
  const { state, fold } = view;
  if (messageId.startsWith("msg_") || messageId.startsWith("sys_")) return;
  const target = state.runs.get(to.runId)?.row;
  // Another run has the key under which it was to be started; or another start takes its place.
  if (target === undefined || isReplaced(target) || makesPlace(target)) return;
  const { $parent: parent = "" } = target.attributes;
  const status = state.runs.get(parent)?.row.status;
  const child = childrenOf(fold(parent)).find(({ runId }) => goesOnFor(view, to.runId, runId));
  // Also of a retry of the parent, which has its children.
  const line = [...state.runs.values()].filter(({ row }) => goesOnFor(view, row.runId, parent));
  const due =
    child !== undefined && line.some(({ row }) => isTerminal(row.status) && mustCancel(child, row.status));
  if (status === undefined || !isTerminal(status) || !due) notAsked(message, `its parent is ${status}`);
}

function mustCancel({ onParentEnd }: ChildCall, status: RunStatus): boolean {
  return onParentEnd === "cancel" || (onParentEnd === undefined && status === "cancelled");
}

function checkCancelled({ state }: StoreView, { row }: MemoryRun, fold: RunFold): void {
  for (const call of childrenOf(fold)) {
    const child = state.runs.get(call.runId);
    if (child === undefined || !mustCancel(call, row.status) || isTerminal(child.row.status)) continue;
    if (child.mailbox.some(({ type }) => type === "cancel_requested")) continue;
    notDone(row.runId, `its child ${call.runId} was not cancelled`);
  }
}

function isStarted({ state }: StoreView, { runId, key }: ChildCall): boolean {
  if (state.runs.has(runId)) return true;
  return key !== undefined && [...state.runs.values()].some(({ row }) => row.idempotencyKey === key);
}

function notDone(runId: string, what: string): never {
  throw new LawBroken("work after the end is done", what, runId);
}
