/** Finds the directives of a file and what each marks, and complains about those that mark nothing. */
import type { ExpressionStatement, Node, Program } from "oxc-parser";
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
    const kind = exactKind(node.directive ?? "");
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
  return parent?.type === "BlockStatement" && isFunction(parent.parent) ? parent.parent : undefined;
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
  for (const value of exportedValues(program)) {
    const fn = withoutTypes(value);
    if (!isFunction(fn) || !fn.async || fn.generator) continue;
    found = true;
    const own = marked.get(fn);
    if (own && own !== kind) {
      reporter.report("conflicting-directives", fn.start, "this function: one is the file's, one its own");
    } else {
      marked.set(fn, kind);
    }
  }
  if (!found) reporter.report("unused-file-directive", program.body[0]?.start ?? 0, directiveOf(kind));
}

/** The functions and initial values behind the exports of a module, as far as its own text shows them. */
function* exportedValues(program: Program): Generator<Node> {
  const locals = new Map<string, Node>();
  for (const statement of program.body) {
    const declaration =
      statement.type === "ExportNamedDeclaration" || statement.type === "ExportDefaultDeclaration"
        ? statement.declaration
        : statement;
    for (const [name, value] of declaredValues(declaration)) locals.set(name, value);
  }
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

function declaredValues(declaration: Node | null): [name: string, value: Node][] {
  if (isFunction(declaration)) return [[declaration.id?.name ?? "default", declaration]];
  if (declaration?.type !== "VariableDeclaration") return [];
  return declaration.declarations.flatMap(({ id, init }): [string, Node][] =>
    id.type === "Identifier" && init ? [[id.name, init]] : [],
  );
}
