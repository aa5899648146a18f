/** How functions are named: the name JavaScript infers, and the path of names that an id ends with. */
import type { Node } from "oxc-parser";
import { nameKeptAround, nameKeptFor } from "./kept-names.ts";
import { type AnyFunction, ancestorsOf, isFunction, staticKey, withTypes } from "./syntax.ts";

/** The `name` that JavaScript gives an anonymous function for where it stands, or `undefined` where it gives none. */
export function inferredName(fn: AnyFunction): string | undefined {
  const outer = withTypes(fn);
  const parent = outer.parent;
  switch (parent?.type) {
    case "VariableDeclarator":
      return identifierName(parent.id);
    case "AssignmentExpression":
    case "AssignmentPattern":
      return parent.right === outer ? identifierName(parent.left) : undefined;
    case "Property":
    case "PropertyDefinition":
      return parent.value === outer ? staticKey(parent) : undefined;
    case "ExportDefaultDeclaration":
      return "default";
    default:
      return undefined;
  }
}

/**
 * The last part of a marked function's id: `charge`, `client.charge`, `Client.charge`, `Bank.charge` in a namespace; `undefined` if
 * it has no name at all.
 */
export function localName(fn: AnyFunction): string | undefined {
  const name = memberName(fn) ?? plainName(fn);
  if (name === undefined) return undefined;
  const spaces = namespacesAround(fn);
  // Once it is compiled, what a namespace exports is assigned to a property of it.
  const prefix = `${spaces.at(-1)}.`;
  const isExport = withTypes(fn).parent?.type === "AssignmentExpression" && name.startsWith(prefix);
  return [...spaces, isExport ? name.slice(prefix.length) : name].join(".");
}

/** A function's name, for the ids of those in it too: these tell no instance from its class, and no namespace. */
function plainName(fn: AnyFunction): string | undefined {
  return fn.id ? nameKeptFor(fn.id.name, fn) : boundName(fn);
}

/** `Class#key` of an instance's method, and a setter's name with `=` behind it. */
function memberName(fn: AnyFunction): string | undefined {
  const { parent } = fn;
  if (parent?.type !== "MethodDefinition" && parent?.type !== "Property") return undefined;
  const key = staticKey(parent);
  if (key === undefined || parent.value !== fn) return undefined;
  const ofInstance = parent.type === "MethodDefinition" && !parent.static;
  const owner = ofInstance ? className(parent) : undefined;
  const name = owner === undefined ? plainName(fn) : `${owner}#${key}`;
  return "kind" in parent && parent.kind === "set" ? `${name}=` : name;
}

/** The namespaces around a node, up to the next function. */
function namespacesAround(node: Node): string[] {
  const names: string[] = [];
  for (const outer of ancestorsOf(node)) {
    const compiled = isFunction(outer) ? compiledNamespace(outer) : undefined;
    if (compiled !== undefined) names.unshift(compiled);
    else if (isFunction(outer)) break;
    if (outer.type === "TSModuleDeclaration") names.unshift(...namespaceNames(outer.id));
  }
  return names;
}

/** The namespace that compilers have made a function of: `Bank` for `(function (Bank) { … })(Bank || (Bank = {}))`. */
function compiledNamespace(fn: AnyFunction): string | undefined {
  const call = fn.parent;
  if (call?.type !== "CallExpression" || call.callee !== fn || call.arguments.length !== 1) return undefined;
  const [argument] = call.arguments;
  // Of one in another: `Inner = Outer.Inner || (Outer.Inner = {})`.
  const value = argument?.type === "AssignmentExpression" ? argument.right : argument;
  if (value?.type !== "LogicalExpression" || value.right.type !== "AssignmentExpression") return undefined;
  return chainName(value.left)?.split(".").at(-1);
}

function namespaceNames(id: Node): string[] {
  if (id.type === "TSQualifiedName") return [...namespaceNames(id.left), ...namespaceNames(id.right)];
  return id.type === "Identifier" ? [id.name] : [];
}

/** The names of the named functions around a function, outermost first. */
export function enclosingNames(fn: AnyFunction): string[] {
  const names: string[] = [];
  for (const node of ancestorsOf(fn)) {
    const name = isFunction(node) ? plainName(node) : undefined;
    if (name !== undefined) names.unshift(name);
  }
  return names;
}

/** The name of what a value is bound to where it stands. */
function boundName(value: Node): string | undefined {
  const kept = nameKeptAround(value);
  const outer = withTypes(kept === undefined || !value.parent ? value : value.parent);
  const parent = outer.parent;
  switch (parent?.type) {
    case "VariableDeclarator":
      return kept ?? identifierName(parent.id);
    case "AssignmentExpression":
    case "AssignmentPattern":
      return parent.right === outer ? withoutExports(chainName(parent.left)) : undefined;
    case "Property":
      return parent.value === outer ? memberOf(parent.parent && ownerName(parent.parent), parent) : undefined;
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.value === outer ? memberOf(className(parent), parent) : undefined;
    case "ExportDefaultDeclaration":
      return "default";
    default:
      return undefined;
  }
}

/** The name of an object literal: of one that is passed to a call, as in `const mail = tool({ … })`, what gets the call's result. */
function ownerName(object: Node): string | undefined {
  const outer = withTypes(object);
  const { parent } = outer;
  switch (parent?.type) {
    case "AwaitExpression":
    case "CallExpression":
    case "NewExpression":
      return ownerName(parent);
    case "AssignmentExpression":
      // What `module.exports = { charge }` exports is `charge`, no member of anything.
      return isAllExports(chainName(parent.left)) ? undefined : boundName(outer);
    default:
      return boundName(outer);
  }
}

function memberOf(owner: string | undefined, member: { key: Node; computed: boolean }): string | undefined {
  const key = staticKey(member);
  return owner === undefined || key === undefined ? key : `${owner}.${key}`;
}

function className(member: Node): string | undefined {
  const owner = member.parent?.parent;
  if (owner?.type !== "ClassDeclaration" && owner?.type !== "ClassExpression") return undefined;
  return owner.id ? nameKeptFor(owner.id.name, owner) : boundName(owner);
}

function identifierName(node: Node): string | undefined {
  return node.type === "Identifier" ? node.name : undefined;
}

/** `a.b.c` for a chain of plain names, also from `this`. */
function chainName(node: Node): string | undefined {
  if (node.type === "ThisExpression") return "this";
  if (node.type !== "MemberExpression") return identifierName(node);
  const owner = chainName(node.object);
  const key = staticKey({ key: node.property, computed: node.computed });
  return owner === undefined || key === undefined ? undefined : `${owner}.${key}`;
}

function isAllExports(chain: string | undefined): boolean {
  return chain === "exports" || chain === "module.exports";
}

/** The name of what CommonJS exports under that chain: `charge` for `exports.charge`. */
function withoutExports(chain: string | undefined): string | undefined {
  return isAllExports(chain) ? "default" : chain?.replace(/^(?:module\.)?exports\./, "");
}
