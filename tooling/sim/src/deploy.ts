import { pause, type Scheduler, type SimProcess, type Trace } from "@perdure/simulator/cluster";
import type { Fault, SimConfig } from "./config.ts";
import { deployBadVersion } from "./workflow.ts";

export interface DeployTerms {
  readonly config: SimConfig;
  readonly on: (fault: Fault) => boolean;
  readonly trace: Trace;
  readonly scheduler: Scheduler;
}

/** Lets code run for a while that does not follow the journals of the runs that began before it. */
export async function deploy(
  driver: SimProcess,
  { config, on, trace, scheduler }: DeployTerms,
): Promise<void> {
  if (config.badDeploy === null) return;
  await pause(driver, config.badDeploy.at);
  if (!on("deploy")) return;
  trace.add(scheduler.now, "all", "run a bad version");
  deployBadVersion(scheduler.now);
  await pause(driver, config.badDeploy.for);
  trace.add(scheduler.now, "all", "run the good version again");
  deployBadVersion(null);
}
