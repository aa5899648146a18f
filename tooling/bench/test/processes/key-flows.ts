import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createHook, FatalError, getStepMetadata, once, type StepFunction, step, workflow } from "perdure";

// What the processes of the race for keys execute. An effect is a line in a file.

let folder = "";

/** Where effects are noted. */
export function noteEffectsIn(path: string): void {
  folder = path;
}

function effect(what: string): void {
  appendFileSync(join(folder, "effects"), `${what} ${getStepMetadata().stepId}\n`);
}

/** True once, whoever asks. */
function first(what: string): boolean {
  try {
    mkdirSync(join(folder, what));
    return true;
  } catch {
    return false;
  }
}

export const charge: StepFunction<(customer: string) => Promise<string>> = step(
  "keys//charge",
  async (customer: string) => {
    effect("charge");
    return `${customer} charged`;
  },
);

/** Fails when it is executed first. */
export const declined: StepFunction<() => Promise<string>> = step("keys//declined", async () => {
  effect("declined");
  if (first("was declined")) throw new FatalError("declined");
  return "accepted";
});

const reserve = step("keys//reserve", async () => effect("reserve"));
const ship = step("keys//ship", async () => {
  effect("ship");
  if (first("was lost")) throw new FatalError("lost");
  return "shipped";
});

export const asks: () => Promise<string> = workflow(
  "keys//asks",
  async () => await once("invoice", charge, "cus_1"),
);
export const order: () => Promise<string> = workflow("keys//order", async () => {
  await reserve();
  return await ship();
});
export const holds: (n: number) => Promise<void> = workflow("keys//holds", async (_: number) => {
  await createHook();
});
