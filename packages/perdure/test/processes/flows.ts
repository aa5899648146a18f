import { getStepMetadata, step, workflow } from "perdure";
import { gate, isOpen, note } from "./place.ts";

/** The workflows of the worker processes. */

/** Says that an attempt begins, in the ledger and on the terminal. */
function begin(): number {
  const { attempt } = getStepMetadata();
  note(`attempt ${attempt}`);
  console.log(`attempt ${attempt}`);
  return attempt;
}

const waitsForGate = step("waits for gate", async () => {
  const attempt = begin();
  await gate(`attempt ${attempt}`);
  console.log(`ended ${attempt}`);
  return attempt;
});

export const gated: () => Promise<number> = workflow("gated", async () => await waitsForGate());

const blocksEventLoop = step("blocks the event loop", async (ms: number) => {
  const attempt = begin();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return attempt;
});

export const blocking: (ms: number) => Promise<number> = workflow("blocking", async (ms: number) => {
  return await blocksEventLoop(ms);
});

const spins = step("spins", async () => {
  const attempt = begin();
  while (attempt === 1 && !isOpen("attempt 1")) {}
  return attempt;
});

/** Its first attempt is an endless loop until the gate opens. */
export const spinning: () => Promise<number> = workflow("spinning", async () => await spins());
