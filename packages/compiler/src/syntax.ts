/** The boundary to the parser: everything that knows how a syntax tree is made, walked and named. */
import { extname } from "node:path";
import type { ArrowFunctionExpression, Function as FunctionNode, Node, Program } from "oxc-parser";
import { parseSync, visitorKeys } from "oxc-parser";

/** Anything that has a body of its own and can be called. */
export type AnyFunction = FunctionNode | ArrowFunctionExpression;

/** A parsed file, or where and why it could not be parsed. */
export type Parsed =
  | { ok: true; program: Program; hasModuleSyntax: boolean }
  | { ok: false; message: string; offset: number };

/** Parses a file by its extension; every node knows its parent. Plain JavaScript may contain JSX, as bundlers allow. */
export function parse(filename: string, code: string): Parsed {
  const extension = extname(filename);
  const lang = extension === ".tsx" ? "tsx" : /ts$/.test(extension) ? "ts" : "jsx";
  const { program, module, errors } = parseSync(filename, code, {
    lang,
    sourceType: "module",
    // The scope analysis expects the TypeScript form of the tree, also of JavaScript.
    astType: "ts",
    preserveParens: false,
    range: true,
  });
  const [error] = errors;
  if (error) return { ok: false, message: error.message, offset: error.labels[0]?.start ?? 0 };
  adopt(program);
  return { ok: true, program, hasModuleSyntax: module.hasModuleSyntax };
}

function adopt(parent: Node): void {
  for (const child of childrenOf(parent)) {
    child.parent = parent as never;
    adopt(child);
  }
}

/** The nodes directly under a node, in the order of the source. */
export function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (const key of visitorKeys[node.type] ?? []) {
    const value: unknown = (node as unknown as Record<string, unknown>)[key];
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item === "object" && item !== null && "type" in item) children.push(item as Node);
    }
  }
  return children;
}

/** Visits a node and all below it, parents first. `visit` tells whether to go on below it. */
export function walk(node: Node, visit: (node: Node) => boolean): void {
  if (!visit(node)) return;
  for (const child of childrenOf(node)) walk(child, visit);
}

/** Whether the node is a function that has a body: not a signature, not an overload. */
export function isFunction(node: Node | null | undefined): node is AnyFunction {
  return (
    node?.type === "FunctionDeclaration" ||
    node?.type === "FunctionExpression" ||
    node?.type === "ArrowFunctionExpression"
  );
}

/** The nodes around a node, innermost first. */
export function* ancestorsOf(node: Node): Generator<Node> {
  for (let at = node.parent; at; at = at.parent) yield at;
}

/** Whether `inner` lies within `outer`, or is it. */
export function contains(outer: Node, inner: Node): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** The expression inside TypeScript's wrappers: `x` of `x as T`, `x satisfies T`, `<T>x`, `x!`. */
export function withoutTypes(node: Node): Node {
  return isTypeWrapper(node) ? withoutTypes(node.expression) : node;
}

/** The outermost of TypeScript's wrappers around an expression, or the expression itself. */
export function withTypes(node: Node): Node {
  return node.parent && isTypeWrapper(node.parent) ? withTypes(node.parent) : node;
}

function isTypeWrapper(node: Node): node is Extract<Node, { expression: unknown }> & { expression: Node } {
  return (
    node.type === "TSAsExpression" ||
    node.type === "TSSatisfiesExpression" ||
    node.type === "TSTypeAssertion" ||
    node.type === "TSNonNullExpression"
  );
}

/** The key of a property or method as a string, or `undefined` where only running the program would tell. */
export function staticKey(member: { key: Node; computed: boolean }): string | undefined {
  const { key, computed } = member;
  if (key.type === "Literal") return String(key.value);
  if (computed) return undefined;
  return key.type === "Identifier" ? key.name : key.type === "PrivateIdentifier" ? `#${key.name}` : undefined;
}
