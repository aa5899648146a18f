/**
 * `perdure/observability`: ids as people read them. The names are those of `workflow/observability`.
 */

/** An id that the compiler gave, in its parts. */
export interface ParsedName {
  /** What a list shows, such as `chargeCard` for `processOrder/chargeCard`. */
  readonly shortName: string;
  /** Where it is: `./src/orders`, or `@acme/media@3/dist/encode` in an installed package. */
  readonly moduleSpecifier: string;
  /** Its name in there, with those of the functions around it. */
  readonly functionName: string;
}

/**
 * The parts of a workflow's id, such as `await run.workflowName`. A default export has its module's name.
 *
 * @returns `null` for what is none that the compiler gave, such as the id of `workflow(id, fn)`
 * @example
 * ```ts
 * console.log(parseWorkflowName(await run.workflowName)?.shortName);
 * ```
 */
export function parseWorkflowName(name: string): ParsedName | null {
  const parsed = parse("workflow", name);
  if (parsed?.shortName !== "default") return parsed;
  return { ...parsed, shortName: lastOf(parsed.moduleSpecifier) };
}

/** The parts of a step's id, such as `getStepMetadata().stepName`; `null` for what is none that the compiler gave. */
export function parseStepName(name: string): ParsedName | null {
  return parse("step", name);
}

/** The parts of a registered class's id; `null` for what is none that the compiler gave. */
export function parseClassName(name: string): ParsedName | null {
  return parse("class", name);
}

function parse(kind: "workflow" | "step" | "class", id: string): ParsedName | null {
  const [first, moduleSpecifier, functionName, ...more] = id.split("//");
  if (first !== kind || !moduleSpecifier || !functionName || more.length > 0) return null;
  return { shortName: lastOf(functionName), moduleSpecifier, functionName };
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
