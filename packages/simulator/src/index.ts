/** `@perdure/simulator`: workflows in simulated clusters. */
export { SimulationError } from "./broken.ts";
export { FAULTS, type Fault } from "./faults.ts";
export type {
  SimulatedCluster,
  SimulatedOutcome,
  SimulatedProgram,
  SimulatedRun,
  SimulatedWorkflow,
  SimulateOptions,
  SimulationReport,
  UserLaw,
} from "./options.ts";
export type { Random } from "./random.ts";
export { simulate } from "./simulate.ts";
