import { createHook, sleep } from "@perdure/core";
import { HookConflictError } from "@perdure/core/errors";
import type { Node } from "../program.ts";
import type { Maker, NodeKinds, NodeOf, Scope, Value } from "./kind.ts";

/** Hooks with tokens that several programs want. */

/** The tokens. */
export const SHARED: readonly string[] = ["shared0", "shared1"];

export const sharedNodes: NodeKinds<"shared"> = {
  shared: {
    execute: async (node, scope) => await exclusive(node, scope),
    gives: ({ node }, outcomesOf) => [...outcomesOf(node), "conflict"],
  },
};

async function exclusive(node: NodeOf<"shared">, { execute }: Scope): Promise<Value> {
  const hook = createHook<string>({ token: node.token });
  try {
    const conflict = await hook.getConflict();
    if (conflict !== null) {
      try {
        await hook;
      } catch (error) {
        if (HookConflictError.is(error)) return "conflict";
        throw error;
      }
    }
    const value = await execute(node.node);
    if (node.takes !== null) await Promise.race([hook, sleep(node.takes)]);
    return value;
  } finally {
    if (!node.kept) hook.dispose();
  }
}

export function newShared({ random }: Maker, node: Node): Node {
  const takes = random.pick([null, 0, 100, 3000]);
  return { type: "shared", token: random.pick(SHARED), node, takes, kept: random.chance(0.5) };
}
