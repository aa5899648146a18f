/** Interceptors, as the engine calls them and a program registers them. */
export type {
  AttemptOutcome,
  ExecutedRun,
  ExecutionOutcome,
  Interceptor,
  Measurement,
  RunEnd,
  RunHeaders,
  StartCall,
  StartOutcome,
  StepCall,
} from "./interceptor.ts";
export { measured, measures } from "./measure.ts";
export {
  checkInterceptor,
  configureInterceptors,
  hooks,
  refuseHere,
  registerInterceptor,
  told,
} from "./registry.ts";
export { tellOfEnd } from "./run-end.ts";
export { intercepted, type Starting } from "./start.ts";
export { aroundStep, wrapsSteps } from "./step.ts";
