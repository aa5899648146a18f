/** The conformance suite of the World contract: an adapter is one when `describeWorld` is green on it. */
export { type DescribeWorldOptions, describeWorld } from "./describe-world.ts";
export {
  checkInvariants,
  InvariantsBroken,
  type RunSnapshot,
  readStore,
  type StoreSnapshot,
  snapshotOfState,
  violationsOf,
  violationsOfRun,
} from "./invariants/index.ts";
export { CaseSkipped, type Law, runCase, runLaw, Stage } from "./law.ts";
export { laws } from "./laws/index.ts";
export type { CreateTarget, Stored, UserTransaction, WorldTarget } from "./target.ts";
