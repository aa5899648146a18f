/** Finds out what a step inside another function needs to be called in a process where that function never ran. */
import type { Node } from "oxc-parser";
import type { Mark } from "./marks.ts";
import { declarationOf, homeOf, type Scopes } from "./scopes.ts";
import { ancestorsOf, contains, isFunction, walk } from "./syntax.ts";

/** A step that can be made again from its text and the values of the variables around it. */
export interface Closure {
  mark: Mark;
  /** The variables of the functions and blocks around it that it uses. */
  captured: string[];
}

/** The steps of a file that stand in a function and can be made again elsewhere. */
export function findClosures(marks: readonly Mark[], scopes: Scopes): Map<Mark, Closure> {
  const found = new Map<Mark, Closure>();
  for (const mark of marks) {
    const around = [...ancestorsOf(mark.fn)];
    if (mark.kind !== "step" || mark.site.type === "method" || !around.some(isFunction)) continue;
    // A namespace's own variables are out of reach of what stands outside it.
    if (around.some(({ type }) => type === "TSModuleDeclaration") || usesItsPlace(mark.fn)) continue;
    const captured = new Set<string>();
    for (const { variable, node } of scopes.mentionsIn(mark.fn)) {
      const home = variable && homeOf(variable);
      if (!home || home.type === "Program" || contains(mark.fn, home)) continue;
      if (declarationOf(variable) !== mark.fn) captured.add(node.name);
    }
    found.set(mark, { mark, captured: [...captured].sort() });
  }
  return found;
}

/** Whether a function means something by `this`, `super`, `arguments` or `new.target` that it has from where it stands. */
function usesItsPlace(fn: Node): boolean {
  let found = false;
  walk(fn, (node) => {
    if (node.type === "ThisExpression" || node.type === "Super" || node.type === "MetaProperty") {
      found ||= node.type !== "MetaProperty" || node.meta.name === "new";
    }
    if (node.type === "Identifier" && node.name === "arguments")
      found ||= fn.type === "ArrowFunctionExpression";
    if (node.type === "PrivateIdentifier") found = true;
    const hasOwn = isFunction(node) && node.type !== "ArrowFunctionExpression";
    return !found && !hasOwn && node.type !== "ClassBody";
  });
  return found;
}
