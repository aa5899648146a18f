import { nodeKindOf } from "./kinds/index.ts";
import type { Value } from "./kinds/kind.ts";
import { type Alternatives, OF_ANOTHER, THROWS, UNKNOWN } from "./kinds/outcomes.ts";
import type { Node } from "./program.ts";

/** Whether a result is one that the program may give. */

/**
 * Whether the program can return this value.
 *
 * @param forked its run goes on from where another one was, and may have children of that, which are cancelled with it
 */
export function mayReturn(root: Node, value: Value, forked: boolean): boolean {
  return matches(outcomesOf(root), value, forked);
}

/** Whether the program can end in an error. */
export function mayThrow(root: Node): boolean {
  return outcomesOf(root).includes(THROWS);
}

function outcomesOf(node: Node): Alternatives {
  return nodeKindOf(node).gives(node, outcomesOf);
}

function matches(alternatives: Alternatives, value: Value, forked: boolean): boolean {
  return alternatives.some((one) => {
    if (one === UNKNOWN) return true;
    if (one === THROWS) return false;
    if (one === OF_ANOTHER) return forked && value === "child cancelled";
    if (typeof one !== "object" || one === null) return one === value;
    if (!Array.isArray(value) || value.length !== one.list.length) return false;
    return one.list.every((child, index) => matches(child, value[index] as Value, forked));
  });
}
