/** Test doubles for programs that use the engine: a World in memory and a clock that a test moves. */

/** For simulations of whole clusters: the engine's parts, which take clock, ids, randomness and World from outside. */
export { Client, type ClientOptions } from "../api/client.ts";
export type { Clock } from "../clock.ts";
export { type ColdReplay, coldReplay } from "../engine/cold-replay.ts";
export { EngineWorker } from "../engine/worker.ts";
export { type IdSource, seededIds } from "../ids.ts";
export { decode, decodeError } from "../serialization/index.ts";
export { deploy } from "./deploy.ts";
export { type TestEnvironment, type TestEnvironmentOptions, testEnvironment } from "./environment.ts";
export { MemoryTransaction } from "./memory-joining.ts";
export type { MemoryRun } from "./memory-run.ts";
export { MemoryState } from "./memory-state.ts";
export { type MemoryWorldOptions, memoryWorld } from "./memory-world.ts";
export {
  type ReplayedJournal,
  type ReplayJournalOptions,
  readJournalFile,
  replayJournal,
  type StoredJournal,
} from "./replay-journal.ts";
export { type RunStepOptions, runStep } from "./run-step.ts";
export { stubStep } from "./stub-step.ts";
export type { Accident, WorldVerb } from "./tested-world.ts";
export { type VirtualClock, virtualClock } from "./virtual-clock.ts";
export {
  type FoundStep,
  type PendingHook,
  type WaitForHookOptions,
  type WaitForStepOptions,
  type WaitOptions,
  waitForHook,
  waitForSleep,
  waitForStep,
} from "./wait-for.ts";
