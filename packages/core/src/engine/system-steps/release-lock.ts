import type { ReleaseInput } from "../../interpreter/kinds/lock.ts";
import { release } from "../locks/release.ts";
import type { SystemStep } from "./system-step.ts";

/** Gives a lock back, or a place in its line. A run that has ended owes it for all that it asked for. */
export const releaseLock: SystemStep = {
  owed: true,
  async execute({ runId, input }, store) {
    const { key, lockId } = input as ReleaseInput;
    await store.inTurn(key, () => release(key, { runId, lockId }, store));
    return { type: "completed", value: null };
  },
};
