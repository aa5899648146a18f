import { successorName } from "../../names.ts";
import type { SystemStep } from "./system-step.ts";

/** Looks up which run goes on for one that failed: its id, or `null`. */
export const findSuccessor: SystemStep = {
  owed: false,
  async execute({ input }, { getNames, now }) {
    const [held] = await getNames([successorName(input as string)], now());
    return { type: "completed", value: held?.runId ?? null };
  },
};
