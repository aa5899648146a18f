/**
 * The names that functions and classes had before another compiler renamed them. esbuild's `keepNames` says them in calls of
 * `__name`. An anonymous default export is `default_1` in the CommonJS that tsc writes, and `_default` in SWC's.
 */
import type { CallExpression, Node, Program } from "oxc-parser";
import { ancestorsOf, staticKey, walk } from "./syntax.ts";

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
    for (const [now, name] of renamedIn(program)) kept.set(now, name);
    known.set(program, kept);
  }
  return kept;
}

function renamedIn(program: Program): [now: string, name: string][] {
  const found: [string, string][] = [];
  walk(program, (node) => {
    if (node.type === "CallExpression") {
      const [target] = node.arguments;
      const name = target && keptBy(node, target);
      if (target?.type === "Identifier" && name !== undefined) found.push([target.name, name]);
    }
    const exported = exportedAsDefault(node);
    if (exported !== undefined) found.push([exported, "default"]);
    return true;
  });
  return found;
}

/** The name in `exports.default = default_1`, and in `get: function () { return _default; }`. */
function exportedAsDefault(node: Node): string | undefined {
  if (node.type === "ReturnStatement") {
    return node.argument?.type === "Identifier" && node.argument.name === "_default" ? "_default" : undefined;
  }
  if (node.type !== "AssignmentExpression" || node.left.type !== "MemberExpression") return undefined;
  const { object, property, computed } = node.left;
  if (object.type !== "Identifier" || object.name !== "exports") return undefined;
  if (staticKey({ key: property, computed }) !== "default" || node.right.type !== "Identifier")
    return undefined;
  return /^default_\d+$/.test(node.right.name) ? node.right.name : undefined;
}

function keptBy(node: Node, value: Node): string | undefined {
  if (!isKeeping(node) || node.arguments[0] !== value) return undefined;
  const name = node.arguments[1];
  return name?.type === "Literal" && typeof name.value === "string" ? name.value : undefined;
}

function isKeeping(node: Node): node is CallExpression {
  return node.type === "CallExpression" && node.callee.type === "Identifier" && node.callee.name === "__name";
}
