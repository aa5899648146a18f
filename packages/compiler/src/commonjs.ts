/** CommonJS modules: which files are, and what they export, as compilers and people write it. */
import { extname } from "node:path";
import type { Node, Program } from "oxc-parser";
import type { Scopes } from "./scopes.ts";
import { isFunction, staticKey } from "./syntax.ts";

/** Whether a file is CommonJS: by its extension, or because it has no `import` and no `export`, and uses what only CommonJS has. */
export function isCommonJs(
  filename: string,
  { program, hasModuleSyntax }: { program: Program; hasModuleSyntax: boolean },
  scopes: Scopes,
): boolean {
  if (/^\.c[jt]s$/.test(extname(filename))) return true;
  if (hasModuleSyntax) return false;
  const names = new Set(["require", "module", "exports"]);
  return scopes.mentionsIn(program).some(({ variable, node }) => !variable && names.has(node.name));
}

/** The functions and initial values behind the exports of a CommonJS module; `locals` are those of its own names. */
export function* commonJsExports(program: Program, locals: ReadonlyMap<string, Node>): Generator<Node> {
  for (const statement of program.body) {
    if (statement.type !== "ExpressionStatement") continue;
    for (const value of exportedBy(statement.expression)) {
      const named = value.type === "Identifier" ? locals.get(value.name) : value;
      if (named) yield named;
    }
  }
}

function exportedBy(expression: Node): Node[] {
  if (expression.type === "AssignmentExpression" && isExports(expression.left)) {
    const { right } = expression;
    return right.type === "ObjectExpression" ? valuesOf(right) : [right];
  }
  // SWC: `_export(exports, { get charge() { return charge; } })`.
  if (expression.type !== "CallExpression") return [];
  const [target, getters] = expression.arguments;
  return target && isExports(target) && getters?.type === "ObjectExpression"
    ? valuesOf(getters).map(returned)
    : [];
}

/** `exports`, `module.exports`, and members of them. */
function isExports(node: Node): boolean {
  if (node.type === "Identifier") return node.name === "exports";
  if (node.type !== "MemberExpression") return false;
  const isModule = node.object.type === "Identifier" && node.object.name === "module";
  return isModule
    ? staticKey({ key: node.property, computed: node.computed }) === "exports"
    : isExports(node.object);
}

function valuesOf(object: Extract<Node, { type: "ObjectExpression" }>): Node[] {
  return object.properties.flatMap((property) => (property.type === "Property" ? property.value : []));
}

/** What a getter gives. */
function returned(getter: Node): Node {
  const [statement] = isFunction(getter) && getter.body?.type === "BlockStatement" ? getter.body.body : [];
  return statement?.type === "ReturnStatement" && statement.argument ? statement.argument : getter;
}
