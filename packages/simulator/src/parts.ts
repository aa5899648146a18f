/** `@perdure/simulator/cluster`: the parts of a simulated cluster, for simulators of more than workflows. */
export { Cluster, type ClusterConfig, type ClusterOptions, type Member } from "./cluster.ts";
export { type EngineLaw, FAULTS, type Fault, latency } from "./faults.ts";
export { type Call, Network, type NetworkConfig, type NetworkOptions } from "./network.ts";
export { currentProcess, enterProcess, newProcess, pause, type SimProcess } from "./process.ts";
export { eventText, processWorld } from "./process-world.ts";
export { type Random, randomOf } from "./random.ts";
export { type Enter, type Lane, Scheduler, START } from "./scheduler.ts";
export { shortRun, Trace, type TraceEntry } from "./trace.ts";
