import { type Clock, type ColdReplay, coldReplay, decode, type MemoryRun } from "@perdure/core/testing";
import type { JournalEvent, RunRecord } from "@perdure/core/world";
import { mayReturn, mayThrow } from "./expected.ts";
import { LawBroken } from "./failure.ts";
import type { RunFold } from "./fold.ts";
import { isUnheard, payloadIn } from "./payloads.ts";
import { awaitedCleanups, hooksOf, type Node, type StepSpec } from "./program.ts";
import type { Play } from "./stage.ts";
import type { Store } from "./store.ts";
import { type Arguments, observeCleanups, UNPLANNED, type Value } from "./workflow.ts";

/** What must hold of a run once it is over. */

const replayClock: Clock = {
  now: () => 0,
  elapsed: () => 0,
  setTimer: () => () => {},
  turn: (fn) => void setImmediate(fn),
  pause: (fn) => void setImmediate(fn),
};

/** Checks one run, whoever started it. */
export async function checkEnded(store: Store, run: MemoryRun, mayDiverge: boolean): Promise<void> {
  const { row, journal } = run;
  const root = rootOf(row, journal[0]);
  const generations = store.checks.generations(row.runId);
  const fold = store.checks.fold(row.runId);
  checkResult(store, root, row);
  if (fold?.stopped.size === 0) checkClock(row);
  checkPayloads(root, row, generations.flat(), fold?.forkOf !== null);
  checkHeard(root, row, generations.flat(), fold);
  for (const [generation, before] of generations.slice(0, -1).entries()) {
    await checkContinued({ ...row, generation }, before, generations[generation + 1] ?? []);
  }
  // A run that cannot follow its journal is cancelled without executing its code.
  if (mayDiverge && isUnheard(journal)) return;
  await checkReplay(root, row, journal);
}

/** What the run executes: a program, or the one step that `once` was asked for. */
function rootOf({ workflow }: RunRecord, created: JournalEvent | undefined): Node {
  const args = decode(created?.data ?? null);
  if (!workflow.startsWith("step:")) return (args as Arguments)[1];
  return { type: "step", step: (args as readonly [string, StepSpec])[1] };
}

/** A run that collects payloads has read all that came, over all generations, in order. */
function checkHeard(
  root: Node,
  row: RunRecord,
  journal: readonly JournalEvent[],
  fold: RunFold | undefined,
): void {
  if (root.type !== "collect" || row.status !== "completed") return;
  const came = journal.map(payloadIn).filter((value) => value !== null);
  const left = Object.values(fold?.left ?? {}).reduce((sum, count) => sum + count, 0);
  const heard = decode(row.output) as readonly string[];
  if (JSON.stringify(heard) === JSON.stringify(came.slice(0, came.length - left))) return;
  throw new LawBroken(
    "payloads are heard over generations",
    `${came.join(" ")} came, ${left} were left, ${heard.join(" ")} were heard`,
    row.runId,
  );
}

/** A replay of a generation continues with what the next one began with. */
async function checkContinued(
  row: RunRecord,
  journal: readonly JournalEvent[],
  next: readonly JournalEvent[],
): Promise<void> {
  const broken = (what: string): never => {
    throw new LawBroken("cold replay", `generation ${row.generation} ${what}`, row.runId);
  };
  // It began in the turn in which the bad version was deployed, and was over before the good one came back.
  if (journal.some(({ type, name }) => type === "step_created" && name === UNPLANNED)) return;
  let replay: ColdReplay;
  try {
    replay = await coldReplay(row, journal, replayClock);
  } catch (error) {
    return broken(String(error));
  }
  if (replay.outcome !== "continued") broken(`is ${replay.outcome}, but the run continued as new`);
  if (!same(replay.output, next[0]?.data ?? null)) broken("continues with other arguments than the run did");
}

/** The client that waited was told what the store says. */
export function checkAnswer(store: Store, { answer, program, runId }: Play): void {
  const row = store.state.runs.get(runId ?? "")?.row;
  if (row === undefined) throw new LawBroken("every run ends", `program ${program.index} has no run`);
  const value = JSON.stringify(decode(row.output));
  if (answer?.status !== row.status || JSON.stringify(answer.value) !== value) {
    throw new LawBroken(
      "client answers",
      `the run is ${row.status} ${value}, a client was told ${JSON.stringify(answer)}`,
      row.runId,
    );
  }
}

