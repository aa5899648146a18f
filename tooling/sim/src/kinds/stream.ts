import { getStepMetadata, getWritable, step } from "@perdure/core";
import { decode, type MemoryRun } from "@perdure/core/testing";
import type { JournalEvent } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import type { RunFold } from "../fold.ts";
import type { Node, StepSpec } from "../program.ts";
import type { Kind, Maker, NodeKinds, StoreView } from "./kind.ts";
import { newStep, outcomesOfStep, stepsOf } from "./step.ts";
import { body, PATIENT } from "./step-body.ts";

/** Streams: steps of a run that write to one of its streams, several at the same time. */

/** A chunk says who wrote it. */
interface Chunk {
  readonly stepId: string;
  readonly attempt: number;
  /** The how manieth of its attempt, from 0. */
  readonly n: number;
  /** How many the attempt writes. */
  readonly of: number;
}

const WRITES = "sim//write";
/** The stream, which is the run's own in this namespace. */
const LOG = "log";

const write = step(
  WRITES,
  async (spec: StepSpec, chunks: number): Promise<string> => {
    const { stepId, attempt } = getStepMetadata();
    const writer = getWritable<Chunk>({ namespace: LOG }).getWriter();
    // Nothing is awaited: the engine sees to it that all of them are in before the step has its result.
    for (let n = 0; n < chunks; n++) void writer.write({ stepId, attempt, n, of: chunks }).catch(() => {});
    return await body(spec);
  },
  PATIENT,
);

export const streamNodes: NodeKinds<"write"> = {
  write: {
    execute: async ({ step, chunks }) => await write(step, chunks),
    gives: ({ step }) => outcomesOfStep(step),
  },
};

/** Several writers of one stream. */
export function newWriters(maker: Maker): Node {
  const { random } = maker;
  const writer = (): Node => ({
    type: "write",
    step: { ...newStep(maker), kind: "patient", how: "plain", end: "value" },
    chunks: random.int(1, 5),
  });
  return { type: "parallel", how: "all", nodes: Array.from({ length: random.int(1, 3) }, writer) };
}

export const streamKind: Kind = { laws: { event: checkWritten, over: checkOrder } };

/** What an attempt wrote is in the store before its result is. */
function checkWritten({ state }: StoreView, fold: RunFold, { type, id }: JournalEvent): void {
  const run = state.runs.get(fold.runId);
  const created = run?.journal.find((event) => event.type === "step_created" && event.id === id);
  if (type !== "step_completed" || run === undefined || created?.name !== WRITES) return;
  // Its body was called in another run.
  if (stepsOf(fold).recorded.has(id ?? "")) return;
  const [, chunks] = decode(created.data) as readonly [StepSpec, number];
  const attempt = 1 + (stepsOf(fold).retries.get(id ?? "") ?? 0);
  const count = chunksOf(run).filter((chunk) => chunk.stepId === id && chunk.attempt === attempt).length;
  if (count === chunks) return;
  const what = `attempt ${attempt} of step ${id} has ended and wrote ${chunks} chunks, of which ${count} are stored`;
  throw new LawBroken("what a step writes is in its stream", what, fold.runId);
}

/** The chunks of an attempt are in its stream once, in order, from the first one on. */
function checkOrder(_: StoreView, run: MemoryRun): void {
  const next = new Map<string, number>();
  for (const { stepId, attempt, n } of chunksOf(run)) {
    const writer = `${stepId} ${attempt}`;
    const expected = next.get(writer) ?? 0;
    next.set(writer, n + 1);
    if (n === expected) continue;
    const what = `chunk ${n} of attempt ${attempt} of step ${stepId} is where ${expected} was to come`;
    throw new LawBroken("what a step writes is in its stream", what, run.row.runId);
  }
}

function chunksOf({ streams }: MemoryRun): readonly Chunk[] {
  return streams.get(`output:${LOG}`)?.chunks.map(({ data }) => decode(data) as Chunk) ?? [];
}
