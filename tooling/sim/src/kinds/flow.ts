import type { Node } from "../program.ts";
import type { Maker, NodeKinds, NodeOf, Scope, Value } from "./kind.ts";
import { type Alternatives, THROWS, together } from "./outcomes.ts";
import { isOwnCancel } from "./own-cancel.ts";
import { newStep } from "./step.ts";

/** How the code of a workflow goes: what asks for nothing itself. */

type Flow = "sequence" | "parallel" | "helper" | "try" | "floating" | "branch" | "loop";

export const flowNodes: NodeKinds<Flow> = {
  sequence: {
    async execute({ nodes }, { execute }) {
      const values: Value[] = [];
      for (const node of nodes) values.push(await execute(node));
      return values;
    },
    gives: ({ nodes }, outcomesOf) => together(nodes.map(outcomesOf)),
  },
  parallel: {
    execute: async (node, scope) => await parallel(node, scope),
    gives: ({ how, nodes }, outcomesOf) => outcomesOfParallel(how, nodes.map(outcomesOf)),
  },
  helper: {
    execute: async ({ node }, scope) => await helper(node, scope),
    gives: ({ node }, outcomesOf) => together([outcomesOf(node)]),
  },
  floating: {
    async execute({ node }, { floating, execute }) {
      // Nobody awaits it: the run may end before it does, whatever becomes of it.
      const promise = execute(node);
      promise.catch(() => {});
      floating.push(promise);
      return "floating";
    },
    gives: () => ["floating"],
  },
  branch: {
    execute: async ({ left, right }, { execute }) => await execute(Math.random() < 0.5 ? left : right),
    gives: ({ left, right }, outcomesOf) => [...outcomesOf(left), ...outcomesOf(right)],
  },
  loop: {
    async execute({ times, node }, { execute }) {
      let value: Value = null;
      for (let i = 0; i < times; i++) value = await execute(node);
      return value;
    },
    gives: ({ node }, outcomesOf) => outcomesOf(node),
  },
  try: {
    async execute({ node }, { execute }) {
      try {
        return await execute(node);
      } catch (error) {
        if (isOwnCancel(error)) throw error;
        return "caught";
      }
    },
    gives: ({ node }, outcomesOf) =>
      outcomesOf(node).map((outcome) => (outcome === THROWS ? "caught" : outcome)),
  },
};

async function helper(node: Node, { execute }: Scope): Promise<Value> {
  await null;
  const value = await execute(node);
  await null;
  return [value];
}

type How = NodeOf<"parallel">["how"];

async function parallel({ how, nodes }: NodeOf<"parallel">, { execute }: Scope): Promise<Value> {
  const promises = nodes.map(execute);
  for (const promise of promises) promise.catch(() => {});
  switch (how) {
    case "all":
      return await Promise.all(promises);
    case "allSettled": {
      const results = await Promise.allSettled(promises);
      return results.map((result) => (result.status === "fulfilled" ? result.value : "rejected"));
    }
    case "race":
      return await Promise.race(promises);
    case "any":
      return await Promise.any(promises);
  }
}

function outcomesOfParallel(how: How, children: readonly Alternatives[]): Alternatives {
  switch (how) {
    case "all":
      return together(children);
    case "allSettled":
      return [{ list: children.map((child) => child.map((one) => (one === THROWS ? "rejected" : one))) }];
    case "race":
      return children.flat();
    case "any": {
      const values = children.flat().filter((one) => one !== THROWS);
      return children.every((child) => child.includes(THROWS)) ? [...values, THROWS] : values;
    }
  }
}

export function newLoop(maker: Maker): Node {
  return {
    type: "loop",
    times: maker.random.int(2, 5),
    node: { type: "step", step: newStep(maker) },
  };
}
