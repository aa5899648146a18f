import { getStepMetadata, step, workflow } from "perdure";
import { note } from "./place.ts";

/** A workflow of 8 steps, each of which leaves a line `<name> <index> <attempt> <step id>` in the ledger. */
export function eightSteps(name: string): () => Promise<number> {
  const work = step(`work ${name}`, async (index: number) => {
    const { attempt, stepId } = getStepMetadata();
    note(`${name} ${index} ${attempt} ${stepId}`);
    return index;
  });
  return workflow(`eight ${name}`, async () => {
    let sum = 0;
    for (let index = 1; index <= 8; index++) sum += await work(index);
    return sum;
  });
}
