/** Checks that a workflow's own text calls nothing whose outcome replay could not repeat. */
import { isBuiltin } from "node:module";
import type { Node } from "oxc-parser";
import type { Reporter } from "../diagnostics.ts";
import type { Mark } from "../marks.ts";
import { importOf, type Mention, type Scopes } from "../scopes.ts";
import { contains, staticKey, walk } from "../syntax.ts";

const forbiddenGlobals = new Set(
  "fetch setTimeout setInterval setImmediate WebSocket EventSource XMLHttpRequest".split(" "),
);
const forbiddenOfProcess = new Set(
  (
    "abort availableMemory chdir constrainedMemory cpuUsage cwd exit kill memoryUsage pid ppid " +
    "resourceUsage stdin"
  ).split(" "),
);
const pureModules = new Set(
  (
    "assert assert/strict async_hooks buffer constants events path path/posix path/win32 punycode querystring " +
    "string_decoder url util util/types"
  ).split(" "),
);
/** What only computes, and what the run-time guard answers from the journal. */
const allowedOf: Readonly<Record<string, ReadonlySet<string>>> = {
  crypto: new Set(
    (
      "createHash createHmac hash timingSafeEqual webcrypto randomUUID randomUUIDv7 randomBytes randomInt randomFill " +
      "randomFillSync getRandomValues"
    ).split(" "),
  ),
  perf_hooks: new Set(["performance"]),
};
const globalObjects = new Set(["globalThis", "global", "window", "self"]);

/** Reports non-deterministic calls in the workflows of a file; the marked functions inside them are not looked into. */
export function checkDeterminism(marks: readonly Mark[], scopes: Scopes, reporter: Reporter): void {
  for (const { kind, fn: workflow } of marks) {
    if (kind !== "workflow") continue;
    const inner = marks.filter(({ fn }) => fn !== workflow && contains(workflow, fn));
    const isOwn = (node: Node): boolean => inner.every(({ fn }) => !contains(fn, node));
    const mentions = scopes.mentionsIn(workflow).filter(({ node }) => isOwn(node));
    const replaced = new Set(mentions.flatMap((mention) => replacedGlobal(mention, scopes) ?? []));
    for (const mention of mentions) {
      if (isTypeof(mention.node)) continue;
      if (isDefined(mention)) checkImported(mention, reporter);
      else if (!replaced.has(globalOf(mention.node))) checkGlobal(mention.node, reporter);
    }
    walk(workflow, (node) => {
      if (node.type === "ImportExpression" && isOwn(node)) checkModule(node.source, node, reporter);
      return isOwn(node);
    });
  }
}

function isDefined({ variable }: Mention): boolean {
  return variable !== null && variable.defs.length > 0;
}

/** `fetch` for `fetch` and for `globalThis.fetch`. */
function globalOf(node: Mention["node"]): string {
  return (globalObjects.has(node.name) && memberOf(node)) || node.name;
}

/** `fetch` for `globalThis.fetch = fetch`, where the program's own `fetch` takes the global one's place. */
function replacedGlobal({ node }: Mention, scopes: Scopes): string | undefined {
  const member = node.parent;
  if (!globalObjects.has(node.name) || member?.type !== "MemberExpression" || member.object !== node)
    return undefined;
  const assignment = member.parent;
  if (assignment?.type !== "AssignmentExpression" || assignment.left !== member) return undefined;
  const [value] = scopes.mentionsIn(assignment.right);
  return value && isDefined(value) ? memberOf(node) : undefined;
}

function checkGlobal(node: Mention["node"], reporter: Reporter): void {
  const { name, parent } = node;
  const { start } = node;
  const member = memberOf(node);
  if (forbiddenGlobals.has(name)) reporter.report("nondeterministic-call", start, name);
  else if (globalObjects.has(name) && member && forbiddenGlobals.has(member)) {
    reporter.report("nondeterministic-call", start, member);
  } else if (name === "process") checkProcess(start, member, reporter);
  else if (name === "require" && parent?.type === "CallExpression" && parent.callee === node) {
    checkModule(parent.arguments[0], node, reporter);
  }
}

function checkImported({ variable, node }: Mention, reporter: Reporter): void {
  const from = variable && importOf(variable);
  if (!from || !isBuiltin(from.module)) return;
  const module = from.module.replace(/^node:/, "");
  const name = from.name ?? memberOf(node);
  if (module === "process") checkProcess(node.start, name, reporter);
  else if (!isPure(module, name)) {
    const used =
      from.name === undefined || from.name === node.name ? node.name : `${from.name} as ${node.name}`;
    reporter.report("node-builtin", node.start, `\`${used}\` of "${from.module}"`);
  }
}

function checkProcess(offset: number, member: string | undefined, reporter: Reporter): void {
  if (member === "env") reporter.report("process-env", offset);
  else if (member && forbiddenOfProcess.has(member)) {
    reporter.report("nondeterministic-call", offset, `process.${member}`);
  }
}

function checkModule(source: Node | undefined, call: Node, reporter: Reporter): void {
  if (source?.type !== "Literal" || typeof source.value !== "string" || !isBuiltin(source.value)) return;
  if (!isPure(source.value.replace(/^node:/, ""), undefined)) {
    reporter.report("node-builtin", call.start, `The built-in "${source.value}"`);
  }
}

function isPure(module: string, name: string | undefined): boolean {
  return pureModules.has(module) || allowedOf[module]?.has(name ?? "") === true;
}

/** The name of the member that is taken of an identifier: `env` for the `process` of `process.env`. */
function memberOf(node: Node): string | undefined {
  const { parent } = node;
  if (parent?.type !== "MemberExpression" || parent.object !== node) return undefined;
  return staticKey({ key: parent.property, computed: parent.computed });
}

function isTypeof(node: Node): boolean {
  return node.parent?.type === "UnaryExpression" && node.parent.operator === "typeof";
}
