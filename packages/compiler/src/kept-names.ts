/** The names that esbuild's `keepNames` keeps: it renames functions and classes, and says their names in calls of `__name`. */
import type { CallExpression, Node, Program } from "oxc-parser";
import { ancestorsOf, walk } from "./syntax.ts";

/** The name of a value that stands in such a call: `charge` for the function of `__name(async () => {}, "charge")`. */
export function nameKeptAround(value: Node): string | undefined {
  return value.parent ? keptBy(value.parent, value) : undefined;
}

/** The name of what is declared as `name`: `default` where `__name(orders_default, "default")` stands in the file. */
export function nameKeptFor(name: string, declaration: Node): string {
  const program = [...ancestorsOf(declaration)].at(-1);
  return (program?.type === "Program" ? keptIn(program).get(name) : undefined) ?? name;
}

const known = new WeakMap<Program, Map<string, string>>();

function keptIn(program: Program): Map<string, string> {
  let kept = known.get(program);
  if (kept === undefined) {
    kept = new Map();
    for (const { target, name } of callsIn(program)) kept.set(target, name);
    known.set(program, kept);
  }
  return kept;
}

function callsIn(program: Program): { target: string; name: string }[] {
  const found: { target: string; name: string }[] = [];
  walk(program, (node) => {
    const target = node.type === "CallExpression" ? node.arguments[0] : undefined;
    const name = target && keptBy(node, target);
    if (target?.type === "Identifier" && name !== undefined) found.push({ target: target.name, name });
    return true;
  });
  return found;
}

function keptBy(node: Node, value: Node): string | undefined {
  if (!isKeeping(node) || node.arguments[0] !== value) return undefined;
  const name = node.arguments[1];
  return name?.type === "Literal" && typeof name.value === "string" ? name.value : undefined;
}

function isKeeping(node: Node): node is CallExpression {
  return node.type === "CallExpression" && node.callee.type === "Identifier" && node.callee.name === "__name";
}
