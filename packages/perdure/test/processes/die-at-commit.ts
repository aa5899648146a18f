import { world } from "./place.ts";

/** How many commits this process has sent. */
export let commits = 0;

/** Ends this process by SIGKILL before its k-th commit is sent, or after it is durable. */
export function dieAtCommit(when: string, k: number): void {
  const commit = world.commit.bind(world);
  world.commit = async (batch, now) => {
    const last = ++commits === k;
    if (last && when === "before") process.kill(process.pid, "SIGKILL");
    const results = await commit(batch, now);
    if (last) process.kill(process.pid, "SIGKILL");
    return results;
  };
}