/** Laws about values that no model foresees. */
function checkClock(row: RunRecord): void {
  if (JSON.stringify(decode(row.output))?.includes("too early")) {
    throw new LawBroken("expected result", "a sleep was shorter by the workflow's own clock", row.runId);
  }
}

function checkResult(store: Store, root: Node, row: RunRecord): void {
  const fold = store.checks.fold(row.runId);
  const value = decode(row.output) as Value;
  const expected =
    row.status === "cancelled"
      ? fold?.cancelRequested === true
      : row.status === "completed"
        ? mayReturn(root, value, fold?.forkOf !== null)
        : mayThrow(root);
  if (expected) return;
  throw new LawBroken(
    "expected result",
    `the run is ${row.status} ${JSON.stringify(value)}, which the program cannot give`,
    row.runId,
  );
}

/**
 * No payload twice, those of one sender in order, and no more of them than were sent: a run that goes on for another is sent as many
 * again, and what that one has left comes in any order.
 */
function checkPayloads(root: Node, row: RunRecord, journal: readonly JournalEvent[], goesOn: boolean): void {
  const tokens = new Map(
    journal.flatMap(({ type, id, name }) =>
      type === "hook_created" || type === "hook_held" || type === "hook_again" ? [[id, name] as const] : [],
    ),
  );
  for (const { token, takes, sent } of hooksOf(root)) {
    const received = journal
      .filter(({ type, id }) => type === "hook_received" && tokens.get(id) === token)
      .map((event) => payloadIn(event) ?? "");
    if (goesOn && new Set(received).size < received.length) {
      const what = `${token} received ${received.join(" ")}`;
      throw new LawBroken("mail is read once and in order", what, row.runId);
    }
    const last = new Map<string, number>();
    for (const payload of received) {
      const [sender = "", n = ""] = payload.split("#");
      if (!goesOn && Number(n) <= (last.get(sender) ?? -1)) {
        throw new LawBroken(
          "mail is read once and in order",
          `${token} received ${received.join(" ")}`,
          row.runId,
        );
      }
      last.set(sender, Number(n));
    }
    if (received.length > (goesOn ? 2 : 1) * sent) throw new Error(`${token} received more than was sent`);
    if (row.status === "completed" && takes > sent) throw new Error(`${token} takes more than is sent`);
  }
}

async function checkReplay(root: Node, row: RunRecord, journal: readonly JournalEvent[]): Promise<void> {
  const broken = (what: string): never => {
    throw new LawBroken("cold replay", what, row.runId);
  };
  const begun = journal.some(({ type }) => type === "run_started");
  if (!begun) return;
  const open = new Set<string>();
  observeCleanups((key, phase) => void (phase === "entered" ? open.add(key) : open.delete(key)));
  try {
    const { outcome, output, unmatched } = await coldReplay(row, journal, replayClock);
    if (unmatched.length > 0) broken(`the code asks for ${unmatched.join(", ")} after the end`);
    if (outcome === "open") broken("the code has not ended");
    if (row.status === "completed" && (outcome !== "returned" || !same(output, row.output))) {
      broken(`gives ${JSON.stringify(decode(output))}, not ${JSON.stringify(decode(row.output))}`);
    }
    if (row.status === "failed" && outcome !== "threw") broken("returns, but the run has failed");
  } catch (error) {
    if (error instanceof LawBroken) throw error;
    broken(String(error));
  } finally {
    observeCleanups(null);
  }
  if (row.status !== "cancelled" || isUnheard(journal)) return;
  // A block beside the main path, such as in the loser of a race, may be left behind; and a request that comes while the
  // cleanup step is under way ends that too.
  const asked = stepsBeforeCancel(journal);
  const left = awaitedCleanups(root).filter(({ key, cleanup }) => open.has(key) && !asked.has(cleanup.key));
  if (left.length === 0) return;
  const keys = left.map(({ key }) => key).join(", ");
  throw new LawBroken("cleanup runs", `finally blocks ${keys} did not end`, row.runId);
}

/** The keys of the steps that the journal holds before the cancel request. */
function stepsBeforeCancel(journal: readonly JournalEvent[]): ReadonlySet<string> {
  const end = journal.findIndex(({ type }) => type === "run_cancel_requested");
  const created = journal.slice(0, end).filter(({ type }) => type === "step_created");
  return new Set(created.map(({ data }) => (decode(data) as readonly [StepSpec])[0].key));
}

function same(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === b || (a !== null && b !== null && Buffer.compare(a, b) === 0);
}
