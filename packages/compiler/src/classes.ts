/** Finds classes that say how their instances are stored, so that every process that loads the file can read them. */
import type { Class, ClassBody, Node, Program } from "oxc-parser";
import type { Reporter } from "./diagnostics.ts";
import { ancestorsOf, isFunction, walk } from "./syntax.ts";

/** A class to register. */
export interface StoredClass {
  body: ClassBody;
  id: string;
}

/** Whether a file can contain such a class: a cheap look that spares parsing the others. */
export function mayContainStoredClass(code: string): boolean {
  return code.includes("WORKFLOW_SERIALIZE") || code.includes("workflow-serialize");
}

/** The classes of the module's own level with a static `[WORKFLOW_SERIALIZE]`. Those in functions have no id that lasts. */
export function findStoredClasses(
  program: Program,
  code: string,
  path: string,
  reporter: Reporter,
): StoredClass[] {
  const found: StoredClass[] = [];
  const ids = new Set<string>();
  walk(program, (node) => {
    if (isFunction(node)) return false;
    if (node.type !== "ClassDeclaration" && node.type !== "ClassExpression") return true;
    if (!saysHowItIsStored(node) || isRegistered(node, code)) return true;
    const name = nameOf(node);
    if (name === undefined) return true;
    const id = `class//${path}//${name}`;
    if (ids.has(id)) reporter.report("duplicate-id", node.start, id);
    ids.add(id);
    found.push({ body: node.body, id });
    return true;
  });
  return found;
}

function saysHowItIsStored({ body }: Class): boolean {
  return body.body.some(
    (member) =>
      (member.type === "MethodDefinition" || member.type === "PropertyDefinition") &&
      member.static &&
      member.computed &&
      isSerializeSymbol(member.key),
  );
}

/** The file has been through the compiler before. */
function isRegistered({ body }: Class, code: string): boolean {
  return body.body.some(
    (member) => member.type === "StaticBlock" && code.slice(member.start, member.end).includes('("class//'),
  );
}

/** `WORKFLOW_SERIALIZE`, as whatever it is imported from, or `Symbol.for("workflow-serialize")`. */
function isSerializeSymbol(key: Node): boolean {
  if (key.type === "Identifier") return key.name === "WORKFLOW_SERIALIZE";
  if (key.type !== "CallExpression" || key.callee.type !== "MemberExpression") return false;
  const [argument] = key.arguments;
  return argument?.type === "Literal" && argument.value === "workflow-serialize";
}

function nameOf(node: Class): string | undefined {
  if (node.id) return node.id.name;
  for (const outer of ancestorsOf(node)) {
    if (outer.type === "VariableDeclarator")
      return outer.id.type === "Identifier" ? outer.id.name : undefined;
    if (outer.type === "ExportDefaultDeclaration") return "default";
    return undefined;
  }
  return undefined;
}
