import { getStepMetadata, step, workflow } from "perdure";
import { note } from "./place.ts";

/** A workflow of 20 steps, each of which leaves a line `<name> <index> <attempt> <step id>` in the ledger. */
export function twentySteps(name: string): () => Promise<number> {
  const work = step(`work ${name}`, async (index: number) => {
    const { attempt, stepId } = getStepMetadata();
    note(`${name} ${index} ${attempt} ${stepId}`);
    return index;
  });
  return workflow(`twenty ${name}`, async () => {
    let sum = 0;
    for (let index = 1; index <= 20; index++) sum += await work(index);
    return sum;
  });
}
