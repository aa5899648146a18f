/** Test doubles for programs that use the engine: a World in memory and a clock that a test moves. */
export { type MemoryRun, MemoryState } from "./memory-state.ts";
export { type MemoryWorldOptions, memoryWorld } from "./memory-world.ts";
export { type VirtualClock, virtualClock } from "./virtual-clock.ts";
