/** Turns marked functions into marks: checks that each can be wrapped where it stands, and gives it its id. */
import type { ClassBody, MethodDefinition, Node, ObjectExpression, Program } from "oxc-parser";
import type { StoredClasses } from "./classes.ts";
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
  /** A method, or a getter or setter: the object, the class or its prototype is told to wrap it. */
  | {
      type: "method";
      target: ObjectExpression | ClassBody;
      instance: boolean;
      key: string;
      accessor: "get" | "set" | undefined;
    };

/** A function to wrap. */
export interface Mark {
  kind: Kind;
  fn: AnyFunction;
  id: string;
  site: Site;
}

/** Checks and identifies the marked functions of a file; those that cannot be wrapped are reported and left out. */
export function findMarks(
  marked: readonly Marked[],
  path: string,
  classes: StoredClasses,
  reporter: Reporter,
): Mark[] {
  const kinds = new Map(marked.map(({ fn, kind }) => [fn, kind] as const));
  const anonymous = new Map<string, number>();
  const marks: Mark[] = [];
  for (const { fn, kind } of marked) {
    if (reportUnsupported(fn, kind, classes, reporter)) continue;
    const outer = [...ancestorsOf(fn)].filter(isFunction).flatMap((node) => kinds.get(node) ?? []);
    if (kind === "workflow" && outer[0]) {
      reporter.report("nested-workflow", fn.start, outer[0]);
      continue;
    }
    const site = siteOf(fn, reporter);
    if (!site) continue;
    reportAsyncCall(fn, site, reporter);
    const names = enclosingNames(fn).join("/");
    let name = localName(fn);
    if (name === undefined) {
      const count = (anonymous.get(names) ?? 0) + 1;
      anonymous.set(names, count);
      name = `anonymous${count}`;
    }
    const id = `${kind}//${path}//${names ? `${names}/` : ""}${name}`;
    if (marks.some((other) => other.id === id)) reporter.report("duplicate-id", fn.start, id);
    marks.push({ kind, fn, id, site });
  }
  return marks;
}

function reportUnsupported(fn: AnyFunction, kind: Kind, classes: StoredClasses, reporter: Reporter): boolean {
  const at = fn.parent?.start ?? fn.start;
  const problem =
    unsupportedMember(fn, kind) ?? (kind === "workflow" && fn.generator ? "a generator" : undefined);
  if (problem) {
    reporter.report("unsupported-function", at, problem);
    return true;
  }
  if (!fn.async && kind === "workflow") {
    reporter.report("not-async", fn.start, kind);
    return true;
  }
  if (!isInstanceMember(fn.parent)) return false;
  const cls = fn.parent.parent?.parent;
  if (cls?.type !== "ClassDeclaration" && cls?.type !== "ClassExpression") return false;
  const reason = classes.reasonAgainstInstances(cls);
  if (reason) reporter.report("unstorable-this", at, reason);
  return reason !== undefined;
}

function isInstanceMember(node: Node | null | undefined): node is MethodDefinition {
  return node?.type === "MethodDefinition" && !node.static;
}

function unsupportedMember(fn: AnyFunction, kind: Kind): string | undefined {
  const member = fn.parent;
  switch (member?.type) {
    case "Property":
      return member.kind === "init" || kind === "step" ? undefined : `a ${member.kind}ter as a workflow`;
    case "MethodDefinition":
      if (member.kind === "constructor") return "a constructor";
      if (member.key.type === "PrivateIdentifier") return "a #private method";
      if (kind === "step") return undefined;
      if (member.kind !== "method") return `a ${member.kind}ter as a workflow`;
      return member.static ? undefined : "an instance method as a workflow";
    case "PropertyDefinition":
    case "AccessorProperty":
      return member.static ? undefined : "the value of an instance field";
    default:
      return undefined;
  }
}

/** Says where a call gives a promise only in workflows, since the step's own text does not. */
function reportAsyncCall(fn: AnyFunction, site: Site, reporter: Reporter): void {
  const accessor = site.type === "method" ? site.accessor : undefined;
  if (accessor === "set") reporter.report("async-call", fn.start, "setter");
  else if (fn.generator) reporter.report("async-call", fn.start, "generator");
  else if (!fn.async && !returnsPromise(fn)) reporter.report("async-call", fn.start, accessor ?? "function");
}

function returnsPromise({ returnType }: AnyFunction): boolean {
  const type = returnType?.typeAnnotation;
  if (type?.type !== "TSTypeReference" || type.typeName.type !== "Identifier") return false;
  return type.typeName.name === "Promise" || type.typeName.name === "PromiseLike";
}

function siteOf(fn: AnyFunction, reporter: Reporter): Site | undefined {
  const parent = fn.parent;
  if (fn.type === "FunctionDeclaration") {
    if (!fn.id) return { type: "value", name: "default", statement: true };
    const scope = parent && scopeOf(parent);
    if (scope) return { type: "declaration", name: fn.id.name, scope };
    reporter.report("unsupported-position", fn.start, "in a `case`: put it in a block");
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
    const accessor = "kind" in parent ? accessorOf(parent.kind) : undefined;
    if (parent.type === "MethodDefinition" && parent.parent?.type === "ClassBody") {
      return { type: "method", target: parent.parent, instance: !parent.static, key, accessor };
    }
    if (
      parent.type === "Property" &&
      (parent.method || accessor) &&
      parent.parent?.type === "ObjectExpression"
    ) {
      const target = parent.parent;
      const later = target.properties.filter(({ start }) => start > parent.start);
      if (later.every((other) => leavesInPlace(other, key, accessor))) {
        return { type: "method", target, instance: false, key, accessor };
      }
      reporter.report("unsupported-position", parent.start, "before a spread or key that could replace it");
      return undefined;
    }
  }
  return { type: "value", name: fn.id ? undefined : inferredName(fn), statement: false };
}

function accessorOf(kind: string): "get" | "set" | undefined {
  return kind === "get" || kind === "set" ? kind : undefined;
}

/** Whether a later property of the literal cannot replace a method of this key, or this half of an accessor. */
function leavesInPlace(
  other: ObjectExpression["properties"][number],
  key: string,
  accessor: "get" | "set" | undefined,
): boolean {
  if (other.type !== "Property") return false;
  const otherKey = staticKey(other);
  if (otherKey !== key) return otherKey !== undefined;
  const half = accessorOf(other.kind);
  return accessor !== undefined && half !== undefined && half !== accessor;
}

/** The node whose start is the top of the scope that a declaration under `parent` belongs to. */
function scopeOf(parent: Node): Node | Program | undefined {
  switch (parent.type) {
    case "Program":
    case "BlockStatement":
    case "StaticBlock":
    case "TSModuleBlock":
      return parent;
    case "ExportNamedDeclaration":
    case "ExportDefaultDeclaration":
      return parent.parent?.type === "Program" || parent.parent?.type === "TSModuleBlock"
        ? parent.parent
        : undefined;
    default:
      return undefined;
  }
}
