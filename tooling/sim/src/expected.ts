import type { ChildNode, Node } from "./program.ts";
import type { Value } from "./workflow.ts";

/** What a program may give, by a plain reading of it: no engine, no journal. */

/** Ends in an error. */
const THROWS = Symbol("throws");
/** Anything: only what the run's own journal says is known. */
const UNKNOWN = Symbol("unknown");

/** `child cancelled`, where the child is that of the run before. */
const OF_ANOTHER = Symbol("of another");

type Alternative =
  | string
  | null
  | { readonly list: readonly Alternatives[] }
  | typeof THROWS
  | typeof OF_ANOTHER
  | typeof UNKNOWN;
type Alternatives = readonly Alternative[];

/**
 * Whether the program can return this value.
 *
 * @param forked its run goes on from where another one was, and may have children of that, which are cancelled with it
 */
export function mayReturn(root: Node, value: Value, forked: boolean): boolean {
  return matches(outcomes(root), value, forked);
}

/** Whether the program can end in an error. */
export function mayThrow(root: Node): boolean {
  return outcomes(root).includes(THROWS);
}

function outcomes(node: Node): Alternatives {
  switch (node.type) {
    case "once":
      return outcomes({ type: "step", step: node.step });
    case "step": {
      const { kind, end, key } = node.step;
      if (end === "fatal") return [THROWS];
      // A worker that is lost in the middle of it ends a step that is called at most once.
      return end === "mended" || kind === "once" || kind === "blind" ? [key, THROWS] : [key];
    }
    case "sequence":
      return together(node.nodes.map(outcomes));
    case "parallel":
      return parallel(node.how, node.nodes.map(outcomes));
    case "sleep":
      return [null];
    case "limit":
      return [...outcomes(node.node), "late"];
    case "clock":
    case "collect":
      return [UNKNOWN];
    case "state":
      return [node.value];
    case "attribute":
      return node.by === "workflow" ? [node.value] : outcomes({ type: "step", step: node.by });
    case "shielded":
      return [node.step.key];
    case "anew":
      // Once it continues, its program is another one.
      return outcomes(node.node).filter((outcome) => outcome === THROWS);
    case "branch":
      return [...outcomes(node.left), ...outcomes(node.right)];
    case "helper":
      return together([outcomes(node.node)]);
    case "try":
      return outcomes(node.node).map((outcome) => (outcome === THROWS ? "caught" : outcome));
    case "finally":
    case "loop":
      return outcomes(node.node);
    case "hook":
      return node.hook.confirmed === null ? [UNKNOWN] : [UNKNOWN, THROWS];
    case "shared":
      return [...outcomes(node.node), "conflict"];
    case "floating":
      return ["floating"];
    case "locked":
      return [...outcomes(node.node), "locked out", "deadlock"];
    case "child":
      return ofChild(node);
    case "watch":
      return ["watched completed", "watched failed", "watched cancelled", "nobody"];
  }
}

function ofChild({ how, root, key }: ChildNode): Alternatives {
  if (how === "start" || how === "forget") return ["started"];
  // Nobody else cancels a child whose parent still awaits it, unless it is the child of another as well.
  return how === "await" && key === null
    ? [...outcomes(root), OF_ANOTHER]
    : [...outcomes(root), "child cancelled"];
}

function parallel(
  how: "all" | "allSettled" | "race" | "any",
  children: readonly Alternatives[],
): Alternatives {
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

/** All of them, or the error of one. */
function together(children: readonly Alternatives[]): Alternatives {
  const list: Alternatives[] = children.map((child) => child.filter((one) => one !== THROWS));
  const throws: Alternatives = children.some((child) => child.includes(THROWS)) ? [THROWS] : [];
  return list.some((child) => child.length === 0) ? throws : [{ list }, ...throws];
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
