import { getRun } from "@perdure/core/api";
import {
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRunNotFoundError,
} from "@perdure/core/errors";
import { decode, type MemoryRun } from "@perdure/core/testing";
import { isTerminal, type JournalEvent, type Mail, type RunRecord } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { type RunFold, sameBytes, valueIn } from "../fold.ts";
import { goesOnFor } from "../line.ts";
import type { Node } from "../program.ts";
import {
  type Kind,
  type Maker,
  type NodeKinds,
  notAsked,
  type RunMessage,
  type StoreView,
  type Value,
} from "./kind.ts";
import { isOwnCancel } from "./own-cancel.ts";
import { isOver } from "./run.ts";
import { callOf, lockAskedIn, systemStepsOf } from "./system-step.ts";

/** Waiting for the end of a run. */

export const watchNodes: NodeKinds<"watch"> = {
  watch: {
    execute: async ({ program }, { others }) => await watch(others[program]),
    gives: () => ["watched completed", "watched failed", "watched cancelled", "nobody"],
  },
};

/** Waits for a run of another program, from two places. */
async function watch(runId: string | undefined): Promise<Value> {
  const run = getRun<Value>(runId ?? "wrun_nobody");
  try {
    const [value, again] = await Promise.all([run.returnValue, run.returnValue]);
    if (JSON.stringify(value) !== JSON.stringify(again))
      throw new Error("two watchers were told two results");
    return "watched completed";
  } catch (error) {
    if (isOwnCancel(error)) throw error;
    if (WorkflowRunNotFoundError.is(error)) return "nobody";
    if (WorkflowRunCancelledError.is(error)) return "watched cancelled";
    if (WorkflowRunFailedError.is(error)) return "watched failed";
    throw error;
  }
}

export function newWatch({ random, around }: Maker): Node {
  return { type: "watch", program: random.int(0, around.index - 1) };
}

interface Watcher {
  readonly runId: string;
  readonly id: string;
}

export const watchKind: Kind = {
  waiting: {
    watch_run(view, runId, { id, input }) {
      // Also where that has failed, and a run goes on for it.
      const line = [...view.state.runs.values()].filter(({ row }) =>
        goesOnFor(view, row.runId, String(input)),
      );
      return line.some((watched) => isWatched(view, watched, { runId, id }));
    },
  },
  laws: {
    event: checkTold,
    messages: { watch: checkWatch, system_step_result: checkResult },
    owes: ({ row, endMail }) => (endMail.length > row.endDone ? "runs that watch it are not told" : null),
    over: checkAnswered,
  },
};

/** What it is told of a run is what the store says. */
function checkTold(view: StoreView, fold: RunFold, event: JournalEvent): void {
  const call = callOf(fold, event, "watch_run");
  if (event.type !== "system_step_completed" || call === null) return;
  const told = valueIn<RunRecord>(event);
  const row = view.state.runs.get(told.runId)?.row;
  const isIt = goesOnFor(view, told.runId, String(call.input));
  const right = isIt && row !== undefined && isTerminal(row.status) && told.status === row.status;
  if (right && sameBytes(told.output, row.output) && sameBytes(told.error, row.error)) return;
  throw new LawBroken(
    "results are told once and right",
    `it was told that run ${String(call.input)} is ${told.status}, which is ${row?.status}`,
    fold.runId,
  );
}

function checkWatch(view: StoreView, message: RunMessage): void {
  const watcher = valueIn<Watcher>(message);
  if (!watches(view, watcher, message.to.runId)) notAsked(message, `run ${watcher.runId} does not watch it`);
}

/** What an ended run tells those who watch it. */
function checkResult(view: StoreView, message: RunMessage): void {
  const { to } = message;
  const fold = view.fold(to.runId);
  const { id = "" } = to;
  if (fold !== undefined && lockAskedIn(fold, { id }) !== null) return;
  const { runId, status } = valueIn<RunRecord>(message);
  const row = view.state.runs.get(runId)?.row;
  if (!watches(view, { runId: to.runId, id }, runId)) notAsked(message, `it does not watch run ${runId}`);
  if (row?.status !== status || !isTerminal(status))
    notAsked(message, `run ${runId} is ${row?.status}, not ${status}`);
}

/** Somebody waits for the run, or for one for which it goes on. */
function watches(view: StoreView, { runId, id }: Watcher, watched: string): boolean {
  const watching = view.fold(runId);
  const call = watching === undefined ? null : callOf(watching, { id }, "watch_run");
  return call !== null && goesOnFor(view, watched, String(call.input));
}

function checkAnswered(view: StoreView, { row, endMail }: MemoryRun): void {
  for (const mail of endMail.filter(({ type }) => type === "watch")) {
    const watcher = valueIn<Watcher>(mail);
    if (isAnswered(view, watcher)) continue;
    const what = `run ${watcher.runId}, which watches it, was not told`;
    throw new LawBroken("work after the end is done", what, row.runId);
  }
}

/** A run's end will be told, or has been told, to what waits for it. */
function isWatched(view: StoreView, run: MemoryRun, watcher: Watcher): boolean {
  const asked = run.endMail.some((mail) => isFor(mail, watcher));
  return asked && (!isOver(run) || isAnswered(view, watcher));
}

function isFor({ data }: Mail, { runId, id }: Watcher): boolean {
  const watcher = decode(data) as Watcher;
  return watcher.runId === runId && watcher.id === id;
}

function isAnswered({ state, fold }: StoreView, { runId, id }: Watcher): boolean {
  const watcher = state.runs.get(runId);
  if (watcher === undefined || isTerminal(watcher.row.status)) return true;
  const watching = fold(runId);
  if (watching === undefined || !systemStepsOf(watching).open.has(id)) return true;
  return watcher.mailbox.some((mail) => mail.id === id);
}
