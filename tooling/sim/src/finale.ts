import { type Clock, type ColdReplay, coldReplay, decode, type MemoryRun } from "@perdure/core/testing";
import type { JournalEvent, RunRecord } from "@perdure/core/world";
import { mayReturn, mayThrow } from "./expected.ts";
import { LawBroken } from "./failure.ts";
import { type RunFold, sameBytes } from "./fold.ts";
import { checkCleanups, observeCleanups } from "./kinds/finally.ts";
import { laws } from "./kinds/index.ts";
import type { Arguments, Value } from "./kinds/kind.ts";
import { isUnheard } from "./kinds/payloads.ts";
import type { Node, StepSpec } from "./program.ts";
import type { Play } from "./stage.ts";
import type { Store } from "./store.ts";
import { UNPLANNED } from "./workflow.ts";

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
  if (fold === undefined) throw new Error(`nobody has read the journal of ${row.runId}`);
  checkResult(fold, root, row);
  laws.ended({ root, row, journal: generations.flat(), fold });
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
  if (!sameBytes(replay.output, next[0]?.data ?? null))
    broken("continues with other arguments than the run did");
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

function checkResult(fold: RunFold, root: Node, row: RunRecord): void {
  const value = decode(row.output) as Value;
  const expected =
    row.status === "cancelled"
      ? fold.cancelRequested === true
      : row.status === "completed"
        ? mayReturn(root, value, fold.forkOf !== null)
        : mayThrow(root);
  if (expected) return;
  throw new LawBroken(
    "expected result",
    `the run is ${row.status} ${JSON.stringify(value)}, which the program cannot give`,
    row.runId,
  );
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
    if (row.status === "completed" && (outcome !== "returned" || !sameBytes(output, row.output))) {
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
  checkCleanups(root, row, journal, open);
}
