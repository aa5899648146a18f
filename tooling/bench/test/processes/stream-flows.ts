import { setTimeout as pause } from "node:timers/promises";
import { getStepMetadata, getWritable, step, workflow } from "perdure";

// The workflow of the worker that is killed while it writes, and of the one that takes over.

/** How many chunks its step writes. */
export const COUNT = 60;

const write = step("streams//count", async () => {
  const { attempt } = getStepMetadata();
  const writer = getWritable<number>().getWriter();
  for (let n = 0; n < COUNT; n++) {
    await writer.write(n);
    // The first one is killed on its way.
    if (attempt === 1) await pause(20);
  }
});

export const counts: () => Promise<void> = workflow("streams//counts", async () => await write());
