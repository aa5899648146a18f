import { once } from "node:events";

/** Says that this process is ready, and waits until the test lets it go. */
export async function ready(): Promise<void> {
  console.log("ready");
  await once(process.stdin, "data");
  process.stdin.destroy();
}
