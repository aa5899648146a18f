/** `perdure/runtime`: Worlds and workers of a process. */
export { type DrainOptions, type DrainResult, drain } from "./api/drain.ts";
export {
  configure,
  createWorker,
  getWorld,
  openWorkers,
  setDefaultWorld,
  setWorld,
  shutdown,
  worldInUse,
} from "./api/runtime.ts";
export type { Configuration } from "./api/runtime-state.ts";
export type { EncryptionKey, EncryptionOptions, KeyFunction } from "./encryption/index.ts";
export { type ColdReplay, type ColdReplayOptions, coldReplay } from "./engine/cold-replay.ts";
export type { WorkerHealth } from "./engine/health.ts";
export type { Retention } from "./engine/upkeep/retention.ts";
export type { Worker } from "./engine/worker.ts";
export type { CloseOptions, WorkerOptions } from "./engine/worker-options.ts";
export {
  type AttemptOutcome,
  type ExecutedRun,
  type ExecutionOutcome,
  type Interceptor,
  type Measurement,
  type RunEnd,
  type RunHeaders,
  registerInterceptor,
  type StartCall,
  type StartOutcome,
  type StepCall,
} from "./interceptors/index.ts";
export { jsonLogger } from "./json-logger.ts";
export { type LogFields, type Logger, silentLogger } from "./logger.ts";
export { type LoggerChoice, type PinoLogger, resolveLogger } from "./logger-choice.ts";
export type { World } from "./world/index.ts";
