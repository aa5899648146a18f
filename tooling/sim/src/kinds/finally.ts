import { decode } from "@perdure/core/testing";
import type { JournalEvent, RunRecord } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { below, type Node, type StepSpec } from "../program.ts";
import { newShieldedStep, shielded } from "./cancel.ts";
import type { Maker, NodeKinds, NodeOf } from "./kind.ts";

/** `finally` blocks, which run whatever becomes of a run. */

/** Called in the workflow when a `finally` block begins and ends; `null` except during the last replay. */
let cleanups: ((key: string, phase: "entered" | "left") => void) | null = null;

export function observeCleanups(next: typeof cleanups): void {
  cleanups = next;
}

export const finallyNodes: NodeKinds<"finally"> = {
  finally: {
    async execute({ node, cleanup, rest, key }, { execute }) {
      try {
        return await execute(node);
      } finally {
        cleanups?.(key, "entered");
        await shielded(cleanup, rest);
        cleanups?.(key, "left");
      }
    },
    gives: ({ node }, outcomesOf) => outcomesOf(node),
  },
};

export function newFinally(maker: Maker, depth: number): Node {
  return {
    type: "finally",
    node: maker.node(depth + 1),
    cleanup: newShieldedStep(maker),
    rest: maker.random.pick([0, 0, 3000]),
    key: maker.key(),
  };
}

/** What a workflow does not leave before what is below it has ended. */
const WAITS: ReadonlySet<Node["type"]> = new Set(["finally", "sequence", "try", "helper", "shared"]);

/** The `finally` blocks that the workflow itself waits for, whatever happens beside them. */
function awaitedCleanups(node: Node): readonly NodeOf<"finally">[] {
  if (!WAITS.has(node.type)) return [];
  const others = below(node).flatMap(awaitedCleanups);
  return node.type === "finally" ? [node, ...others] : others;
}

/**
 * The blocks of a cancelled run that were entered have ended.
 *
 * @param open those that have not, in a replay
 */
export function checkCleanups(
  root: Node,
  { runId }: RunRecord,
  journal: readonly JournalEvent[],
  open: ReadonlySet<string>,
): void {
  // A block beside the main path, such as in the loser of a race, may be left behind; and a request that comes while the
  // cleanup step is under way ends that too.
  const asked = stepsBeforeCancel(journal);
  const left = awaitedCleanups(root).filter(({ key, cleanup }) => open.has(key) && !asked.has(cleanup.key));
  if (left.length === 0) return;
  const keys = left.map(({ key }) => key).join(", ");
  throw new LawBroken("cleanup runs", `finally blocks ${keys} did not end`, runId);
}

/** The keys of the steps that the journal holds before the cancel request. */
function stepsBeforeCancel(journal: readonly JournalEvent[]): ReadonlySet<string> {
  const end = journal.findIndex(({ type }) => type === "run_cancel_requested");
  const created = journal.slice(0, end).filter(({ type }) => type === "step_created");
  return new Set(created.map(({ data }) => (decode(data) as readonly [StepSpec])[0].key));
}
