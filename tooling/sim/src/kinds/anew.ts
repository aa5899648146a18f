import { continueAsNew, createHook, sleep } from "@perdure/core";
import { decode } from "@perdure/core/testing";
import { LawBroken } from "../failure.ts";
import { isPlanted } from "../planted.ts";
import type { CollectNode } from "../program.ts";
import { hooksIn } from "./hook.ts";
import type { Ended, Kind, NodeKinds, Scope, Value } from "./kind.ts";
import { THROWS, UNKNOWN } from "./outcomes.ts";
import { payloadIn } from "./payload.ts";

/** Runs that continue as new. */

export const anewNodes: NodeKinds<"anew" | "collect"> = {
  anew: {
    async execute({ node, next }, { name, others, execute }) {
      await execute(node);
      return await continueAsNew([name, next, others]);
    },
    // Once it continues, its program is another one.
    gives: ({ node }, outcomesOf) => outcomesOf(node).filter((outcome) => outcome === THROWS),
  },
  collect: { execute: async (node, scope) => await collect(node, scope), gives: () => [UNKNOWN] },
};

async function collect(node: CollectNode, { name, others }: Scope): Promise<Value> {
  const { token, takes, quiet, heard } = node;
  const hook = createHook<string>({ token });
  if ((await hook.getConflict()) !== null) throw new Error("a run that was started with a hook has it");
  const got = [...heard];
  while (got.length < heard.length + takes) {
    const payload = await Promise.race([hook, sleep(quiet).then(() => null)]);
    if (payload === null) return got;
    got.push(payload);
  }
  return await continueAsNew([
    name,
    { ...node, heard: isPlanted("heard-forgotten") ? got.slice(1) : got },
    others,
  ]);
}

export const anewKind: Kind = { laws: { ended: checkHeard } };

/** A run that collects payloads has read all that came, over all generations, in order. */
function checkHeard({ root, row, journal, fold }: Ended): void {
  if (root.type !== "collect" || row.status !== "completed") return;
  const came = journal.map(payloadIn).filter((value) => value !== null);
  const left = Object.values(hooksIn(fold).left).reduce((sum, count) => sum + count, 0);
  const heard = decode(row.output) as readonly string[];
  if (JSON.stringify(heard) === JSON.stringify(came.slice(0, came.length - left))) return;
  throw new LawBroken(
    "payloads are heard over generations",
    `${came.join(" ")} came, ${left} were left, ${heard.join(" ")} were heard`,
    row.runId,
  );
}
