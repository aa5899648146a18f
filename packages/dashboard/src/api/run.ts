import { ReplayDivergenceError } from "@perdure/core/errors";
import { hooksOf, PARENT, readStoredError, successorName } from "@perdure/core/inspect";
import { isTerminal, type RunRecord } from "@perdure/core/world";
import type { Divergence, RunDetail, RunTree, TreeNode } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { runRow } from "../views/run-row.ts";
import { thrownView, timelineView } from "../views/timeline-view.ts";
import { INLINE, valueView } from "../views/value-view.ts";
import { hookRow, locksHere } from "./names.ts";
import { numberIn } from "./read-query.ts";
import { eventAt, rowOf, stateView } from "./run-values.ts";

/** One run in full, and its relatives. */

const CHILDREN = 100;
/** The name of a run's own stream; a namespace stands after a colon. */
const STREAM = "output";

/** GET `api/runs/:id` */
export async function runDetail({ store, params, query }: Call): Promise<RunDetail> {
  const run = await rowOf(store, params.id as string);
  const { runId, firstSeq, seq } = run;
  const ended = isTerminal(run.status);
  const [timeline, first, second, last, beside] = await Promise.all([
    store.journals.timeline(run),
    eventAt(store, runId, firstSeq),
    eventAt(store, runId, firstSeq + 1),
    ended ? eventAt(store, runId, seq) : null,
    besideOf(store, run),
  ]);
  const thrown = run.error === null ? null : readStoredError(run.error);
  const since = numberIn(query, "since", { least: 0 }) ?? 0;
  const entries = timeline.entries.filter(
    ({ seq: asked, endSeq }) => asked > since || endSeq === null || endSeq > since,
  );
  return {
    run: runRow(run),
    generation: run.generation,
    firstSeq,
    journalBytes: run.bytes,
    lostClaims: run.lostClaims,
    args: valueView("run_created", first?.data ?? null, INLINE),
    argsSeq: first?.seq ?? null,
    result: run.status === "completed" ? valueView("run_completed", run.output, INLINE) : null,
    endSeq: last?.seq ?? null,
    error: thrown === null ? null : thrownView(thrown),
    state: run.state === null ? null : stateView(run.state, INLINE),
    divergence: run.status === "diverged" ? divergenceOf(thrown) : null,
    timeline: entries.map(timelineView),
    timelineUntil: timeline.seq < seq ? timeline.seq : null,
    origin: second?.type === "run_forked" ? second.id : null,
    ...beside,
  };
}

/** What stands elsewhere in the store. */
async function besideOf(
  store: Store,
  { runId }: RunRecord,
): Promise<Pick<RunDetail, "children" | "hooks" | "locks" | "streams" | "successor">> {
  const now = Date.now();
  return await store.ask(async (world) => {
    const [children, { hooks }, locks, streams, [successor]] = await Promise.all([
      world.listRuns({ attributes: { [PARENT]: runId }, limit: CHILDREN, order: "asc" }),
      hooksOf(world, { runId, limit: 200 }, now),
      locksHere(store, runId),
      world.capabilities.streams === true ? world.listStreams({ runId, limit: 200 }) : { names: [] },
      world.getNames([successorName(runId)], now),
    ]);
    return {
      children: children.runs.map(runRow),
      hooks: hooks.map(hookRow),
      locks,
      streams: streams.names.flatMap((name) => {
        if (name === STREAM) return [null];
        return name.startsWith(`${STREAM}:`) ? [name.slice(STREAM.length + 1)] : [];
      }),
      successor: successor?.runId ?? null,
    };
  });
}

function divergenceOf(thrown: unknown): Divergence {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (!ReplayDivergenceError.is(thrown)) return { seq: null, journal: null, code: null, message };
  const { seq, journal, requested } = thrown;
  return { seq, journal, code: requested, message };
}

const [MOST_NODES, MOST_GENERATIONS, MOST_ANCESTORS] = [200, 5, 20];

/** GET `api/runs/:id/tree` */
export async function runTree({ store, params }: Call): Promise<RunTree> {
  const run = await rowOf(store, params.id as string);
  const ancestors: RunRecord[] = [];
  for (let { parent } = runRow(run); parent !== null && ancestors.length < MOST_ANCESTORS; ) {
    const [above] = await store.ask((world) => world.getRuns([parent as string]));
    if (above === null || above === undefined) break;
    ancestors.push(above);
    parent = runRow(above).parent;
  }
  const tree = { left: MOST_NODES - 1 };
  const root = await below(store, run, tree, MOST_GENERATIONS);
  return { ancestors: ancestors.map(runRow), root };
}

/** A run with its children: all of a generation before those of the next would be fairer, and harder to read. */
async function below(
  store: Store,
  run: RunRecord,
  tree: { left: number },
  generations: number,
): Promise<TreeNode> {
  const limit = Math.min(tree.left, CHILDREN);
  if (generations === 0 || limit <= 0) return { run: runRow(run), children: [], more: true };
  const page = await store.ask((world) =>
    world.listRuns({ attributes: { [PARENT]: run.runId }, limit, order: "asc" }),
  );
  tree.left -= page.runs.length;
  const children: TreeNode[] = [];
  for (const child of page.runs) children.push(await below(store, child, tree, generations - 1));
  return { run: runRow(run), children, more: page.cursor !== null };
}
