/** How functions are named: the name JavaScript infers, and the path of names that an id ends with. */
import type { Node } from "oxc-parser";
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

/** The last part of a function's id: `charge`, `client.charge`, `Client.charge`; `undefined` if it has no name at all. */
export function localName(fn: AnyFunction): string | undefined {
  return fn.id?.name ?? boundName(fn);
}

/** The names of the named functions around a function, outermost first. */
export function enclosingNames(fn: AnyFunction): string[] {
  const names: string[] = [];
  for (const node of ancestorsOf(fn)) {
    const name = isFunction(node) ? localName(node) : undefined;
    if (name !== undefined) names.unshift(name);
  }
  return names;
}

/** The name of what a value is bound to where it stands. */
function boundName(value: Node): string | undefined {
  const outer = withTypes(value);
  const parent = outer.parent;
  switch (parent?.type) {
    case "VariableDeclarator":
      return identifierName(parent.id);
    case "AssignmentExpression":
    case "AssignmentPattern":
      return parent.right === outer ? memberName(parent.left) : undefined;
    case "Property":
      return parent.value === outer ? memberOf(parent.parent && boundName(parent.parent), parent) : undefined;
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.value === outer ? memberOf(className(parent), parent) : undefined;
    case "ExportDefaultDeclaration":
      return "default";
    default:
      return undefined;
  }
}

function memberOf(owner: string | undefined, member: { key: Node; computed: boolean }): string | undefined {
  const key = staticKey(member);
  return owner === undefined || key === undefined ? key : `${owner}.${key}`;
}

function className(member: Node): string | undefined {
  const owner = member.parent?.parent;
  if (owner?.type !== "ClassDeclaration" && owner?.type !== "ClassExpression") return undefined;
  return owner.id?.name ?? boundName(owner);
}

function identifierName(node: Node): string | undefined {
  return node.type === "Identifier" ? node.name : undefined;
}

/** `a.b.c` for a chain of plain names, also from `this`. */
function memberName(node: Node): string | undefined {
  if (node.type === "ThisExpression") return "this";
  if (node.type !== "MemberExpression") return identifierName(node);
  const owner = memberName(node.object);
  const key = staticKey({ key: node.property, computed: node.computed });
  return owner === undefined || key === undefined ? undefined : `${owner}.${key}`;
}
