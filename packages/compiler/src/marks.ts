/** Turns marked functions into marks: checks that each can be wrapped where it stands, and gives it its id. */
import type { ClassBody, Node, ObjectExpression, Program } from "oxc-parser";
import type { Reporter } from "./diagnostics.ts";
import type { Kind } from "./directive.ts";
import type { Marked } from "./directives.ts";
import { enclosingNames, inferredName, localName } from "./names.ts";
import { type AnyFunction, ancestorsOf, isFunction, staticKey } from "./syntax.ts";

/** How a function gets wrapped. */
export type Site =
  /** A declaration: its binding is reassigned at the start of `scope`. */
  | { type: "declaration"; name: string; scope: Node }
  /** A value: it is wrapped where it stands, keeping the name that it takes from there. */
  | { type: "value"; name: string | undefined; statement: boolean }
  /** A method: the object or class is told to wrap it. */
  | { type: "method"; target: ObjectExpression | ClassBody; key: string };

/** A function to wrap. */
export interface Mark {
  kind: Kind;
  fn: AnyFunction;
  id: string;
  site: Site;
}

/** Checks and identifies the marked functions of a file; those that cannot be wrapped are reported and left out. */
export function findMarks(marked: readonly Marked[], path: string, reporter: Reporter): Mark[] {
  const kinds = new Map(marked.map(({ fn, kind }) => [fn, kind] as const));
  const ids = new Set<string>();
  const anonymous = new Map<string, number>();
  const marks: Mark[] = [];
  for (const { fn, kind } of marked) {
    if (reportUnsupported(fn, kind, reporter)) continue;
    const outer = [...ancestorsOf(fn)].filter(isFunction).flatMap((node) => kinds.get(node) ?? []);
    if (kind === "workflow" && outer[0]) {
      reporter.report("nested-workflow", fn.start, outer[0]);
      continue;
    }
    const site = siteOf(fn, reporter);
    if (!site) continue;
    const enclosing = enclosingNames(fn).join("/");
    const count = (anonymous.get(enclosing) ?? 0) + 1;
    let name = localName(fn);
    if (name === undefined) {
      anonymous.set(enclosing, count);
      name = `anonymous${count}`;
    }
    const id = `${kind}//${path}//${enclosing ? `${enclosing}/` : ""}${name}`;
    if (ids.has(id)) reporter.report("duplicate-id", fn.start, id);
    ids.add(id);
    marks.push({ kind, fn, id, site });
  }
  return marks;
}

function reportUnsupported(fn: AnyFunction, kind: Kind, reporter: Reporter): boolean {
  const problem = fn.generator ? "a generator" : unsupportedMember(fn);
  if (problem) reporter.report("unsupported-function", fn.parent?.start ?? fn.start, problem);
  else if (!fn.async) reporter.report("not-async", fn.start, kind);
  return problem !== undefined || !fn.async;
}

function unsupportedMember(fn: AnyFunction): string | undefined {
  const member = fn.parent;
  switch (member?.type) {
    case "Property":
      return member.kind === "init" ? undefined : `a ${member.kind}ter`;
    case "MethodDefinition":
      if (member.kind === "constructor") return "a constructor";
      if (member.kind !== "method") return `a ${member.kind}ter`;
      if (!member.static) return "an instance method";
      return member.key.type === "PrivateIdentifier" ? "a private method" : undefined;
    case "PropertyDefinition":
    case "AccessorProperty":
      return member.static ? undefined : "the value of an instance field";
    default:
      return undefined;
  }
}

function siteOf(fn: AnyFunction, reporter: Reporter): Site | undefined {
  const parent = fn.parent;
  if (fn.type === "FunctionDeclaration") {
    if (!fn.id) return { type: "value", name: "default", statement: true };
    const scope = parent && scopeOf(parent);
    if (scope) return { type: "declaration", name: fn.id.name, scope };
    const where = parent?.type === "SwitchCase" ? "in a `case`: put it in a block" : "in a namespace";
    reporter.report("unsupported-position", fn.start, where);
    return undefined;
  }
  if (
    parent?.type === "Property" ||
    parent?.type === "MethodDefinition" ||
    parent?.type === "PropertyDefinition"
  ) {
    const key = staticKey(parent);
    if (key === undefined) {
      reporter.report("computed-name", parent.start);
      return undefined;
    }
    if (parent.type === "MethodDefinition" && parent.parent?.type === "ClassBody") {
      return { type: "method", target: parent.parent, key };
    }
    if (parent.type === "Property" && parent.method && parent.parent?.type === "ObjectExpression") {
      const target = parent.parent;
      const later = target.properties.slice(target.properties.indexOf(parent) + 1);
      if (later.every((other) => other.type === "Property" && ![key, undefined].includes(staticKey(other)))) {
        return { type: "method", target, key };
      }
      reporter.report("unsupported-position", parent.start, "before a spread or key that could replace it");
      return undefined;
    }
  }
  return { type: "value", name: fn.id ? undefined : inferredName(fn), statement: false };
}

/** The node whose start is the top of the scope that a declaration under `parent` belongs to. */
function scopeOf(parent: Node): Node | Program | undefined {
  switch (parent.type) {
    case "Program":
    case "BlockStatement":
    case "StaticBlock":
      return parent;
    case "ExportNamedDeclaration":
    case "ExportDefaultDeclaration":
      return parent.parent?.type === "Program" ? parent.parent : undefined;
    default:
      return undefined;
  }
}
