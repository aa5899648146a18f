/** Writes the calls into the source: insertions only, none of which adds a line. */
import MagicString from "magic-string";
import type { ClassBody, ExpressionStatement, Node, ObjectExpression, Program } from "oxc-parser";
import type { StoredClass } from "./classes.ts";
import type { Closure } from "./closures.ts";
import type { Mark } from "./marks.ts";

/** A runtime function that emitted code calls. */
type RuntimeName = "step" | "workflow" | "methods" | "registerClass" | "registerIfStored";

/** What `emit` needs to know. */
export interface Emission {
  code: string;
  program: Program;
  marks: readonly Mark[];
  classes: readonly StoredClass[];
  closures: ReadonlyMap<Mark, Closure>;
  /** The directives to remove. */
  directives: readonly ExpressionStatement[];
  /** The module that exports the runtime functions. */
  runtime: string;
  format: "module" | "commonjs";
}

/** Wraps the marked functions and returns the edited source. */
export function emit(emission: Emission): MagicString {
  const { code, program, marks, classes, closures, directives, runtime, format } = emission;
  const edited = new MagicString(code);
  const used = new Map<RuntimeName, string>();
  const call = (name: RuntimeName): string => {
    const local = used.get(name) ?? freeName(`__perdure_${name}`, code);
    used.set(name, local);
    return local;
  };

  for (const directive of directives) removeDirective(edited, directive, code);
  const assignments = new Map<Node, string[]>();
  const methods = new Map<ObjectExpression | ClassBody, MethodMark[]>();
  for (const mark of marks) {
    const { kind, fn, id, site } = mark;
    const quoted = JSON.stringify(id);
    const closure = closures.get(mark);
    const captured = [...(closure?.captured ?? []), ...(closure?.capturesThis ? ["this: this"] : [])];
    const values = captured.length === 0 ? "" : `, () => ({ ${captured.join(", ")} })`;
    switch (site.type) {
      case "declaration":
        append(assignments, site.scope, `${site.name} = ${call(kind)}(${quoted}, ${site.name}${values});`);
        break;
      case "method":
        append(methods, site.target, { kind, id, site, values });
        break;
      case "value": {
        const [open, close] = site.name === undefined ? ["", ""] : named(site.name);
        edited.appendRight(fn.start, `${call(kind)}(${quoted}, ${open}`);
        edited.appendLeft(fn.end, `${close}${values})${site.statement ? ";" : ""}`);
        break;
      }
      default:
        site satisfies never;
    }
  }
  for (const [target, found] of methods) {
    if (target.type === "ClassBody") {
      for (const instance of [false, true]) {
        const own = found.filter(({ site }) => site.instance === instance);
        if (own.length === 0) continue;
        const holder = instance ? "this.prototype" : "this";
        edited.appendLeft(target.start + 1, ` static { ${call("methods")}(${holder}, ${marksOf(own)}); }`);
      }
    } else {
      edited.appendRight(target.start, `${call("methods")}(`);
      edited.appendLeft(target.end, `, ${marksOf(found)})`);
    }
  }
  for (const { body, id, perhaps } of classes) {
    // Static fields have their values at the end of the body only, and one of them may be the method in question.
    const [name, at] = perhaps
      ? (["registerIfStored", body.end - 1] as const)
      : (["registerClass", body.start + 1] as const);
    edited.appendLeft(at, ` static { ${call(name)}(${JSON.stringify(id)}, this); }${perhaps ? " " : ""}`);
  }
  for (const { mark, captured, capturesThis } of closures.values()) {
    const self = capturesThis ? freeName("__perdure_this", emission.code) : undefined;
    const names = self === undefined ? captured : [...captured, `this: ${self}`];
    const made = names.length === 0 ? "()" : `({ ${names.join(", ")} })`;
    const text = functionText(mark, directives, emission.code);
    const code = `${made} => ${self === undefined ? `(${text})` : `(function () { return (${text}); }).call(${self})`}`;
    edited.append(`\n${call("step")}.code?.(${JSON.stringify(mark.id)}, ${code});`);
  }
  for (const [scope, statements] of assignments) {
    if (scope !== program) insertAtTop(edited, scope, statements.join(" "), code, directives);
  }
  const names = (as: string): string => [...used].map(([name, local]) => `${name}${as} ${local}`).join(", ");
  const load =
    format === "module"
      ? `import { ${names(" as")} } from ${JSON.stringify(runtime)};`
      : `const { ${names(":")} } = require(${JSON.stringify(runtime)});`;
  const top = [load, ...(assignments.get(program) ?? [])];
  insertAtTop(edited, program, top.join(" "), code, directives);
  return edited;
}

interface MethodMark {
  kind: Mark["kind"];
  id: string;
  site: Extract<Mark["site"], { type: "method" }>;
  /** What follows the id: the function that gives the captured values, or nothing. */
  values: string;
}

/** The marks of an object's methods: `{ charge: ["step", "…"], balance: { get: ["step", "…"] } }`. */
function marksOf(methods: readonly MethodMark[]): string {
  const entries = new Map<string, string | string[]>();
  for (const { kind, id, site, values } of methods) {
    const mark = `["${kind}", ${JSON.stringify(id)}${values}]`;
    const halves = entries.get(site.key);
    if (site.accessor === undefined) entries.set(site.key, mark);
    else entries.set(site.key, [...(Array.isArray(halves) ? halves : []), `${site.accessor}: ${mark}`]);
  }
  const texts = [...entries].map(
    ([key, mark]) => `${propertyKey(key)}: ${Array.isArray(mark) ? `{ ${mark.join(", ")} }` : mark}`,
  );
  return `{ ${texts.join(", ")} }`;
}

/** An expression that makes a marked function once more, with its name. */
function functionText({ fn, site }: Mark, directives: readonly ExpressionStatement[], code: string): string {
  if (site.type === "method" && fn.parent) {
    return `{ ${textWithout(directives, fn.parent, code)} }[${JSON.stringify(site.key)}]`;
  }
  const [open, close] = site.type === "value" && site.name !== undefined ? named(site.name) : ["", ""];
  return open + textWithout(directives, fn, code) + close;
}

/** A node's text without the directives in it. */
function textWithout(directives: readonly ExpressionStatement[], { start, end }: Node, code: string): string {
  let text = "";
  let at = start;
  for (const directive of directives.filter((each) => start <= each.start && each.end <= end)) {
    text += `${code.slice(at, directive.start)};`;
    at = directive.end;
  }
  return text + code.slice(at, end);
}

/** Inserts statements after a scope's prologue and leading imports, or before its first statement. */
function insertAtTop(
  edited: MagicString,
  scope: Node,
  text: string,
  code: string,
  removed: readonly ExpressionStatement[],
): void {
  if (!("body" in scope) || !Array.isArray(scope.body)) return;
  let last: Node | undefined;
  for (const statement of scope.body as readonly Node[]) {
    const leads =
      statement.type === "ImportDeclaration" ||
      (statement.type === "ExpressionStatement" && typeof statement.directive === "string");
    if (!leads) break;
    last = statement;
  }
  if (!last) {
    // Before the first statement and not at the start of the file: comments up there can be pragmas.
    edited.appendLeft((scope.body as readonly Node[])[0]?.start ?? scope.end, `${text} `);
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

function append<K, T>(lists: Map<K, T[]>, key: K, item: T): void {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  list.push(item);
}
