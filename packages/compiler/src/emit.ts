/** Writes the calls into the source: insertions only, none of which adds a line. */
import MagicString from "magic-string";
import type { ClassBody, ExpressionStatement, Node, ObjectExpression, Program } from "oxc-parser";
import type { StoredClass } from "./classes.ts";
import type { Mark } from "./marks.ts";

/** A runtime function that emitted code calls. */
type RuntimeName = "step" | "workflow" | "methods" | "registerClass";

/** What `emit` needs to know. */
export interface Emission {
  code: string;
  program: Program;
  marks: readonly Mark[];
  classes: readonly StoredClass[];
  /** The directives to remove. */
  directives: readonly ExpressionStatement[];
  /** The module that exports the runtime functions. */
  runtime: string;
}

/** Wraps the marked functions and returns the edited source. */
export function emit({ code, program, marks, classes, directives, runtime }: Emission): MagicString {
  const edited = new MagicString(code);
  const used = new Map<RuntimeName, string>();
  const call = (name: RuntimeName): string => {
    const local = used.get(name) ?? freeName(`__perdure_${name}`, code);
    used.set(name, local);
    return local;
  };

  for (const directive of directives) removeDirective(edited, directive, code);
  const assignments = new Map<Node, string[]>();
  const methods = new Map<ObjectExpression | ClassBody, string[]>();
  for (const { kind, fn, id, site } of marks) {
    const quoted = JSON.stringify(id);
    switch (site.type) {
      case "declaration":
        append(assignments, site.scope, `${site.name} = ${call(kind)}(${quoted}, ${site.name});`);
        break;
      case "method":
        append(methods, site.target, `${propertyKey(site.key)}: ["${kind}", ${quoted}]`);
        break;
      case "value": {
        const [open, close] = site.name === undefined ? ["", ""] : named(site.name);
        edited.appendRight(fn.start, `${call(kind)}(${quoted}, ${open}`);
        edited.appendLeft(fn.end, `${close})${site.statement ? ";" : ""}`);
        break;
      }
      default:
        site satisfies never;
    }
  }
  for (const [target, entries] of methods) {
    const marksOf = `{ ${entries.join(", ")} }`;
    if (target.type === "ClassBody") {
      edited.appendLeft(target.start + 1, ` static { ${call("methods")}(this, ${marksOf}); }`);
    } else {
      edited.appendRight(target.start, `${call("methods")}(`);
      edited.appendLeft(target.end, `, ${marksOf})`);
    }
  }
  for (const { body, id } of classes) {
    edited.appendLeft(body.start + 1, ` static { ${call("registerClass")}(${JSON.stringify(id)}, this); }`);
  }
  for (const [scope, statements] of assignments) {
    if (scope !== program) insertAtTop(edited, scope, statements.join(" "), code, directives);
  }
  const names = [...used].map(([name, local]) => `${name} as ${local}`);
  const top = [
    `import { ${names.join(", ")} } from ${JSON.stringify(runtime)};`,
    ...(assignments.get(program) ?? []),
  ];
  insertAtTop(edited, program, top.join(" "), code, directives);
  return edited;
}

/** Inserts statements after a scope's prologue and leading imports, or before its first statement. */
function insertAtTop(
  edited: MagicString,
  scope: Node,
  text: string,
  code: string,
  removed: readonly ExpressionStatement[],
): void {
  if (scope.type !== "Program" && scope.type !== "BlockStatement" && scope.type !== "StaticBlock") return;
  let last: Node | undefined;
  for (const statement of scope.body) {
    const leads =
      statement.type === "ImportDeclaration" ||
      (statement.type === "ExpressionStatement" && typeof statement.directive === "string");
    if (!leads) break;
    last = statement;
  }
  if (!last) {
    // Before the first statement and not at the start of the file: comments up there can be pragmas.
    edited.appendLeft(scope.body[0]?.start ?? scope.end, `${text} `);
  } else if (removed.some((directive) => directive === last)) {
    edited.appendLeft(last.end, text);
  } else {
    edited.appendLeft(last.end, `${code[last.end - 1] === ";" ? "" : ";"} ${text}`);
  }
}

function removeDirective(edited: MagicString, directive: ExpressionStatement, code: string): void {
  const siblings = directive.parent && "body" in directive.parent ? directive.parent.body : [];
  const before = Array.isArray(siblings) ? siblings[siblings.indexOf(directive as never) - 1] : undefined;
  // What ended the statement before may have been only the line break before this one.
  if (before && code[before.end - 1] !== ";") edited.update(directive.start, directive.end, ";");
  else edited.remove(directive.start, directive.end);
}

/** Code that makes the anonymous function between the two halves take a name, as JavaScript's own inference does. */
function named(name: string): [open: string, close: string] {
  const key = propertyKey(name);
  return [`{ ${key}: `, key === name ? ` }.${name}` : ` }[${JSON.stringify(name)}]`];
}

function propertyKey(name: string): string {
  if (name === "__proto__") return '["__proto__"]';
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? name : JSON.stringify(name);
}

function freeName(wanted: string, code: string): string {
  return code.includes(wanted) ? freeName(`${wanted}_`, code) : wanted;
}

function append<K>(lists: Map<K, string[]>, key: K, item: string): void {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  list.push(item);
}
