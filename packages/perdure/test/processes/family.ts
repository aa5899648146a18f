import { getStepMetadata, step, workflow } from "perdure";
import { start } from "perdure/api";
import { note } from "./place.ts";

/** How many children a parent has. */
export const CHILDREN = 20;

/** A workflow. */
type Flow<Args extends unknown[], Result> = (...args: Args) => Promise<Result>;

/**
 * A parent with 20 children, which gives what they give, by index. Each child has one step, which leaves a line
 * `<name> <index> <attempt> <step id>` in the ledger.
 */
export function family(name: string): { parent: Flow<[], number[]>; child: Flow<[number], number> } {
  const work = step(`work ${name}`, async (index: number) => {
    const { attempt, stepId } = getStepMetadata();
    note(`${name} ${index} ${attempt} ${stepId}`);
    return index;
  });
  const child = workflow(`child ${name}`, async (index: number) => await work(index));
  const parent = workflow(`parent ${name}`, async () => {
    const indices = Array.from({ length: CHILDREN }, (_, index) => index);
    const runs = await Promise.all(indices.map((index) => start(child, [index])));
    return await Promise.all(runs.map((run) => run.returnValue));
  });
  return { parent, child };
}
