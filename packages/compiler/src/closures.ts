/** Finds out what a step inside another function needs to be called in a process where that function never ran. */
import type { Node } from "oxc-parser";
import type { Mark } from "./marks.ts";
import { declarationOf, homeOf, type Scopes } from "./scopes.ts";
import { ancestorsOf, childrenOf, contains, isFunction } from "./syntax.ts";

/** A step that can be made again from its text and the values of the variables around it. */
export interface Closure {
  mark: Mark;
  /** The variables of the functions and blocks around it that it uses. */
  captured: string[];
  /** It is an arrow function and uses the `this` of what it stands in. */
  capturesThis: boolean;
}

/** The steps of a file that stand in a function and can be made again elsewhere. */
export function findClosures(marks: readonly Mark[], scopes: Scopes): Map<Mark, Closure> {
  const found = new Map<Mark, Closure>();
  for (const mark of marks) {
    const around = [...ancestorsOf(mark.fn)];
    if (mark.kind !== "step" || !around.some(isFunction) || isOfClassOrAccessor(mark)) continue;
    // A namespace's own variables are out of reach of what stands outside it.
    if (around.some(({ type }) => type === "TSModuleDeclaration")) continue;
    const used = usedOfItsPlace(mark);
    if (used.more) continue;
    const captured = new Set<string>();
    for (const { variable, node } of scopes.mentionsIn(mark.fn)) {
      const home = variable && homeOf(variable);
      if (!home || home.type === "Program" || contains(mark.fn, home)) continue;
      if (declarationOf(variable) !== mark.fn) captured.add(node.name);
    }
    found.set(mark, { mark, captured: [...captured].sort(), capturesThis: used.self });
  }
  return found;
}

function isOfClassOrAccessor({ site }: Mark): boolean {
  return site.type === "method" && (site.target.type === "ClassBody" || site.accessor !== undefined);
}

/** What a function means by where it stands: by `this` as an arrow function, and by what cannot be given to it elsewhere. */
function usedOfItsPlace({ fn, site }: Mark): { self: boolean; more: boolean } {
  const isArrow = fn.type === "ArrowFunctionExpression";
  // A method has its object as `this`; a plain function has what it is called on, which is no different elsewhere.
  const inherits = isArrow || site.type === "method";
  const used = { self: false, more: false };
  const look = (node: Node, own: boolean): void => {
    if (node.type === "PrivateIdentifier") used.more = true;
    if (own) {
      if (node.type === "ThisExpression") used[isArrow ? "self" : "more"] = true;
      used.more ||= node.type === "Super";
      used.more ||= node.type === "MetaProperty" && node.meta.name === "new";
      used.more ||= node.type === "Identifier" && node.name === "arguments" && site.type !== "method";
    }
    if (used.more || node.type === "ClassBody") return;
    const nested = node !== fn && isFunction(node) && node.type !== "ArrowFunctionExpression";
    for (const child of childrenOf(node)) look(child, own && !nested);
  };
  look(fn, inherits);
  return used;
}
