/** Checks what a step inside a workflow does to the variables that it captures from the workflow. */
import type { Node } from "oxc-parser";
import type { Reporter } from "../diagnostics.ts";
import type { Mark } from "../marks.ts";
import { homeOf, initialValue, type Mention, type Scopes, type Variable } from "../scopes.ts";
import { ancestorsOf, contains, isFunction, staticKey, walk, withoutTypes, withTypes } from "../syntax.ts";

/** Reports writes to captured variables, and reads of those that are reassigned after the step was made. */
export function checkCaptured(marks: readonly Mark[], scopes: Scopes, reporter: Reporter): void {
  const workflows = marks.filter(({ kind }) => kind === "workflow");
  for (const { kind, fn: step, site } of marks) {
    if (site.type === "method" && site.instance) reportThisWrite(step, reporter);
    const workflow = workflows.find(({ fn }) => fn !== step && contains(fn, step));
    if (kind !== "step" || !workflow) continue;
    const reported = new Set<Variable>();
    for (const mention of scopes.mentionsIn(step)) {
      const { variable, node } = mention;
      if (!variable || reported.has(variable)) continue;
      const home = homeOf(variable);
      if (!contains(workflow.fn, home) || contains(step, home)) continue;
      if (changes(mention, variable)) {
        reporter.report("captured-write", node.start, node.name);
        reported.add(variable);
      } else if (scopes.mentionsOf(variable).some((other) => reassigns(other, step, home))) {
        reporter.report("captured-read", node.start, node.name);
        reported.add(variable);
      }
    }
  }
}

/** Reports the first change of `this` in a step that works on a copy of it. */
function reportThisWrite(step: Node, reporter: Reporter): void {
  let found = false;
  walk(step, (node) => {
    if (found || (node !== step && isFunction(node) && node.type !== "ArrowFunctionExpression")) return false;
    if (node.type === "ClassDeclaration" || node.type === "ClassExpression") return false;
    const target =
      node.type === "AssignmentExpression"
        ? node.left
        : node.type === "UpdateExpression"
          ? node.argument
          : undefined;
    if (target?.type === "MemberExpression" && target.object.type === "ThisExpression") {
      found = true;
      reporter.report("this-write", node.start);
    }
    return true;
  });
}

const mutators = new Set(
  "push pop shift unshift splice sort reverse fill copyWithin set add delete clear".split(" "),
);

function changes({ assigns, node }: Mention, variable: Variable): boolean {
  if (assigns) return true;
  let at: Node = withTypes(node);
  let member: Extract<Node, { type: "MemberExpression" }> | undefined;
  while (at.parent?.type === "MemberExpression" && at.parent.object === at) {
    member = at.parent;
    at = withTypes(member);
  }
  if (!member) return false;
  switch (at.parent?.type) {
    case "AssignmentExpression":
      return at.parent.left === at;
    case "UpdateExpression":
      return true;
    case "UnaryExpression":
      return at.parent.operator === "delete";
    case "CallExpression": {
      const method = staticKey({ key: member.property, computed: member.computed });
      return at.parent.callee === at && mutators.has(method ?? "") && withTypes(node) === member.object
        ? isCollection(initialValue(variable))
        : false;
    }
    default:
      return false;
  }
}

function isCollection(value: Node | undefined): boolean {
  const made = value && withoutTypes(value);
  if (made?.type === "ArrayExpression") return true;
  return made?.type === "NewExpression" && made.callee.type === "Identifier"
    ? ["Array", "Map", "Set"].includes(made.callee.name)
    : false;
}

/** Whether a mention assigns the variable at a time when the step exists already. */
function reassigns({ assigns, node }: Mention, step: Node, home: Node): boolean {
  if (!assigns || contains(step, node)) return false;
  if (node.start > step.start) {
    // `for (let i = 0; …; i++)` makes a new `i` for each turn, and the step keeps the one of its own.
    return !(home.type === "ForStatement" && home.update && contains(home.update, node));
  }
  return [...ancestorsOf(node)].some((loop) => isLoop(loop) && contains(loop, step) && !contains(loop, home));
}

function isLoop(node: Node): boolean {
  return /^(For|ForIn|ForOf|While|DoWhile)Statement$/.test(node.type);
}
