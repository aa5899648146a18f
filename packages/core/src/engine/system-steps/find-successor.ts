import { successorName } from "../../names.ts";
import type { SystemStep } from "./system-step.ts";

/** Looks up which run goes on for one that failed: its id, or `null`. */
export const findSuccessor: SystemStep = {
  owed: false,
  async execute({ input }, { getName }) {
    const held = await getName(successorName(input as string));
    return { type: "completed", value: held?.runId ?? null };
  },
};
