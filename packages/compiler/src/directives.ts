/** Finds the directives of a file and what each marks, and complains about those that mark nothing. */
import type { ExpressionStatement, Node, Program } from "oxc-parser";
import { commonJsExports } from "./commonjs.ts";
import type { Reporter } from "./diagnostics.ts";
import { directiveOf, exactKind, type Kind, resemblesDirective } from "./directive.ts";
import { type AnyFunction, isFunction, walk, withoutTypes } from "./syntax.ts";

/** A function that a directive marks, its own or the file's. */
export interface Marked {
  fn: AnyFunction;
  kind: Kind;
}

/** What the directives of a file come to. */
export interface Directives {
  /** In the order of the source. */
  marked: Marked[];
  /** The statements to remove: every directive that was understood. */
  statements: ExpressionStatement[];
}

/** Reads all directives of a file. */
export function findDirectives(program: Program, code: string, reporter: Reporter): Directives {
  const statements: ExpressionStatement[] = [];
  const owners = new Map<Node, Set<Kind>>();
  const visit = (node: ExpressionStatement): void => {
    const kind = exactKind(node.directive ?? textBehindHelpers(node, code));
    const owner = ownerOf(node);
    if (kind && owner) {
      statements.push(node);
      const kinds = owners.get(owner) ?? new Set();
      owners.set(owner, kinds.add(kind));
    } else {
      complainIfMeant(node, code, reporter);
    }
  };
  walk(program, (node) => {
    if (node.type === "ExpressionStatement") visit(node);
    return true;
  });

  const kindOf = (owner: Node): Kind | undefined => {
    const kinds = [...(owners.get(owner) ?? [])];
    if (kinds.length > 1) {
      reporter.report(
        "conflicting-directives",
        owner.start,
        isFunction(owner) ? "this function" : "the file",
      );
    }
    return kinds[0];
  };
  const marked = new Map<AnyFunction, Kind>();
  for (const owner of owners.keys()) {
    const kind = isFunction(owner) ? kindOf(owner) : undefined;
    if (kind && isFunction(owner)) marked.set(owner, kind);
  }
  const fileKind = kindOf(program);
  if (fileKind) markExports(program, fileKind, marked, reporter);
  return {
    marked: [...marked].map(([fn, kind]) => ({ fn, kind })).sort((a, b) => a.fn.start - b.fn.start),
    statements,
  };
}

function ownerOf(directive: ExpressionStatement): Node | undefined {
  const parent = directive.parent;
  if (parent?.type === "Program") return parent;
  if (parent?.type !== "BlockStatement") return undefined;
  if (isFunction(parent.parent)) return parent.parent;
  // The `try` that a compiler puts the body into, which declared something with `using`.
  const body = parent.parent?.type === "TryStatement" ? parent.parent.parent : undefined;
  return body?.type === "BlockStatement" && isFunction(body.parent) ? body.parent : undefined;
}

/** The text of a plain string statement before which only a compiler's helpers stand; else nothing. */
function textBehindHelpers({ expression, start, parent }: ExpressionStatement, code: string): string {
  if (expression.type !== "Literal" || typeof expression.value !== "string" || expression.start !== start)
    return "";
  const block = parent?.parent?.type === "TryStatement" ? parent.parent : undefined;
  if (block && block.block !== parent) return "";
  const helpers = statementsBefore(parent, start).every(isHelper);
  const helpersOfBlock = !block || statementsBefore(block.parent, block.start).every(isHelper);
  return helpers && helpersOfBlock ? code.slice(expression.start + 1, expression.end - 1) : "";
}

function statementsBefore(parent: Node | null | undefined, start: number): Node[] {
  if (parent?.type !== "Program" && parent?.type !== "BlockStatement") return [];
  return parent.body.filter((statement) => statement.end <= start);
}

const helperName = /^__|^_(?:stack|using|ts_|dispose|usingCtx|base|promise)|^env_\d+$/;
const helperModule = /^(?:tslib|@swc\/helpers|@oxc-project\/runtime|@babel\/runtime)(?:\/|$)/;

/** Whether a statement is what esbuild, TypeScript, SWC, Babel or Oxc put before a body or file that contains `using`. */
function isHelper(statement: Node): boolean {
  switch (statement.type) {
    case "ExpressionStatement":
      return typeof statement.directive === "string";
    case "ImportDeclaration":
      return helperModule.test(statement.source.value);
    case "FunctionDeclaration":
      return helperName.test(statement.id?.name ?? "");
    case "VariableDeclaration":
      return statement.declarations.every(({ id }) => id.type === "Identifier" && helperName.test(id.name));
    default:
      return false;
  }
}

function complainIfMeant(statement: ExpressionStatement, code: string, reporter: Reporter): void {
  const { expression } = statement;
  const text =
    expression.type === "Literal" && typeof expression.value === "string"
      ? expression.value
      : expression.type === "TemplateLiteral" && expression.expressions.length === 0
        ? expression.quasis[0]?.value.cooked
        : undefined;
  if (typeof text !== "string" || !resemblesDirective(text)) return;
  const plain = expression.type === "Literal" && expression.start === statement.start;
  if (plain && exactKind(text) && statement.directive == null) {
    reporter.report("directive-not-first", statement.start, text);
  } else {
    const source = code.slice(statement.start, statement.end).replace(/;$/, "");
    reporter.report("misspelled-directive", statement.start, source);
  }
}

/** Marks every exported async function of the file. */
function markExports(program: Program, kind: Kind, marked: Map<AnyFunction, Kind>, reporter: Reporter): void {
  let found = false;
  for (const value of [...exportedValues(program), ...commonJsExports(program, localsOf(program))]) {
    const fn = withoutTypes(value);
    if (!isFunction(fn) || !fn.async || fn.generator) continue;
    found = true;
    // Its own directive says more about a function than the file's.
    if (!marked.has(fn)) marked.set(fn, kind);
  }
  if (!found) reporter.report("unused-file-directive", program.body[0]?.start ?? 0, directiveOf(kind));
}

/** The functions and initial values behind the exports of a module, as far as its own text shows them. */
function* exportedValues(program: Program): Generator<Node> {
  const locals = localsOf(program);
  for (const statement of program.body) {
    if (statement.type === "ExportDefaultDeclaration") {
      const { declaration } = statement;
      yield (declaration.type === "Identifier" && locals.get(declaration.name)) || declaration;
    }
    if (statement.type !== "ExportNamedDeclaration" || statement.source) continue;
    for (const [, value] of declaredValues(statement.declaration)) yield value;
    for (const { local } of statement.specifiers) {
      const value = local.type === "Identifier" ? locals.get(local.name) : undefined;
      if (value) yield value;
    }
  }
}

/** The functions and initial values of the module's own names. */
function localsOf(program: Program): Map<string, Node> {
  const locals = new Map<string, Node>();
  for (const statement of program.body) {
    const declaration =
      statement.type === "ExportNamedDeclaration" || statement.type === "ExportDefaultDeclaration"
        ? statement.declaration
        : statement;
    for (const [name, value] of declaredValues(declaration)) locals.set(name, value);
  }
  return locals;
}

function declaredValues(declaration: Node | null): [name: string, value: Node][] {
  if (isFunction(declaration)) return [[declaration.id?.name ?? "default", declaration]];
  if (declaration?.type !== "VariableDeclaration") return [];
  return declaration.declarations.flatMap(({ id, init }): [string, Node][] =>
    id.type === "Identifier" && init ? [[id.name, init]] : [],
  );
}
