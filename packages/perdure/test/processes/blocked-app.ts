/**
 * `blocked-app <lease ttl>`: a program without top-level await, for bundlers of every format: it leaves its directory, starts
 * a run whose step blocks for three leases, and prints what comes of it.
 */
import { start } from "perdure/api";
import { configure, shutdown } from "perdure/runtime";
import { blocking } from "./flows.ts";
import { world } from "./place.ts";

async function main(leaseTtl: number): Promise<void> {
  process.chdir("/");
  configure({ world, worker: { leaseTtl } });
  const run = await start(blocking, [3 * leaseTtl]);
  console.log(`result ${await run.returnValue}`);
  await shutdown();
}

void main(Number(process.argv[2]));
